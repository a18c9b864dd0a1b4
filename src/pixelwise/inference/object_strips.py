"""The objects of a mask in strips of rows, as `ObjectSums` takes them: a strip sees as many rows
above and below as it needs to part and measure what lies in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID
from pixelwise.inference.object_masks import MaskFile
from pixelwise.inference.object_sums import Floats, Ids, label_strip
from pixelwise.inference.split_objects import PARTS, split_within
from pixelwise.inference.thin_objects import middle_lengths
from pixelwise.io.images import MAX_PIXELS, Array

ROWS = 512
# Rows that are seen above and below a strip: objects that are higher are not parted, and those
# that are thicker than a quarter of it have no exact length.
REACH = 512

Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class Strip:
    """Rows from `top` on: labels and ids (h, w), what tells neighbours apart where labels do not,
    and what pixels add to the length of thin objects.
    """

    top: int
    labels: Array
    ids: Ids
    keys: NDArray[np.int64] | None = None
    lengths: Floats | None = None


@dataclass(frozen=True)
class ObjectFinder:
    """classes, thin (256,): which labels are of objects, and which of these are measured along
    their middle line and never parted. split: whether the others are parted.
    """

    classes: Bits
    thin: Bits
    split: bool = False

    def strips(self, mask: MaskFile) -> Iterator[Strip]:
        """All rows, the same each time. A picture of up to MAX_PIXELS is parted as a whole."""
        is_whole = self.split and mask.height * mask.width <= MAX_PIXELS
        rows = mask.height if is_whole else ROWS
        for top in range(0, mask.height, rows):
            yield self._strip(mask, top, min(top + rows, mask.height))

    def _strip(self, mask: MaskFile, top: int, bottom: int) -> Strip:
        if not self.split and not self.thin.any():
            labels = mask.labels(top, bottom)
            return Strip(top, labels, label_strip(labels, self.classes))
        first = max(0, top - REACH)
        window = mask.labels(first, min(bottom + REACH, mask.height))
        own = slice(top - first, bottom - first)
        labels = window[own]
        lengths = self._measure_lengths(window, own) if self.thin.any() else None
        if not self.split:
            return Strip(top, labels, label_strip(labels, self.classes), None, lengths)
        tallest = max(REACH, bottom - top)
        ids = label_strip(window, self.classes & ~self.thin)
        parted, part_keys = split_within(ids, own, tallest)
        part_keys += first * mask.width * PARTS
        return Strip(top, labels, *self._join(labels, parted[own], part_keys), lengths)

    def _join(
        self, labels: Array, parted: Ids, part_keys: NDArray[np.int64]
    ) -> tuple[Ids, NDArray[np.int64]]:
        """Ids and keys of a strip: of parts, by theirs, and of connected pixels of a label."""
        is_part = parted > 0
        whole = label_strip(np.where(is_part, np.uint8(VOID), labels), self.classes)
        present = np.bincount(parted.ravel(), minlength=len(part_keys)) > 0
        present[0] = False
        numbers = np.cumsum(present) + int(whole.max(initial=0))
        ids = np.where(is_part, numbers[parted], whole).astype(np.int32)
        keys = np.where(is_part, part_keys[parted], -2 - labels.astype(np.int64))
        return ids, keys

    def _measure_lengths(self, window: Array, own: slice) -> Floats:
        lengths = np.full(window[own].shape, np.nan)
        for label in np.flatnonzero(self.thin):
            inside = window == label
            if inside[own].any():
                lengths[inside[own]] = middle_lengths(inside)[own][inside[own]]
        return lengths
