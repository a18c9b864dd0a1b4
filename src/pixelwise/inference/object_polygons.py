"""Outlines of objects as GeoJSON, one feature an object."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.inference.ellipsoid import Floats
from pixelwise.io.gdal import open_dataset
from pixelwise.inference.georeference import Georeference, read_georeference
from pixelwise.inference.regions import place_rings, raster_outlines, write_features

Part = list[Floats]
"""Rings (n, 2) of (column, row), the outer one first."""


def write_object_polygons(
    object_map: Path,
    path: Path,
    pixels: NDArray[np.int64],
    properties: Callable[[int], dict[str, object]],
) -> None:
    """Outline the objects of a map that has a place: pixels (N,) of each, from 1 on, and properties
    by number. Coordinates are as in `write_polygons`.

    An object whose parts touch by corners alone is a MultiPolygon. Raises ImageError for a map that
    cannot be read.
    """
    with open_dataset(object_map) as dataset:
        place = read_georeference(dataset)
        outlines = _join_parts(dataset, pixels)
        features = ((properties(number), _place_parts(parts, place)) for number, parts in outlines)
        write_features(path, place, features)


def _join_parts(dataset: Any, pixels: NDArray[np.int64]) -> Iterator[tuple[int, list[Part]]]:
    """Number and parts of each object, once as many of its pixels are outlined as it has."""
    waiting = defaultdict[int, list[Part]](list)
    missing = [0, *pixels.tolist()]
    for number, rings in raster_outlines(dataset):
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
