"""Images of any size in overlapping tiles, with the logits of all tiles averaged.

Logits of a whole picture are large (21 classes at 100 megapixels: 8 GB), so they never exist at
once: what is held is the tiles in work, and of the rows that the next row of tiles shares, C x
overlap x W floats.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from threading import BoundedSemaphore
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ConfigError, ModelError, unknown_choice_error
from pixelwise.inference.threads import CALLS, WORKERS, map_ordered
from pixelwise.inference.tta import Logits, Runner, specialize_for_shape

MIN_TILE = 32
TILE = (1024, 1024)
WEIGHTS = ("linear", "gaussian", "uniform")

# Share of a tile: 64 pixels of 1024, twice what an edge spoils on either side. With twice as much
# the labels are no nearer to the whole picture's, and with half as much they change across the
# edges of tiles half as often again as elsewhere (benchmarks/results/large_image.md).
OVERLAP = 0.0625

# Tiles of a picture from which on a runner prepares itself for their shape, which takes as long as
# some of them.
STEADY = 16

# For the tiles of all images in work together: each image would run as many of its own beside the
# others'.
_TURNS = BoundedSemaphore(WORKERS)


# First row, first column, logits (C, h, w) float32.
Piece = tuple[int, int, Logits]


class Pixels(Protocol):
    """A picture that gives RGB (h, w, 3) uint8 for a window of rows and columns: an array, or a
    file read in parts.
    """

    def __getitem__(self, window: tuple[slice, slice], /) -> NDArray[np.uint8]: ...


def positions(length: int, tile: int, overlap: float) -> list[int]:
    """Starts of tiles of `tile` pixels that cover [0, length), evenly spread, the last one ending
    at `length`.

    Neighbours share at least overlap * tile pixels, but stand at least one pixel apart. [0] when
    one tile is enough.
    """
    if length <= tile:
        return [0]
    span = length - tile
    step = max(1, tile - math.ceil(tile * overlap))
    gaps = math.ceil(span / step)
    return [index * span // gaps for index in range(gaps + 1)]


def side(length: int, tile: int, overlap: float) -> int:
    """The pixels, at most `tile`, of tiles that cover [0, length) in as few as tiles of `tile` do,
    with that overlap.

    What tiles share beyond the overlap is computed twice for nothing: they are made smaller by
    steps of 32, down to three quarters of `tile`.
    """
    if length <= tile:
        return length
    count = len(positions(length, tile, overlap))
    lowest = math.ceil(0.75 * tile / MIN_TILE) * MIN_TILE
    return next(
        (s for s in range(lowest, tile, MIN_TILE) if len(positions(length, s, overlap)) == count),
        tile,
    )


@dataclass(frozen=True)
class TilePlan:
    """Where the tiles of a height x width image lie. An image smaller than `tile` in a dimension is
    taken whole in it.

    tile: (height, width) at most; see `side`. exact: tiles of a network of fixed size, which are
    never made smaller.

    weights: `linear`, a tile counts less and less from where another one begins to its own edge;
    `gaussian`, most in its middle, with a standard deviation of an eighth of its side (Isensee et
    al. 2021, "nnU-Net", supplement); or `uniform`, the same everywhere. Raises ConfigError for a
    tile below 32 pixels, an overlap outside [0, 1), and other weights.
    """

    height: int
    width: int
    tile: tuple[int, int]
    overlap: float
    weights: str = "uniform"
    exact: bool = False

    def __post_init__(self) -> None:
        if min(self.tile) < MIN_TILE:
            raise ConfigError(
                f"tile {self.tile[0]} x {self.tile[1]} (height x width): each side must be at "
                f"least {MIN_TILE}"
            )
        if not 0 <= self.overlap < 1:
            raise ConfigError(
                f"overlap {self.overlap}: choose a share of the tile from 0 to below 1, such "
                "as 0.25"
            )
        if self.weights not in WEIGHTS:
            raise unknown_choice_error("weights", self.weights, WEIGHTS)

    @cached_property
    def size(self) -> tuple[int, int]:
        """(height, width) that all tiles of this image have."""
        if self.exact:
            return min(self.height, self.tile[0]), min(self.width, self.tile[1])
        return side(self.height, self.tile[0], self.overlap), side(
            self.width,
            self.tile[1],
            self.overlap,
        )

    @property
    def rows(self) -> list[int]:
        """First rows of the tiles, from the top."""
        return positions(self.height, self.size[0], self.overlap)

    @property
    def edges(self) -> list[int]:
        """`rows`, and where the picture ends."""
        return [*self.rows, self.height]

    @property
    def columns(self) -> list[int]:
        """First columns of the tiles, from the left."""
        return positions(self.width, self.size[1], self.overlap)

    def profile(self, side: int) -> NDArray[np.float32]:
        """How much a tile counts along one side of `side` pixels, float32; the other side's is
        multiplied with it.
        """
        if self.weights == "uniform":
            return np.ones(side, np.float32)
        places = np.arange(side) - (side - 1) / 2
        if self.weights == "linear":
            weights = np.minimum(
                ((side + 1) / 2 - np.abs(places)) / (math.ceil(side * self.overlap) + 1), 1
            )
        else:
            weights = np.exp(-0.5 * (places / (side / 8)) ** 2)
        profile: NDArray[np.float32] = weights.astype(np.float32)
        return profile

    @property
    def shared(self) -> int:
        """Rows that two neighbouring rows of tiles share, at most."""
        return max(
            (self.size[0] - (below - above) for above, below in pairwise(self.rows)), default=0
        )

    def memory(self, classes: int, *, copies: float = 1, row_bytes: int = 0) -> int:
        """Bytes that `stream` holds at most: sums of the shared rows, logits of the tiles in work.

        copies: how often a tile's logits are held while it runs (`peak_copies`). row_bytes: bytes a
        pixel that are held beside, by whoever takes the pieces, for a row of them.
        """
        height, width = self.size
        tiles = WORKERS * copies + 3  # in work; waiting, summed, and handed on
        sums = 4 * classes * (self.shared * self.width + tiles * height * width)
        return round(sums + row_bytes * height * self.width)


@dataclass(frozen=True)
class RowChunk:
    """The `number`th, from 0, of so many parts of a picture, each of some rows of tiles, that are
    labelled apart.
    """

    number: int
    of: int

    def name(self, stem: str) -> str:
        """The file of its labels, of a picture of that stem."""
        return f"{stem}.{self.number}-{self.of}.tif"

    def rows(self, plan: TilePlan) -> range:
        """Its rows of tiles; none where there are fewer of these than chunks."""
        first, last = (
            number * len(plan.rows) // self.of for number in (self.number, self.number + 1)
        )
        return range(first, last)


def stream(
    runner: Runner,
    rgb: Pixels,
    plan: TilePlan,
    chunk: RowChunk | None = None,
) -> Iterator[Piece]:
    """Yield (first row, first column, logits (C, h, w) float32) of pieces that together cover the
    picture once.

    There is one piece for each tile, row by row of tiles; those of one row are equally high. Of a
    `chunk` come its pieces alone, to the last bit those of the whole: tiles above that reach into
    it run too. `rgb` is (H, W, 3), an array or whatever gives one for a window. A pixel's logits
    are the mean, weighted by the plan, over all tiles that cover it, added in the tiles' order.
    WORKERS tiles run, of all pictures in work together, while pieces are used. Tiles of a picture
    that says where it is `valid` are left out where it is nowhere so. Raises ModelError when the
    runner's logits have another size than their tile.
    """
    rows = plan.rows
    columns = plan.columns
    height, width = plan.size
    chunk_rows = chunk.rows(plan) if chunk else range(len(rows))
    if len(rows) == len(columns) == 1 and chunk_rows:
        yield 0, 0, _run(runner, _window(rgb, 0, 0, plan), plan)
        return
    if len(rows) * len(columns) >= STEADY:
        runner = specialize_for_shape(runner)
    down = plan.profile(height)
    across = plan.profile(width)
    below = _cover(rows, down, plan.height)
    beside = _cover(columns, across, plan.width)
    first_top = rows[chunk_rows.start]
    # Tiles above the chunk that reach into it add to its sums.
    begin = next(row for row, top in enumerate(rows) if top + height > first_top)
    run_rows = slice(begin, chunk_rows.stop)
    tiles = map_ordered(
        lambda tile: None if tile is None else _run(runner, tile, plan),
        cut_tiles(rgb, plan, rows[run_rows]),
    )
    places = product(list(pairwise(plan.edges))[run_rows], pairwise([*columns, plan.width]))
    sums = _Sums(plan)
    with CALLS.expect_many():
        for ((top, bottom), (left, right)), tile in zip(places, tiles, strict=True):
            logits = sums.nothing() if tile is None else tile
            _scale(np.multiply, logits, down, across)
            piece = sums.add(logits, bottom - top, right - left)
            if top < first_top:
                continue
            _scale(np.divide, piece, below[top:bottom], beside[left:right])
            yield top, left, piece


class _Sums:
    """Weighted logits where more tiles will add to them: in the rows that the next row of tiles
    shares, and in the columns that the next tile shares.
    """

    def __init__(self, plan: TilePlan) -> None:
        self._size = plan.size
        self._end = plan.width
        self._left = 0
        self._rows = 0
        self._shared: Logits = np.zeros(
            (1, plan.shared, plan.width), np.float32
        )  # its first `_rows` rows hold sums
        self._carried: Logits = np.zeros((1, plan.size[0], 0), np.float32)

    def nothing(self) -> Logits:
        """Logits of a tile that is left out."""
        return np.zeros((len(self._shared), *self._size), np.float32)

    def add(self, logits: Logits, height: int, width: int) -> Logits:
        """Add to a tile, in place, what those above and to the left gave. Its part without later
        ones: (C, height, width), a view.
        """
        if len(logits) > len(self._shared):  # the first tile that is not left out
            self._shared = np.repeat(self._shared, len(logits), 0)
            self._carried = np.repeat(self._carried, len(logits), 0)
        tile_height, tile_width = self._size
        left = self._left
        known = self._carried.shape[2]
        logits[:, :, :known] += self._carried
        # The columns carried from the tile to the left hold the sums of the tiles above already.
        above = self._shared[:, : self._rows, left + known : left + tile_width]
        logits[:, : self._rows, known:] += above
        shared_rows = tile_height - height
        self._shared[:, :shared_rows, left : left + width] = logits[:, height:, :width]
        self._left = left + width
        self._carried = logits[:, :, width:].copy()
        if self._left == self._end:
            self._left = 0
            self._rows = shared_rows
        return logits[:, :height, :width]


def _scale(
    change: np.ufunc,
    logits: Logits,
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
) -> None:
    """Multiply or divide, in place, by a number for each row times one for each column: only where
    that is not one.
    """
    top, bottom = _ones(rows)
    left, right = _ones(columns)
    for edge in np.s_[:top], np.s_[bottom:]:
        change(logits[:, edge], rows[edge, None] * columns, out=logits[:, edge])
    for edge in np.s_[:left], np.s_[right:]:
        change(logits[:, top:bottom, edge], columns[edge], out=logits[:, top:bottom, edge])


def _ones(numbers: NDArray[np.float32]) -> tuple[int, int]:
    """Where ones begin and end, if all ones stand together; the end twice otherwise."""
    places = np.flatnonzero(numbers == 1)
    if len(places) and places[-1] - places[0] == len(places) - 1:
        return int(places[0]), int(places[-1]) + 1
    return len(numbers), len(numbers)


def cut_tiles(rgb: Pixels, plan: TilePlan, rows: list[int]) -> Iterator[NDArray[np.uint8] | None]:
    """Pixels (1, 3, h, w) of the tiles that begin at `rows`, row by row; None for one that is
    nowhere valid.
    """
    height, width = plan.size
    valid = getattr(rgb, "valid", None)
    for top in rows:
        for left in plan.columns:
            seen = valid is None or valid(top, left, height, width).any()
            yield _window(rgb, top, left, plan) if seen else None


def _window(rgb: Pixels, top: int, left: int, plan: TilePlan) -> NDArray[np.uint8]:
    height, width = plan.size
    pixels = rgb[top : top + height, left : left + width]  # (h, w, 3)
    channels_first = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return channels_first[None]


def _run(runner: Runner, tile: NDArray[np.uint8], plan: TilePlan) -> Logits:
    """The logits (C, h, w) of the only image of `tile`."""
    with _TURNS:
        logits = runner(tile)
    height, width = plan.size
    if logits.ndim != 4 or len(logits) != 1 or logits.shape[-2:] != (height, width):
        came = " x ".join(map(str, logits.shape))
        raise ModelError(
            f"the model gave {came} for an image of {height} x {width} pixels; it must give 1 "
            "x classes x height x "
            "width at the image's own size"
        )
    # What a user's runner returns may be read-only.
    writeable: Logits = np.require(logits[0], np.float32, "W")
    return writeable


def _cover(starts: list[int], profile: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """The weights of all tiles that lie over each of `length` places, added up."""
    total = np.zeros(length, np.float32)
    for start in starts:
        total[start : start + len(profile)] += profile
    return total
