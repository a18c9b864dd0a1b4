"""Decoded images and masks, kept between epochs in memory that all of a loader's workers share."""

import mmap
from collections.abc import Callable, Sequence

import numpy as np

from pixelwise.io.images import Array

Decode = Callable[[], tuple[Array, Array]]


class Decoded:
    """As many pairs of an image and its labels, of `sizes` (height, width), as `budget` bytes hold,
    the first ones.

    Each is decoded when it is first asked for, by whichever worker, and copied from then on: the
    same bytes. The memory is taken page by page as it is filled. Workers that are not forked have a
    memory of their own, which holds nothing.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], budget: int) -> None:
        self.sizes = tuple(sizes)
        ends = np.cumsum([4 * height * width for height, width in sizes])
        self.kept = int(np.searchsorted(ends, budget, side="right"))
        self._starts = [0, *ends[: self.kept].tolist()]
        self._open()

    @property
    def bytes(self) -> int:
        """What the pairs take when all of them have been asked for."""
        return int(self._starts[-1])

    def pair(self, index: int, decode: Decode) -> tuple[Array, Array]:
        """RGB (H, W, 3) and labels (H, W), uint8, of a number in `sizes`; `decode` gives them the
        first time.
        """
        if index >= self.kept:
            return decode()
        height, width = self.sizes[index]
        place = self._memory[self._starts[index] : self._starts[index + 1]].reshape(
            height, width, 4
        )
        if not self._there[index]:
            rgb, labels = decode()
            if labels.shape != (height, width) or rgb.shape != (
                height,
                width,
                3,
            ):  # the file was replaced meanwhile
                return rgb, labels
            place[..., :3] = rgb
            place[..., 3] = labels
            self._there[index] = 1
        return place[..., :3].copy(), place[..., 3].copy()

    def _open(self) -> None:
        total = self.bytes
        memory = np.frombuffer(
            mmap.mmap(-1, total + self.kept + 1), np.uint8
        )  # all zero; an empty one cannot be
        self._memory = memory[:total]
        self._there = memory[total : total + self.kept]

    def __getstate__(self) -> dict[str, object]:
        return {"sizes": self.sizes, "kept": 0, "_starts": [0]}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._open()
