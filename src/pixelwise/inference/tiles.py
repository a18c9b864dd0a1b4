"""Images of any size in overlapping tiles, in bands of rows, with the logits of all tiles averaged.

Logits of a whole picture are large (21 classes at 100 megapixels: 8 GB), so they never exist at once: what is held is
one tile's height of rows, C x tile height x W floats.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.errors import ConfigError, ModelError, unknown
from pixelwise.inference.runners import Runner

MIN_TILE = 32
STRIP = 16
"""Rows that are handed on at a time: what is computed of them is held beside the sums."""

WEIGHTS = ("uniform", "gaussian")


class Pixels(Protocol):
    """A picture that gives RGB (h, w, 3) uint8 for a window of rows and columns: an array, or a file read in parts."""

    def __getitem__(self, window: tuple[slice, slice], /) -> NDArray[np.uint8]: ...


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

    weights: `uniform`, every tile counts the same; or `gaussian`, a tile counts most in its middle, with a standard
    deviation of an eighth of its side (Isensee et al. 2021, "nnU-Net", supplement). Raises ConfigError for a tile below
    32 pixels, an overlap outside [0, 1), and other weights.
    """

    height: int
    width: int
    tile: tuple[int, int]
    overlap: float
    weights: str = "uniform"

    def __post_init__(self) -> None:
        if min(self.tile) < MIN_TILE:
            raise ConfigError(
                f"tile {self.tile[0]} x {self.tile[1]} (height x width): each side must be at least {MIN_TILE}"
            )
        if not 0 <= self.overlap < 1:
            raise ConfigError(f"overlap {self.overlap}: choose a share of the tile from 0 to below 1, such as 0.25")
        if self.weights not in WEIGHTS:
            raise unknown("weights", self.weights, WEIGHTS)

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

    def profile(self, side: int) -> Tensor:
        """How much a tile counts along one side of `side` pixels, float32; the other side's is multiplied with it."""
        if self.weights == "uniform":
            return torch.ones(side)
        places = torch.arange(side) - (side - 1) / 2
        return torch.exp(-0.5 * (places / (side / 8)) ** 2)

    def memory(self, classes: int) -> int:
        """Bytes that `stream` holds at most: the sums of one row of tiles, one tile's logits, and a strip of rows."""
        height, width = self.size
        strip = 3 * min(STRIP, height) * self.width  # the strip, and what is made of it
        return 4 * classes * (height * self.width + 2 * height * width + strip)


def stream(runner: Runner, rgb: Pixels, plan: TilePlan, *, batch: int = 1) -> Iterator[tuple[int, Tensor]]:
    """Yield (first row, logits (C, h, W) float32) for strips of rows that follow each other from top to bottom.

    `rgb` is (H, W, 3), an array or whatever gives one for a window. A pixel's logits are the mean, weighted by the
    plan, over all tiles that cover it. A strip is to be used before the next one is taken. `batch` tiles run at a time.
    Tiles of a picture that says where it is `valid` are left out where it is nowhere so. Raises ModelError when the
    runner's logits have another size than their tile.
    """
    rows, (height, width) = plan.rows, plan.size
    if len(rows) == len(plan.columns) == 1:
        yield 0, _run(runner, rgb, [(0, 0)], plan)[0]
        return
    down, across = plan.profile(height), plan.profile(width)
    below, beside = _cover(rows, down, plan.height), _cover(plan.columns, across, plan.width)
    weight = None if plan.weights == "uniform" else down[:, None] * across
    total = torch.zeros(0)  # (C, tile height, W): sums over the tiles so far, of the rows from `top` on
    for top, following in pairwise([*rows, plan.height]):
        for left, logits in _tile_row(runner, rgb, top, plan, batch):
            if not total.numel():
                total = torch.zeros(len(logits), height, plan.width)
            total[:, :, left : left + width] += logits if weight is None else logits * weight
        step = following - top
        for first in range(0, step, STRIP):
            strip = slice(first, min(first + STRIP, step))
            sums = total[:, strip] if total.numel() else torch.zeros(1, strip.stop - first, plan.width)
            yield top + first, sums / (below[top + strip.start : top + strip.stop, None] * beside)
        if total.numel() and following < plan.height:
            _move_up(total, step)


def _move_up(total: Tensor, step: int) -> None:
    """Rows from `step` on become the first ones, the rest zero; in place, piece by piece: nothing is doubled."""
    height = total.shape[1]
    for first in range(0, height - step, step):
        piece = min(step, height - step - first)
        total[:, first : first + piece] = total[:, first + step : first + step + piece]
    total[:, height - step :] = 0


def _tile_row(runner: Runner, rgb: Pixels, top: int, plan: TilePlan, batch: int) -> Iterator[tuple[int, Tensor]]:
    """(first column, logits (C, h, w)) of the tiles that start at row `top`."""
    height, width = plan.size
    valid = getattr(rgb, "valid", None)
    columns = [left for left in plan.columns if valid is None or valid(top, left, height, width).any()]
    for first in range(0, len(columns), batch):
        lefts = columns[first : first + batch]
        yield from zip(lefts, _run(runner, rgb, [(top, left) for left in lefts], plan), strict=True)


def _run(runner: Runner, rgb: Pixels, corners: list[tuple[int, int]], plan: TilePlan) -> Tensor:
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


def _cover(starts: list[int], profile: Tensor, length: int) -> Tensor:
    """The weights of all tiles that lie over each of `length` places, added up, float32."""
    total = torch.zeros(length)
    for start in starts:
        total[start : start + len(profile)] += profile
    return total
