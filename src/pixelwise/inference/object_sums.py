"""Sums over connected objects, strip by strip: from them follow area, place, shape and outline.

An object is pixels of one class that touch by sides or corners. A strip is some rows of a picture;
an object that crosses strips is one, and of each only its sums are held.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
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
    # Pillow counts bytes as they are, ten times as fast as NumPy, which widens them
    for label in np.flatnonzero(Image.fromarray(labels).histogram()):
        if not classes[label]:
            continue
        own, own_count = ndimage.label(labels == label, _TOUCHING)
        if count:
            np.add(own, count, out=ids, where=own > 0)
        else:
            ids = own
        count += own_count
    return ids


def _find_runs(
    ids: Ids,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], Floats]:
    """Pixels of one object beside each other in a row: its id, row, first column, and how many."""
    width = ids.shape[1]
    starts = np.ones(ids.shape, bool)
    np.not_equal(ids[:, 1:], ids[:, :-1], out=starts[:, 1:])
    first = np.flatnonzero(starts)
    lengths = np.diff(first, append=ids.size).astype(np.float64)
    own = ids.ravel()[first]
    is_object = own > 0
    rows, columns = np.divmod(first[is_object], width)
    return own[is_object], rows, columns, lengths[is_object]


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
        keys = labels.astype(np.int16) if keys is None else keys
        count = int(ids.max(initial=0))
        others = (confidence, areas, lengths)
        strip = self._measure(labels, ids, count, others)
        outside = np.full(self.width, _OUTSIDE, keys.dtype)
        above = self._last or (outside, np.zeros(self.width, np.int32))
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
        own, rows, columns, lengths = _find_runs(ids)
        rows_in_picture = rows + float(self._top)
        # sums of the columns of a run, and of their squares
        column_sums = lengths * (columns + (lengths - 1) / 2)
        square_sums = lengths * (
            columns * (columns + lengths - 1) + (lengths - 1) * (2 * lengths - 1) / 6
        )
        weights = [
            lengths,
            lengths * rows_in_picture,
            column_sums,
            lengths * rows_in_picture**2,
            square_sums,
            rows_in_picture * column_sums,
        ]
        sums = [np.bincount(own, weight, count + 1) for weight in weights]
        inside = None if all(values is None for values in others) else np.nonzero(ids)
        for values in others:
            if values is None or inside is None:
                sums.append(np.full(count + 1, np.nan))
            else:
                sums.append(np.bincount(ids[inside], values[inside], count + 1))
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
        return _Strip(label, np.stack(sums).astype(np.float64), box, np.zeros(count + 1))

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
        keys = np.pad(keys, ((0, 0), (1, 1)), constant_values=_OUTSIDE)
        ids = np.pad(ids, ((0, 0), (1, 1)))
        height, width = keys.shape
        for (down, right), spacing in zip(_STEPS, _SPACING, strict=True):
            # pairs of the first row alone were counted with its own strip
            first = 0 if down else 1
            left = max(0, -right)
            beside = max(0, right)
            wide = width - abs(right)
            differ = (
                keys[first : height - down, left : left + wide]
                != keys[first + down :, beside : beside + wide]
            )
            rows, columns = np.divmod(np.flatnonzero(differ), wide)
            rows += first
            own = ids[rows, columns + left]
            self._count(self._strips[-1], own[rows > 0], spacing)
            self._count(self._strips[-1], ids[rows + down, columns + beside], spacing)
            if len(self._strips) > 1:
                self._count(self._strips[-2], own[rows == 0], spacing)

    @staticmethod
    def _count(strip: _Strip, ids: Ids, spacing: float) -> None:
        strip.crossings += spacing * np.bincount(ids, minlength=len(strip.crossings))

    def finish(self) -> tuple[Objects, Iterator[NDArray[np.int64]]]:
        """The figures of all objects, in the order of their first pixels' strips; and for each
        strip, which object (from 1) its ids are of.
        """
        if self._last is not None:
            keys, ids = self._last
            outside = np.full((1, self.width), _OUTSIDE, keys.dtype)
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
