"""Outlines of objects as GeoJSON, one feature an object."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.inference.antimeridian import may_cross
from pixelwise.inference.ellipsoid import Floats
from pixelwise.inference.georeference import Georeference, read_georeference
from pixelwise.inference.regions import DIGITS, place_rings, raster_outlines, write_features
from pixelwise.io.gdal import open_dataset

# Objects whose corners are placed in one call.
_AT_ONCE = 1000

Part = list[Floats]
"""Rings (n, 2) of (column, row), the outer one first."""
Outline = tuple[int, list[Part]]
"""Number and parts of an object."""


def write_object_polygons(
    object_map: Path,
    path: Path,
    pixels: NDArray[np.int64],
    properties: Callable[[int], dict[str, object]],
    mask: Path | None = None,
) -> None:
    """Outline the objects of a map that has a place: pixels (N,) of each, from 1 on, and properties
    by number. Coordinates are as in `write_polygons`. mask: a raster that is 0 in no object; what
    lies around the objects, with a hole for each, is then not outlined in vain.

    An object whose parts touch by corners alone is a MultiPolygon. Raises ImageError for a map that
    cannot be read.
    """
    with ExitStack() as stack:
        dataset = stack.enter_context(open_dataset(object_map))
        inside = stack.enter_context(open_dataset(mask)) if mask else None
        place = read_georeference(dataset)
        outlines = _join_parts(raster_outlines(dataset, inside), pixels)
        features = (
            (properties(number), geometry)
            for batch in _batched(outlines, _AT_ONCE)
            for number, geometry in _place_batch(batch, place)
        )
        write_features(path, place, features)


def _place_batch(
    batch: Sequence[Outline], place: Georeference
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and GeoJSON geometry of some objects, whose corners are all placed at once."""
    if not place.on_earth:
        yield from ((number, _place_parts(parts, place)) for number, parts in batch)
        return
    rings = [ring for _, parts in batch for part in parts for ring in part]
    corners = np.concatenate(rings)
    degrees = np.stack(place.to_degrees(*corners.T), axis=1)
    placed = iter(np.split(degrees, np.cumsum([len(ring) for ring in rings])[:-1]))
    for number, parts in batch:
        in_degrees = [[next(placed) for _ in part] for part in parts]
        flat = [ring for part in in_degrees for ring in part]
        if may_cross(flat) or not all(np.isfinite(ring).all() for ring in flat):
            yield number, _place_parts(parts, place)
            continue
        polygons = [[ring.round(DIGITS).tolist() for ring in part] for part in in_degrees]
        kind = "Polygon" if len(polygons) == 1 else "MultiPolygon"
        coordinates = polygons[0] if len(polygons) == 1 else polygons
        yield number, {"type": kind, "coordinates": coordinates}


def _join_parts(
    outlines: Iterable[tuple[int, Part]], pixels: NDArray[np.int64]
) -> Iterator[Outline]:
    """Number and parts of each object, once as many of its pixels are outlined as it has."""
    waiting = defaultdict[int, list[Part]](list)
    missing = [0, *pixels.tolist()]
    for number, rings in outlines:
        if number == 0:
            continue
        waiting[number].append(rings)
        missing[number] -= round(_area(rings))
        if missing[number] == 0:
            yield number, waiting.pop(number)


def _area(rings: Part) -> float:
    """Square pixels within the outer ring and outside the others."""
    areas = []
    for ring in rings:
        x, y = (ring - ring[0]).T
        areas.append(abs(float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]))) / 2)
    return areas[0] - sum(areas[1:])


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
