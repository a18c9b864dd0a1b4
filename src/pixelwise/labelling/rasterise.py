"""Strokes to pixels, exactly: the same stroke always covers the same pixels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Point = tuple[float, float]
"""Column and row in pixels, 0 at the left and upper edge of the picture, so that pixel (i, j) has
its centre at (j + 0.5, i + 0.5)."""

# A brush is never so thin that it passes between the centres of neighbouring pixels.
MIN_RADIUS = 0.75


@dataclass(frozen=True)
class Box:
    """A window of rows and columns."""

    top: int
    left: int
    height: int
    width: int

    @property
    def window(self) -> tuple[slice, slice]:
        """The slices of an array that it is."""
        rows = slice(self.top, self.top + self.height)
        return rows, slice(self.left, self.left + self.width)


@dataclass(frozen=True, eq=False)
class Area:
    """Pixels of a picture: those of `box` where `covered` (height, width) is set."""

    box: Box
    covered: NDArray[np.bool_]


def draw_brush(points: Sequence[Point], radius: float, size: tuple[int, int]) -> Area:
    """The pixels whose centres lie within `radius` of the line through `points`; size: (height,
    width) of the picture.
    """
    radius = max(radius, MIN_RADIUS)
    box = _bounds(points, radius, size)
    covered = np.zeros((box.height, box.width), bool)
    segments = pairwise(points) if len(points) > 1 else [(points[0], points[0])]
    for start, end in segments:
        part = _bounds((start, end), radius, size)
        rows = slice(part.top - box.top, part.top - box.top + part.height)
        columns = slice(part.left - box.left, part.left - box.left + part.width)
        covered[rows, columns] |= _near_segment(start, end, radius, part)
    return Area(box, covered)


def brush_cost(points: Sequence[Point], radius: float) -> float:
    """Pixels that `draw_brush` looks at, about."""
    reach = 2 * max(radius, MIN_RADIUS) + 1
    total = reach**2
    for (x, y), (next_x, next_y) in pairwise(points):
        total += (reach + abs(next_x - x)) * (reach + abs(next_y - y))
    return total


def draw_polygon(points: Sequence[Point], size: tuple[int, int]) -> Area:
    """The pixels inside the polygon through `points` and on its outline, as PIL draws it."""
    box = _bounds(points, 0, size)
    image = Image.new("1", (box.width, box.height))
    corners = [(math.floor(x) - box.left, math.floor(y) - box.top) for x, y in points]
    ImageDraw.Draw(image).polygon(corners, fill=1, outline=1)
    return Area(box, np.asarray(image, bool))


def _bounds(points: Sequence[Point], radius: float, size: tuple[int, int]) -> Box:
    """The window that holds all pixels within `radius` of the points, at least one pixel."""
    height, width = size
    xs = [x for x, _ in points]
    ys = [y for _, y in points]
    top = min(max(math.floor(min(ys) - radius), 0), height - 1)
    left = min(max(math.floor(min(xs) - radius), 0), width - 1)
    bottom = min(max(math.floor(max(ys) + radius) + 1, top + 1), height)
    right = min(max(math.floor(max(xs) + radius) + 1, left + 1), width)
    return Box(top, left, bottom - top, right - left)


def _near_segment(start: Point, end: Point, radius: float, box: Box) -> NDArray[np.bool_]:
    rows = np.arange(box.top, box.top + box.height)[:, None] + 0.5  # (h, 1)
    columns = np.arange(box.left, box.left + box.width)[None] + 0.5  # (1, w)
    along_x = end[0] - start[0]
    along_y = end[1] - start[1]
    length = along_x**2 + along_y**2
    share = np.zeros((1, 1))
    if length:
        share = ((columns - start[0]) * along_x + (rows - start[1]) * along_y) / length
        share = share.clip(0, 1)
    near: NDArray[np.bool_] = (columns - start[0] - share * along_x) ** 2 + (
        rows - start[1] - share * along_y
    ) ** 2 <= radius**2
    return np.broadcast_to(near, (box.height, box.width))
