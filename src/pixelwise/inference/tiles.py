"""Images of any size in overlapping tiles, in bands of rows, with the logits of all tiles averaged.

Logits of a whole picture are large (21 classes at 100 megapixels: 8 GB), so they never exist at once: what is held is
one tile's height of rows, C x tile height x W floats.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.errors import ConfigError, ModelError
from pixelwise.inference.runners import Runner

MIN_TILE = 32


def positions(length: int, tile: int, overlap: float) -> list[int]:
    """Starts of tiles of `tile` pixels that cover [0, length), evenly spread, the last one ending at `length`.

    Neighbours share at least overlap * tile pixels, but stand at least one pixel apart. [0] when one tile is enough.
    """
    if length <= tile:
        return [0]
    span = length - tile
    step = max(1, tile - math.ceil(tile * overlap))
    gaps = math.ceil(span / step)
    return [index * span // gaps for index in range(gaps + 1)]


@dataclass(frozen=True)
class TilePlan:
    """Where the tiles of a height x width image lie. An image smaller than `tile` in a dimension is taken whole in it.

    Raises ConfigError for a tile below 32 pixels and for an overlap outside [0, 1).
    """

    height: int
    width: int
    tile: tuple[int, int]
    overlap: float

    def __post_init__(self) -> None:
        if min(self.tile) < MIN_TILE:
            raise ConfigError(
                f"tile {self.tile[0]} x {self.tile[1]} (height x width): each side must be at least {MIN_TILE}"
            )
        if not 0 <= self.overlap < 1:
            raise ConfigError(f"overlap {self.overlap}: choose a share of the tile from 0 to below 1, such as 0.25")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) that all tiles of this image have."""
        return min(self.tile[0], self.height), min(self.tile[1], self.width)

    @property
    def rows(self) -> list[int]:
        """First rows of the tiles, from the top."""
        return positions(self.height, self.tile[0], self.overlap)

    @property
    def columns(self) -> list[int]:
        """First columns of the tiles, from the left."""
        return positions(self.width, self.tile[1], self.overlap)


def stream(runner: Runner, rgb: NDArray[np.uint8], plan: TilePlan, *, batch: int = 1) -> Iterator[tuple[int, Tensor]]:
    """Yield (first row, logits (C, h, W) float32) for bands of rows that follow each other from the top to the bottom.

    `rgb` is (H, W, 3). A pixel's logits are the mean over all tiles that cover it. `batch` tiles run at a time.
    Raises ModelError when the runner's logits have another size than their tile.
    """
    rows, (height, _) = plan.rows, plan.size
    if len(rows) == len(plan.columns) == 1:
        yield 0, _run(runner, rgb, [(0, 0)], plan)[0]
        return
    down, across = _cover(rows, height, plan.height), _cover(plan.columns, plan.size[1], plan.width)
    total = torch.zeros(0)  # (C, tile height, W): sums over the tiles so far, of the rows from `top` on
    for top, following in pairwise([*rows, plan.height]):
        for left, logits in _tile_row(runner, rgb, top, plan, batch):
            if not total.numel():
                total = torch.zeros(len(logits), height, plan.width)
            total[:, :, left : left + logits.shape[-1]] += logits
        step = following - top
        yield top, total[:, :step] / (down[top:following, None] * across)
        if following < plan.height:
            total[:, : height - step] = total[:, step:].clone()
            total[:, height - step :] = 0


def _tile_row(
    runner: Runner, rgb: NDArray[np.uint8], top: int, plan: TilePlan, batch: int
) -> Iterator[tuple[int, Tensor]]:
    """(first column, logits (C, h, w)) of the tiles that start at row `top`."""
    columns = plan.columns
    for first in range(0, len(columns), batch):
        lefts = columns[first : first + batch]
        yield from zip(lefts, _run(runner, rgb, [(top, left) for left in lefts], plan), strict=True)


def _run(runner: Runner, rgb: NDArray[np.uint8], corners: list[tuple[int, int]], plan: TilePlan) -> Tensor:
    height, width = plan.size
    # stacking copies, which also makes the pixels of a read-only picture safe to hand to torch
    tiles = np.stack([rgb[top : top + height, left : left + width].transpose(2, 0, 1) for top, left in corners])
    logits = runner(torch.from_numpy(tiles))  # (N, C, h, w)
    if logits.ndim != 4 or len(logits) != len(tiles) or logits.shape[-2:] != (height, width):
        came = " x ".join(map(str, logits.shape))
        raise ModelError(
            f"the model gave {came} for {len(tiles)} image(s) of {height} x {width} pixels; it must give N x classes x "
            "height x width at the image's own size"
        )
    return logits


def _cover(starts: list[int], tile: int, length: int) -> Tensor:
    """How many of the tiles lie over each of `length` places, float32."""
    count = torch.zeros(length)
    for start in starts:
        count[start : start + tile] += 1
    return count
