"""Outlines of objects as GeoJSON, one feature an object."""

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
from pixelwise.inference.trace_outlines import Outline, OutlineTracer, Part
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
            (properties(number), geometry)
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


def _place_batch(
    batch: Sequence[Outline], place: Georeference
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and GeoJSON geometry of some objects, whose corners are all placed at once."""
    if not place.on_earth:
        yield from ((number, _place_parts(parts, place)) for number, parts in batch)
        return
    rings = [ring for _, parts in batch for part in parts for ring in part]
    degrees = np.stack(place.to_degrees(*np.concatenate(rings).T), axis=1)
    if not np.isfinite(degrees).all() or may_cross([degrees]):
        yield from ((number, _place_parts(parts, place)) for number, parts in batch)
        return
    corners = iter(degrees.round(DIGITS).tolist())
    for number, parts in batch:
        polygons = [[list(islice(corners, len(ring))) for ring in part] for part in parts]
        is_single = len(polygons) == 1
        kind = "Polygon" if is_single else "MultiPolygon"
        yield number, {"type": kind, "coordinates": polygons[0] if is_single else polygons}


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
