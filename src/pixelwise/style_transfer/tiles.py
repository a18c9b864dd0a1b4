"""Tiles of an image with their surroundings, so that a network's features of each are those of the
whole image.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

# Coarsest stride of a VGG up to its last style layer: tiles begin at multiples of it.
ALIGN = 16


@dataclass(frozen=True)
class Tile:
    """A part of the image, and the part of it with its surroundings that the network is shown."""

    rows: slice
    columns: slice
    shown_rows: slice
    shown_columns: slice

    def crop(self, image: Tensor) -> Tensor:
        """What the network is shown."""
        return image[..., self.shown_rows, self.shown_columns]

    def trim(self, features: Tensor, stride: int) -> Tensor:
        """The part of the features that stands for the tile itself."""
        height, width = features.shape[-2:]
        rows = _inner_slice(self.rows, self.shown_rows, stride, height)
        columns = _inner_slice(self.columns, self.shown_columns, stride, width)
        return features[..., rows, columns]


def split_into_tiles(height: int, width: int, tile: int | None, halo: int) -> Iterator[Tile]:
    """Tiles of `tile` pixels a side, each shown with `halo` more on every side as far as there are
    some; without `tile` one of the whole.
    """
    for rows, shown_rows in _spans(height, tile, halo):
        for columns, shown_columns in _spans(width, tile, halo):
            yield Tile(rows, columns, shown_rows, shown_columns)


def _inner_slice(inner: slice, shown: slice, stride: int, length: int) -> slice:
    """Of `length` features of the shown pixels, those of the inner ones. At the image's end they go
    up to the last, which may stand for less than a stride.
    """
    start = (inner.start - shown.start) // stride
    stop = length if inner.stop == shown.stop else (inner.stop - shown.start) // stride
    return slice(start, stop)


def _spans(length: int, tile: int | None, halo: int) -> Iterator[tuple[slice, slice]]:
    step = length if tile is None else tile
    # a rest too thin to have features of its own is no tile
    starts = [start for start in range(0, length, step) if start == 0 or length - start >= ALIGN]
    for start, stop in pairwise([*starts, length]):
        yield slice(start, stop), slice(max(0, start - halo), min(length, stop + halo))
