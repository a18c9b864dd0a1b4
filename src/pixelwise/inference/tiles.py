"""Images of any size in overlapping tiles, in bands of rows, with the logits of all tiles averaged.

Logits of a whole picture are large (21 classes at 100 megapixels: 8 GB), so they never exist at once: what is held is
one tile's height of rows, C x tile height x W floats.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from threading import BoundedSemaphore
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ConfigError, ModelError, unknown
from pixelwise.inference.parallel import WORKERS, ahead
from pixelwise.inference.runners import Logits, Runner

MIN_TILE = 32
STRIP = 16
"""Rows that are handed on at a time: what is computed of them is held beside the sums."""

WEIGHTS = ("uniform", "gaussian")


_TURNS = BoundedSemaphore(WORKERS)
"""For the tiles of all images in work together: each image would run as many of its own beside the others'."""


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

    def profile(self, side: int) -> NDArray[np.float32]:
        """How much a tile counts along one side of `side` pixels, float32; the other side's is multiplied with it."""
        if self.weights == "uniform":
            return np.ones(side, np.float32)
        places = np.arange(side) - (side - 1) / 2
        bell: NDArray[np.float32] = np.exp(-0.5 * (places / (side / 8)) ** 2).astype(np.float32)
        return bell

    def memory(self, classes: int, *, copies: float = 1) -> int:
        """Bytes that `stream` holds at most: the sums of one row of tiles, the logits of the tiles in work, a strip.

        copies: how often a tile's logits are held while it runs (`copies_held`).
        """
        height, width = self.size
        strip = 3 * min(STRIP, height) * self.width  # the strip, and what is made of it
        return round(4 * classes * (height * self.width + (WORKERS * copies + 2) * height * width + strip))


def stream(runner: Runner, rgb: Pixels, plan: TilePlan) -> Iterator[tuple[int, Logits]]:
    """Yield (first row, logits (C, h, w) float32) for strips of rows that follow each other from top to bottom.

    `rgb` is (H, W, 3), an array or whatever gives one for a window. A pixel's logits are the mean, weighted by the
    plan, over all tiles that cover it, added in the tiles' order. WORKERS tiles run, of all pictures in work together,
    while strips are used. Tiles of a
    picture that says where it is `valid` are left out where it is nowhere so. Raises ModelError when the runner's
    logits have another size than their tile.
    """
    rows, (height, width) = plan.rows, plan.size
    if len(rows) == len(plan.columns) == 1:
        yield 0, _run(runner, _window(rgb, 0, 0, plan), plan)
        return
    down, across = plan.profile(height), plan.profile(width)
    below, beside = _cover(rows, down, plan.height), _cover(plan.columns, across, plan.width)
    weight = None if plan.weights == "uniform" else down[:, None] * across
    total: Logits = np.zeros((1, height, plan.width), np.float32)  # sums of the rows from `top` on
    tiles = ahead(lambda tile: (*tile[:2], _run(runner, tile[2], plan)), _tiles(rgb, plan))
    tile = next(tiles, None)
    for top, following in pairwise([*rows, plan.height]):
        while tile is not None and tile[0] == top:
            _, left, logits = tile
            if len(total) != len(logits):
                total = np.zeros((len(logits), height, plan.width), np.float32)
            total[:, :, left : left + width] += logits if weight is None else logits * weight
            tile = next(tiles, None)
        for first in range(0, following - top, STRIP):
            strip = slice(first, min(first + STRIP, following - top))
            yield top + first, total[:, strip] / (below[top + strip.start : top + strip.stop, None] * beside)
        if following < plan.height:
            _move_up(total, following - top)


def _move_up(total: Logits, step: int) -> None:
    """Rows from `step` on become the first ones, the rest zero; in place, piece by piece: nothing is doubled."""
    height = total.shape[1]
    for first in range(0, height - step, step):
        piece = min(step, height - step - first)
        total[:, first : first + piece] = total[:, first + step : first + step + piece]
    total[:, height - step :] = 0


def _tiles(rgb: Pixels, plan: TilePlan) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """(first row, first column, pixels (1, 3, h, w)) of the tiles that are somewhere valid, row by row."""
    height, width = plan.size
    valid = getattr(rgb, "valid", None)
    for top in plan.rows:
        for left in plan.columns:
            if valid is None or valid(top, left, height, width).any():
                yield top, left, _window(rgb, top, left, plan)


def _window(rgb: Pixels, top: int, left: int, plan: TilePlan) -> NDArray[np.uint8]:
    height, width = plan.size
    return np.ascontiguousarray(rgb[top : top + height, left : left + width].transpose(2, 0, 1))[None]


def _run(runner: Runner, tile: NDArray[np.uint8], plan: TilePlan) -> Logits:
    """The logits (C, h, w) of the only image of `tile`."""
    with _TURNS:
        logits = runner(tile)
    height, width = plan.size
    if logits.ndim != 4 or len(logits) != 1 or logits.shape[-2:] != (height, width):
        came = " x ".join(map(str, logits.shape))
        raise ModelError(
            f"the model gave {came} for an image of {height} x {width} pixels; it must give 1 x classes x height x "
            "width at the image's own size"
        )
    only: Logits = logits[0]
    return only


def _cover(starts: list[int], profile: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """The weights of all tiles that lie over each of `length` places, added up."""
    total = np.zeros(length, np.float32)
    for start in starts:
        total[start : start + len(profile)] += profile
    return total
