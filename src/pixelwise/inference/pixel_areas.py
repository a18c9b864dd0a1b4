"""Square metres of a raster's pixels and of what is outlined in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.inference.ellipsoid import Floats, measure_rings
from pixelwise.inference.georeference import Georeference, read_georeference

# By how much a projection's areas may differ from the ground's for pixels to count as its units
# say: those of UTM differ by up to 0.2 % in their zone, of EPSG:3857 at 60 degrees by 300 %.
_TRUE_TO_AREA = 0.0025

# Pixels a side whose area is computed; between them it is interpolated, as it changes smoothly.
_NODES = 257
_TEST_NODES = 9

# Degrees of latitude beyond which areas are measured about the pole.
_POLAR = 86.0

# The outline of a pixel, with the middles of its sides, as they may be bent.
_OUTLINE = np.array([(0, 0), (0.5, 0), (1, 0), (1, 0.5), (1, 1), (0.5, 1), (0, 1), (0, 0.5)])


@dataclass(frozen=True)
class PixelAreas:
    """Areas in a raster of height x width pixels that lies on the earth.

    unit: square metres of a pixel in the projection's own metres, feet or the like; None for
    degrees, control points and the like.
    """

    place: Georeference
    height: int
    width: int
    unit: float | None

    @cached_property
    def constant(self) -> float | None:
        """Square metres of each pixel; None where they differ, or where the projection's are not
        the ground's.
        """
        if self.unit is None:
            return None
        _, _, areas = self._measure_nodes(_TEST_NODES)
        is_true = np.abs(areas / self.unit - 1) <= _TRUE_TO_AREA
        return self.unit if (is_true | ~np.isfinite(areas)).all() else None

    def of_rows(self, top: int, bottom: int) -> Floats:
        """Square metres of the pixels of some rows, (bottom - top, width); 0 where the projection
        does not reach the earth.
        """
        if self.constant is not None:
            return np.full((bottom - top, self.width), self.constant)
        rows, columns, areas = self._nodes
        by_row = _interpolate(np.nan_to_num(areas).T, rows, np.arange(top, bottom)).T
        return _interpolate(by_row, columns, np.arange(self.width))

    def of_polygon(self, rings: Sequence[Floats]) -> float:
        """Square metres of a polygon of closed rings (n, 2) of (column, row), the first without
        the others, which are holes.
        """
        areas = [self._of_ring(ring) for ring in rings]
        return areas[0] - sum(areas[1:])

    def _of_ring(self, corners: Floats) -> float:
        if self.constant is not None:
            x, y = corners.T
            return abs(float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))) / 2 * self.constant
        longitude, latitude = self.place.outline_in_degrees(corners)[:-1].T
        return float(measure_rings(longitude, latitude, self._pole))

    @cached_property
    def _nodes(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        return self._measure_nodes(_NODES)

    def _measure_nodes(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Rows, columns and the areas of the pixels there, (rows, columns)."""
        rows = _spread(self.height, count)
        columns = _spread(self.width, count)
        x = columns[None, :, None] + _OUTLINE[:, 0]  # (1, columns, 8)
        y = rows[:, None, None] + _OUTLINE[:, 1]
        x, y = np.broadcast_arrays(x, y)
        return rows, columns, measure_rings(*self.place.to_degrees(x, y), self._pole)

    @cached_property
    def _pole(self) -> int:
        """The pole that the raster comes near to; 0 for none, and where its grid is of longitude
        and latitude.
        """
        if self.place.crs.is_geographic:
            return 0
        rows = _spread(self.height + 1, _TEST_NODES)
        columns = _spread(self.width + 1, _TEST_NODES)
        x, y = np.meshgrid(columns.astype(float), rows.astype(float))
        _, latitudes = self.place.to_degrees(x, y)
        if np.nanmax(latitudes) > _POLAR:
            return 1
        return -1 if np.nanmin(latitudes) < -_POLAR else 0


def read_pixel_areas(dataset: Any) -> PixelAreas | None:
    """Those of an open raster; None where it has no place on the earth."""
    place = read_georeference(dataset)
    if not place.on_earth:
        return None
    unit = None
    if place.kind == "transform" and place.crs.is_projected:
        # the determinant is a pixel's area, also of a raster that is turned
        unit = abs(dataset.transform.determinant) * place.crs.linear_units_factor[1] ** 2
    return PixelAreas(place, dataset.height, dataset.width, unit)


def _spread(length: int, count: int) -> NDArray[np.int64]:
    """So many places from 0 to length - 1, fewer where there are not as many."""
    return np.unique(np.linspace(0, length - 1, count).round().astype(np.int64))


def _interpolate(values: Floats, places: NDArray[np.int64], all_places: Any) -> Floats:
    """Between values (m, n) at n places along the last axis, those at all places between."""
    if len(places) == 1:
        return np.repeat(values, len(all_places), axis=1)
    before = np.clip(np.searchsorted(places, all_places, "right") - 1, 0, len(places) - 2)
    slopes = np.diff(values, axis=1) / np.diff(places)
    between: Floats = np.take(slopes, before, axis=1)
    between *= all_places - places[before]
    between += np.take(values, before, axis=1)
    return between
