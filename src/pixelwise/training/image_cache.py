"""Decoded images and masks, kept between epochs in memory that all of a loader's workers share."""

import mmap
from collections.abc import Callable, Sequence

import numpy as np

from pixelwise.io.images import Array

Decode = Callable[[], tuple[Array, Array]]


class ImageCache:
    """The first pairs of an image and its labels, of `sizes` (height, width), as many as fit into
    `budget` bytes.

    A pair is decoded by the worker that first needs it and copied from then on: the same bytes. The
    memory is taken page by page as it is filled. Workers that are not forked have a cache of their
    own, which holds nothing.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], budget: int, *, channels: int = 3) -> None:
        self.sizes = tuple(sizes)
        self.channels = channels
        ends = np.cumsum([(channels + 1) * height * width for height, width in sizes])
        self.capacity = int(np.searchsorted(ends, budget, side="right"))
        self._starts = [0, *ends[: self.capacity].tolist()]
        self._open()

    @property
    def bytes(self) -> int:
        """Memory of the pairs once all of them are decoded."""
        return int(self._starts[-1])

    def pair(self, index: int, decode: Decode) -> tuple[Array, Array]:
        """Pixels (H, W, channels) and labels (H, W), uint8, of the pair `index`; `decode` is called
        the first time.
        """
        if index >= self.capacity:
            return decode()
        height, width = self.sizes[index]
        start = self._starts[index]
        end = self._starts[index + 1]
        shape = (height, width, self.channels)
        memory = self._memory[start:end].reshape(height, width, -1)  # pixels, and labels behind
        if not self._is_filled[index]:
            pixels, labels = decode()
            # The file may have been replaced since its size was read.
            if labels.shape != (height, width) or pixels.shape != shape:
                return pixels, labels
            memory[..., :-1] = pixels
            memory[..., -1] = labels
            self._is_filled[index] = 1
        # Copies: what augmentation changes in place would else reach every worker.
        return memory[..., :-1].copy(), memory[..., -1].copy()

    def _open(self) -> None:
        total = self.bytes
        shared = mmap.mmap(-1, total + self.capacity + 1)  # all zero; a length of 0 is not allowed
        memory = np.frombuffer(shared, np.uint8)
        self._memory = memory[:total]
        self._is_filled = memory[total : total + self.capacity]

    def __getstate__(self) -> dict[str, object]:
        return {"sizes": self.sizes, "channels": self.channels, "capacity": 0, "_starts": [0]}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._open()
