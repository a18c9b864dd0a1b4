"""Sums over connected objects, strip by strip: from them follow area, place, shape and outline.

An object is pixels of one class that touch by sides or corners. A strip is some rows of a picture;
an object that crosses strips is one, and of each only its sums are held.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ids = NDArray[np.int32]
Keys = NDArray[np.integer]
Floats = NDArray[np.float64]

_TOUCHING = np.ones((3, 3), bool)  # by sides and corners
# What lies beside a picture: no class.
_OUTSIDE = -1
# Steps to the half of a pixel's neighbours that come after it.
_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
# Crofton's formula: distance of parallel lines, by step; pi / 8 for four directions.
_SPACING = (1.0, 1.0, np.sqrt(0.5), np.sqrt(0.5))


@dataclass(frozen=True)
class Objects:
    """Figures of N objects, each (N,); lengths in pixels."""

    label: NDArray[np.int64]
    pixels: NDArray[np.int64]
    row: Floats
    """Centroid, 0 in the middle of the first row."""
    column: Floats
    box: NDArray[np.int64]
    """(N, 4) top, left, bottom, right; the last two are beyond the object."""
    perimeter: Floats
    """By Crofton's formula in four directions: a circle's is exact, a square's 5 % too short."""
    major_axis: Floats
    """Of the ellipse with the same second moments, as minor_axis."""
    minor_axis: Floats
    orientation: Floats
    """Of the major axis in degrees, -90 to 90, counter-clockwise from the rows' direction."""
    touches_border: NDArray[np.bool_]
    confidence: Floats
    """Mean, 0 to 1; NaN where none is known."""
    square_metres: Floats
    """NaN where pixels have no place on the earth."""
    length: Floats
    """Along the middle line; NaN where it was not measured."""

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass
class _Strip:
    """Sums of the objects of one strip, by its own ids from 1 (a column each, the first unused)."""

    label: NDArray[np.int64]
    sums: Floats
    """(9, n + 1): pixels, row, column, row², column², row column, confidence, square metres,
    length.
    """
    box: NDArray[np.int64]
    crossings: Floats
    """Boundaries that lines in four directions cross, times the lines' distance."""


def label_strip(labels: NDArray[np.uint8], classes: NDArray[np.bool_]) -> Ids:
    """Ids (h, w) from 1 of the objects in labels (h, w); 0 where `classes` (256,) says no."""
    ids = np.zeros(labels.shape, np.int32)
    count = 0
    for label in np.flatnonzero(np.bincount(labels.ravel(), minlength=256)):
        if not classes[label]:
            continue
        own, own_count = ndimage.label(labels == label, _TOUCHING)
        ids[own > 0] = own[own > 0] + count
        count += own_count
    return ids


@dataclass
class ObjectSums:
    """Takes the strips of a picture of `width` pixels from its top on; then `finish`."""

    width: int
    height: int
    _strips: list[_Strip] = field(default_factory=list)
    _edges: list[NDArray[np.int64]] = field(default_factory=list)
    _bases: list[int] = field(default_factory=lambda: [0])
    _last: tuple[Keys, Ids] | None = None
    _top: int = 0

    def add(
        self,
        labels: NDArray[np.uint8],
        ids: Ids,
        *,
        confidence: NDArray[np.uint8] | None = None,
        areas: Floats | None = None,
        keys: Keys | None = None,
        lengths: Floats | None = None,
    ) -> None:
        """The next strip: labels (h, w), ids as of `label_strip`, confidence (255 is sure), square
        metres and length of its pixels. keys: what tells neighbours apart where labels do not.
        """
        keys = labels if keys is None else keys
        count = int(ids.max(initial=0))
        others = (confidence, areas, lengths)
        strip = self._measure(labels, ids, count, others)
        above = self._last or (np.full(self.width, _OUTSIDE), np.zeros(self.width, np.int32))
        self._join(above, keys[0], ids[0])
        self._strips.append(strip)
        self._bases.append(self._bases[-1] + count)
        self._cross(np.vstack([above[0], keys]), np.vstack([above[1], ids]))
        self._last = (keys[-1].copy(), ids[-1].copy())
        self._top += len(labels)

    def _measure(
        self,
        labels: NDArray[np.uint8],
        ids: Ids,
        count: int,
        others: tuple[NDArray[Any] | None, ...],
    ) -> _Strip:
        rows, columns = np.nonzero(ids)
        own = ids[rows, columns]
        rows_in_picture = rows + float(self._top)
        weights = [
            np.ones(len(own)),
            rows_in_picture,
            columns.astype(float),
            rows_in_picture**2,
            columns.astype(float) ** 2,
            rows_in_picture * columns,
        ]
        for values in others:
            unknown = np.full(len(own), np.nan)
            weights.append(unknown if values is None else values[rows, columns])
        sums = np.stack([np.bincount(own, weight, count + 1) for weight in weights])
        label = np.zeros(count + 1, np.int64)
        label[own] = labels[rows, columns]
        box: NDArray[np.int64] = np.zeros((count + 1, 4), np.int64)
        for number, place in enumerate(ndimage.find_objects(ids), 1):
            down, across = place
            box[number] = (
                down.start + self._top,
                across.start,
                down.stop + self._top,
                across.stop,
            )
        return _Strip(label, np.asarray(sums, np.float64), box, np.zeros(count + 1))

    def _join(self, above: tuple[Keys, Ids], keys: Keys, ids: Ids) -> None:
        """Note which objects of the last strip go on in this one, by the rows at their border."""
        keys_above, ids_above = above
        if len(self._bases) < 2:
            return
        for shift in (-1, 0, 1):
            upper = slice(max(0, shift), self.width + min(0, shift))
            lower = slice(max(0, -shift), self.width + min(0, -shift))
            same = (keys_above[upper] == keys[lower]) & (ids_above[upper] > 0)
            pairs = np.stack(
                [
                    ids_above[upper][same] + np.int64(self._bases[-2]),
                    ids[lower][same] + np.int64(self._bases[-1]),
                ]
            )
            self._edges.append(np.unique(pairs, axis=1))

    def _cross(self, keys: Keys, ids: Ids) -> None:
        """Count the boundaries between pixels of a strip, (h, w), whose first row is the last of
        the strip above.
        """
        keys = np.pad(keys.astype(np.int64), ((0, 0), (1, 1)), constant_values=_OUTSIDE)
        ids = np.pad(ids, ((0, 0), (1, 1)))
        height, width = keys.shape
        for (down, right), spacing in zip(_STEPS, _SPACING, strict=True):
            # pairs of the first row alone were counted with its own strip
            first = 0 if down else 1
            rows = slice(first, height - down)
            others = slice(first + down, height)
            columns = slice(max(0, -right), width - max(0, right))
            beside = slice(max(0, right), width + min(0, right))
            differ = keys[rows, columns] != keys[others, beside]
            self._add_crossings(ids[rows, columns], differ, spacing, rows_above=bool(down))
            self._add_crossings(ids[others, beside], differ, spacing, rows_above=False)

    def _add_crossings(
        self, ids: Ids, differ: NDArray[np.bool_], spacing: float, *, rows_above: bool
    ) -> None:
        if rows_above and len(self._strips) > 1:
            self._count(self._strips[-2], ids[:1][differ[:1]], spacing)
        if rows_above:
            ids = ids[1:]
            differ = differ[1:]
        self._count(self._strips[-1], ids[differ], spacing)

    @staticmethod
    def _count(strip: _Strip, ids: Ids, spacing: float) -> None:
        strip.crossings += spacing * np.bincount(ids, minlength=len(strip.crossings))

    def finish(self) -> tuple[Objects, Iterator[NDArray[np.int64]]]:
        """The figures of all objects, in the order of their first pixels' strips; and for each
        strip, which object (from 1) its ids are of.
        """
        if self._last is not None:
            outside = np.full((1, self.width), _OUTSIDE)
            keys, ids = self._last
            self._strips.append(_Strip(*_no_objects()))
            self._cross(
                np.vstack([keys, *outside]), np.vstack([ids, np.zeros(self.width, np.int32)])
            )
            self._strips.pop()
        total = self._bases[-1]
        edges = np.concatenate([np.zeros((2, 0), np.int64), *self._edges], axis=1) - 1
        graph = coo_array((np.ones(edges.shape[1], np.int8), tuple(edges)), (total, total))
        _, groups = connected_components(graph, directed=False)
        _, first, numbers = np.unique(groups, return_index=True, return_inverse=True)
        order = np.argsort(np.argsort(first))
        numbers = order[numbers].astype(np.int64)
        objects = self._combine(numbers, len(first))
        parts = (
            np.concatenate([[0], 1 + numbers[start:end]])
            for start, end in zip(self._bases, self._bases[1:], strict=False)
        )
        return objects, parts

    def _combine(self, numbers: NDArray[np.int64], count: int) -> Objects:
        """Figures from the strips' sums; numbers: the object of each id, strip after strip."""
        strips = self._strips or [_Strip(*_no_objects())]
        sums = np.concatenate([strip.sums[:, 1:] for strip in strips], axis=1)
        sums = np.stack([np.bincount(numbers, row, count) for row in sums])
        crossings = np.concatenate([strip.crossings[1:] for strip in strips])
        label = np.zeros(count, np.int64)
        label[numbers] = np.concatenate([strip.label[1:] for strip in strips])
        boxes = np.concatenate([strip.box[1:] for strip in strips])
        box = np.zeros((count, 4), np.int64)
        box[:, :2] = np.iinfo(np.int64).max
        np.minimum.at(box[:, 0], numbers, boxes[:, 0])
        np.minimum.at(box[:, 1], numbers, boxes[:, 1])
        np.maximum.at(box[:, 2], numbers, boxes[:, 2])
        np.maximum.at(box[:, 3], numbers, boxes[:, 3])
        pixels, row, column, row2, column2, product, confidence, areas, length = sums
        row = row / pixels
        column = column / pixels
        # a pixel is a square: its own second moment is a twelfth
        down = row2 / pixels - row**2 + 1 / 12
        across = column2 / pixels - column**2 + 1 / 12
        mixed = product / pixels - row * column
        root = np.sqrt(((across - down) / 2) ** 2 + mixed**2)
        middle = (across + down) / 2
        border = box == [0, 0, self.height, self.width]
        return Objects(
            label,
            pixels.astype(np.int64),
            row,
            column,
            box,
            np.asarray(np.pi / 8 * np.bincount(numbers, crossings, count), np.float64),
            4 * np.sqrt(middle + root),
            4 * np.sqrt(np.maximum(0, middle - root)),
            # rows count downwards, angles upwards
            np.degrees(np.arctan2(-2 * mixed, across - down) / 2),
            border.any(1),
            confidence / pixels / 255,
            areas,
            length,
        )


def _no_objects() -> tuple[NDArray[np.int64], Floats, NDArray[np.int64], Floats]:
    return np.zeros(1, np.int64), np.zeros((9, 1)), np.zeros((1, 4), np.int64), np.zeros(1)
