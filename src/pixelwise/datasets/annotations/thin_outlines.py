"""Outlines with fewer corners, within a bound in pixels.

Regions side by side share their border: it is cut where three regions meet, or two and the image's
edge, and each piece is thinned once, so that neighbours stay neighbours. Source of the thinning:
Douglas and Peucker, 1973; of cutting at shared corners: Bostock's TopoJSON.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import Classes
from pixelwise.datasets.annotations.polygons import Bits, Points, fill
from pixelwise.datasets.annotations.rasterize import find_regions
from pixelwise.io.images import Array

# What lies around the image, which is no label.
_OUTSIDE = 256


def find_polygons(
    labels: Array, classes: Classes, tolerance: float
) -> Iterator[tuple[str, int, list[Points]]]:
    """As `find_regions`, with rings that leave the edges of pixels by at most `tolerance` pixels.

    No pixel whose centre is farther from its region's outline than that changes its label. A ring
    that would enclose no pixel stays as it is.
    """
    regions = find_regions(labels, classes)
    if tolerance <= 0:
        yield from regions
        return
    thinner = _Thinner(labels, tolerance)
    for name, label, rings in regions:
        yield name, label, [thinner.thin(ring) for ring in rings]


class _Thinner:
    """Thins the rings of one image, each piece of a border once."""

    def __init__(self, labels: Array, tolerance: float) -> None:
        self._size = (labels.shape[0], labels.shape[1])
        self._junctions = _find_junctions(labels)
        self._tolerance = tolerance
        self._pieces: dict[bytes, Points] = {}

    def thin(self, ring: Points) -> Points:
        """A ring with fewer corners; the ring itself where those enclose no pixel."""
        points = np.concatenate([self._thin_piece(piece)[:-1] for piece in self._cut(ring)])
        return points if len(points) > 2 and fill([points], self._size) is not None else ring

    def _cut(self, ring: Points) -> Iterable[Points]:
        """The pieces of a ring between junctions, each with both ends; without a junction one
        piece, from the upper left corner round to it.
        """
        points = _add_points(ring, self._junctions)
        ends = np.flatnonzero(self._junctions[points[:, 1].astype(int), points[:, 0].astype(int)])
        if not len(ends):
            ends = np.array([np.lexsort(points.T)[0]])
        points = np.roll(points, -ends[0], axis=0)
        closed = np.concatenate([points, points[:1]])
        bounds = [*(ends - ends[0]), len(points)]
        return [closed[a : b + 1] for a, b in pairwise(bounds)]

    def _thin_piece(self, piece: Points) -> Points:
        """Thinned alike in whichever direction it is gone along."""
        forward = piece.tolist() <= piece[::-1].tolist()
        ordered = piece if forward else piece[::-1]
        key = ordered.tobytes()
        if key not in self._pieces:
            self._pieces[key] = ordered[_corners_to_keep(ordered, self._tolerance)]
        thinned = self._pieces[key]
        return thinned if forward else thinned[::-1]


def _find_junctions(labels: Array) -> Bits:
    """(H + 1, W + 1): the corners of pixels around which three labels meet, or two crosswise; the
    image's edge counts as a label, and its four corners are junctions.
    """
    padded = np.pad(labels.astype(np.int16), 1, constant_values=_OUTSIDE)
    one = padded[:-1, :-1]
    two = padded[:-1, 1:]
    three = padded[1:, :-1]
    four = padded[1:, 1:]
    count = 1 + (two != one) + ((three != one) & (three != two)).astype(int)
    count += (four != one) & (four != two) & (four != three)
    junctions: Bits = (count > 2) | ((one == four) & (two == three) & (one != two))
    for row in (0, -1):
        junctions[row, [0, -1]] = True
    return junctions


def _add_points(ring: Points, junctions: Bits) -> Points:
    """The ring's corners and the junctions on its straight sides."""
    corners: NDArray[np.int64] = ring.astype(np.int64)
    steps = np.roll(corners, -1, axis=0) - corners
    lengths = np.abs(steps).sum(axis=1)
    side = np.repeat(np.arange(len(corners)), lengths)
    along = np.arange(len(side)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    points = corners[side] + np.sign(steps)[side] * along[:, None]
    chosen = (along == 0) | junctions[points[:, 1], points[:, 0]]
    added: Points = points[chosen].astype(np.float64)
    return added


def _corners_to_keep(line: Points, tolerance: float) -> NDArray[np.bool_]:
    """Which points of a line (n, 2) stay, so that the others are at most `tolerance` from it."""
    stay = np.zeros(len(line), bool)
    stay[[0, -1]] = True
    spans = [(0, len(line) - 1)]
    while spans:
        begin, end = spans.pop()
        if end - begin < 2:
            continue
        distances = _distances(line[begin + 1 : end], line[begin], line[end])
        farthest = int(distances.argmax())
        if distances[farthest] > tolerance:
            middle = begin + 1 + farthest
            stay[middle] = True
            spans += [(begin, middle), (middle, end)]
    return stay


def _distances(points: Points, begin: Points, end: Points) -> NDArray[np.float64]:
    """Of points (n, 2) from the straight line between two points, which may be one."""
    direction: Points = end - begin
    offsets: Points = points - begin
    length = float(direction @ direction)
    share = np.clip(offsets @ direction / length, 0, 1) if length else np.zeros(len(points))
    away: Points = offsets - share[:, None] * direction
    distances: NDArray[np.float64] = np.hypot(away[:, 0], away[:, 1])
    return distances
