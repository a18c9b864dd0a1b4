"""Outlines of objects as GeoJSON, one feature an object."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.inference.antimeridian import may_cross
from pixelwise.inference.georeference import Georeference, read_georeference
from pixelwise.inference.regions import DIGITS, place_rings, write_features
from pixelwise.inference.trace_outlines import Floats, Outline, OutlineTracer, Part
from pixelwise.io.gdal import open_dataset

# Objects whose corners are placed in one call.
_AT_ONCE = 1000
# Rows of the map that are read at once: those of its tiles.
_ROWS = 512


def write_object_polygons(
    object_map: Path,
    path: Path,
    bottoms: NDArray[np.int64],
    properties: Callable[[int], dict[str, object]],
) -> None:
    """Outline the objects of a map that has a place: bottoms (N,), the row beyond the last one of
    each, from 1 on, and properties by number. Coordinates are as in `write_polygons`.

    An object whose parts touch by corners alone is a MultiPolygon. Raises ImageError for a map that
    cannot be read.
    """
    with ExitStack() as stack:
        dataset = stack.enter_context(open_dataset(object_map))
        place = read_georeference(dataset)
        features = (
            (properties(number), geometry)  # as text
            for batch in _batched(_trace(dataset, bottoms), _AT_ONCE)
            for number, geometry in _place_batch(batch, place)
        )
        write_features(path, place, features)


def _trace(dataset: Any, bottoms: NDArray[np.int64]) -> Iterator[Outline]:
    tracer = OutlineTracer(dataset.width, bottoms)
    for top in range(0, dataset.height, _ROWS):
        rows = (top, min(top + _ROWS, dataset.height))
        yield from tracer.add(dataset.read(1, window=(rows, (0, dataset.width))))
    yield from tracer.finish()


def _place_batch(batch: Sequence[Outline], place: Georeference) -> Iterator[tuple[int, str]]:
    """Number and GeoJSON geometry of some objects, whose corners are all placed at once."""
    if not place.on_earth:
        yield from _place_each(batch, place)
        return
    rings = [ring for _, parts in batch for part in parts for ring in part]
    degrees = np.stack(place.to_degrees(*np.concatenate(rings).T), axis=1)
    if not np.isfinite(degrees).all() or may_cross([degrees]):
        yield from _place_each(batch, place)
        return
    texts = _split_text(format_corners(degrees), [len(ring) for ring in rings])
    for number, parts in batch:
        polygons = [", ".join(f"[{next(texts)}]" for _ in part) for part in parts]
        if len(polygons) == 1:
            yield number, f'{{"type": "Polygon", "coordinates": [{polygons[0]}]}}'
        else:
            coordinates = ", ".join(f"[{rings}]" for rings in polygons)
            yield number, f'{{"type": "MultiPolygon", "coordinates": [{coordinates}]}}'


def _place_each(batch: Sequence[Outline], place: Georeference) -> Iterator[tuple[int, str]]:
    for number, parts in batch:
        yield number, json.dumps(_place_parts(parts, place))


def format_corners(degrees: Floats) -> NDArray[np.uint8]:
    """(n, w) the letters of "[longitude, latitude]," of each row of degrees (n, 2), with DIGITS
    decimals and spaces before short numbers. As json.dumps, but ten times as fast.
    """
    units = np.rint(np.abs(degrees) * 10**DIGITS).astype(np.int64)
    whole, decimals = np.divmod(units, 10**DIGITS)
    width = 4 + 1 + DIGITS  # sign, three digits, point
    text = np.full((len(degrees), 2, width), ord(" "), np.uint8)
    for column in range(width - 1, 4, -1):
        decimals, digit = np.divmod(decimals, 10)
        text[..., column] = digit + ord("0")
    text[..., 4] = ord(".")
    for column, least in ((3, 0), (2, 10), (1, 100)):
        digit = whole // max(1, least) % 10 + ord("0")
        text[..., column] = np.where(whole >= least, digit, ord(" "))
    row, axis = np.nonzero(degrees < 0)
    is_longer = (whole[row, axis] >= 10).astype(np.int64) + (whole[row, axis] >= 100)
    text[row, axis, 2 - is_longer] = ord("-")
    frame = np.frombuffer(b"[,],", np.uint8)
    columns = [text[:, 0], text[:, 1]]
    marks = [np.broadcast_to(mark, (len(text), 1)) for mark in frame]
    return np.concatenate([marks[0], columns[0], marks[1], columns[1], *marks[2:]], axis=1)


def _split_text(letters: NDArray[np.uint8], counts: Sequence[int]) -> Iterator[str]:
    """The rows of each ring as one text, without the last comma."""
    text = letters.tobytes().decode("ascii")
    begin = 0
    for count in counts:
        end = begin + count * letters.shape[1]
        yield text[begin : end - 1]
        begin = end


def _place_parts(parts: list[Part], place: Georeference) -> dict[str, Any]:
    geometries = [place_rings(rings, place) for rings in parts]
    if len(geometries) == 1:
        return geometries[0]
    polygons: list[Any] = []
    for geometry in geometries:
        is_single = geometry["type"] == "Polygon"
        polygons += [geometry["coordinates"]] if is_single else geometry["coordinates"]
    return {"type": "MultiPolygon", "coordinates": polygons}


def _batched(values: Iterable[Outline], size: int) -> Iterator[list[Outline]]:
    """As itertools.batched of Python 3.12."""
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch
