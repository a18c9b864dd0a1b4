"""Where a raster lies: the one place that decides between its transform, ground control points and
rational polynomials.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from pixelwise.inference.ellipsoid import Floats
from pixelwise.optional import require_package

WGS84 = "EPSG:4326"

# Columns and rows, or x and y.
Points = tuple[Floats, Floats]

# Control points that are needed for a plane.
_MIN_POINTS = 3

# Points a side that are asked for their longitude and latitude.
_PROBES = 5

# Parts of a side of the raster in which its grid hardly bends.
_STEPS = 256


@dataclass(frozen=True)
class Georeference:
    """The way from pixels to the ground.

    kind: `transform`, `control points`, `rational polynomials` or `none`. crs: that of the
    coordinates; None where they are a site's own, or pixels. locate: coordinates of (columns,
    rows), of which (0, 0) is the upper left corner of the first pixel. height, width: in pixels.
    """

    kind: str
    crs: Any
    locate: Callable[[Floats, Floats], Points]
    height: int
    width: int

    @cached_property
    def on_earth(self) -> bool:
        """Whether pixels have a longitude and latitude, at least some of them: a map of the world
        may have empty corners.
        """
        columns, rows = np.meshgrid(
            np.linspace(0, self.width, _PROBES), np.linspace(0, self.height, _PROBES)
        )
        _, latitude = self.to_degrees(columns, rows)
        return bool((np.abs(latitude) <= 90).any())

    def to_degrees(self, columns: Floats, rows: Floats) -> Points:
        """Longitude and latitude in WGS 84; no numbers where there are none."""
        if self.crs is None:
            return np.full_like(columns, np.nan), np.full_like(rows, np.nan)
        return _to_degrees(self.crs, *self.locate(columns, rows))

    def outline_in_degrees(self, ring: Floats) -> Floats:
        """Longitude and latitude (m, 2) along a closed ring (n, 2) of (column, row), in steps in
        which the sides are straight everywhere.
        """
        longest = max(1, max(self.height, self.width) // _STEPS)
        return np.stack(self.to_degrees(*_divide_sides(ring, longest).T), axis=1)


def is_georeferenced(dataset: Any) -> bool:
    """Whether an open raster says anything of its place, which its mask is to say too."""
    return (
        dataset.crs is not None
        or not dataset.transform.is_identity
        or bool(dataset.gcps[0])
        or dataset.rpcs is not None
    )


def read_georeference(dataset: Any) -> Georeference:
    """That of an open raster. The coordinate system of one without a transform says nothing: its
    pixels would lie at degrees or metres that are columns and rows.
    """
    kind, crs, locate = _choose_way(dataset)
    return Georeference(kind, crs, locate, dataset.height, dataset.width)


def _choose_way(dataset: Any) -> tuple[str, Any, Callable[[Floats, Floats], Points]]:
    points, points_crs = dataset.gcps
    if not dataset.transform.is_identity:
        return "transform", dataset.crs, _by_affine(dataset.transform)
    if len(points) >= _MIN_POINTS:
        return "control points", points_crs, _by_points(points)
    if dataset.rpcs is not None:
        crs = require_package("rasterio.crs").CRS.from_string(WGS84)
        return "rational polynomials", crs, _by_polynomials(dataset.rpcs)
    return "none", None, lambda columns, rows: (columns, rows)


def _by_affine(transform: Any) -> Callable[[Floats, Floats], Points]:
    def locate(columns: Floats, rows: Floats) -> Points:
        x, y = transform * (columns, rows)
        return x, y

    return locate


def _by_points(points: Sequence[Any]) -> Callable[[Floats, Floats], Points]:
    """As gdalwarp and QGIS do it, by polynomials; a plane where the points allow no more."""
    module = require_package("rasterio.transform")
    try:
        with require_package("rasterio").Env():  # else GDAL prints what it finds
            module.GCPTransformer(points).close()
    except Exception:  # rasterio's errors share no base class but Exception
        return _by_affine(module.from_gcps(points))

    def locate(columns: Floats, rows: Floats) -> Points:
        with module.GCPTransformer(points) as transformer:
            return _corners(transformer, columns, rows)

    return locate


def _by_polynomials(polynomials: Any) -> Callable[[Floats, Floats], Points]:
    """At the mean height of the scene, as there is no model of the ground."""
    module = require_package("rasterio.transform")

    def locate(columns: Floats, rows: Floats) -> Points:
        height = polynomials.height_off
        with module.RPCTransformer(polynomials, rpc_height=height) as transformer:
            return _corners(transformer, columns, rows)

    return locate


def _corners(transformer: Any, columns: Floats, rows: Floats) -> Points:
    x, y = transformer.xy(rows.ravel().tolist(), columns.ravel().tolist(), offset="ul")
    return np.reshape(x, columns.shape), np.reshape(y, rows.shape)


def _divide_sides(ring: Floats, longest: float) -> Floats:
    """A closed ring (n, 2) with its sides in parts of at most `longest`."""
    parts = list[Floats]()
    for start, end in pairwise(ring):
        count = max(1, int(np.ceil(np.abs(end - start).max() / longest)))
        parts.append(start + (end - start) * np.arange(count)[:, None] / count)
    return np.concatenate([*parts, ring[-1:]])


def _to_degrees(crs: Any, x: Floats, y: Floats) -> Points:
    """Points that the coordinate system does not reach are no numbers: PROJ refuses all where one
    is such, so they are looked for by halves.
    """
    degrees = np.full((2, x.size), np.nan)
    transform = require_package("rasterio.warp").transform
    flat_x = x.ravel()
    flat_y = y.ravel()
    spans = [(0, x.size)]
    while spans:
        first, last = spans.pop()
        part = slice(first, last)
        with suppress(Exception):  # rasterio's errors share no base class but Exception
            degrees[:, part] = transform(crs, WGS84, flat_x[part], flat_y[part])
            continue
        middle = (first + last) // 2
        if middle > first:
            spans += [(first, middle), (middle, last)]
    degrees[~np.isfinite(degrees)] = np.nan
    return degrees[0].reshape(x.shape), degrees[1].reshape(y.shape)
