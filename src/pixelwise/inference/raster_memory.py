"""The memory that labelling a raster takes beyond what the process holds, for the line before it:
what `fit_plan_to_memory` bounds, what GDAL keeps, what is read and written, and the network's own,
which is measured.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.raster import RasterPicture
from pixelwise.inference.threads import CALLS, WORKERS
from pixelwise.inference.tiling import STEADY, TilePlan, cut_tiles
from pixelwise.inference.tta import specialize_for_shape, with_tta
from pixelwise.malloc import trim_memory

# Tiles of a raster from which on the network is measured, which takes as long as one of them.
_MEASURED = 2 * STEADY

# Bytes of a pixel of a row of tiles, while it is found where the raster has data.
_VOID_BYTES = 4

# Of all that is needed, what the heap holds besides, as what is freed leaves gaps
# (benchmarks/results/any_image.md).
_GAPS = 1 / 6

_STATUS = Path("/proc/self/status")

# What a predictor's network took, by the tiles' size and how it looks at them.
_taken = WeakKeyDictionary[Predictor, dict[tuple[object, ...], int]]()


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes at most. sums: of logits, and rows of tiles. cache: GDAL's, of what is read and
    written. windows: that are read, and rows that wait to be written. network: as measured, or
    None.
    """

    sums: int
    cache: int
    windows: int
    network: int | None = None

    @property
    def total(self) -> int:
        """Of all that is known, and the gaps between."""
        return round((1 + _GAPS) * self._known)

    @property
    def _known(self) -> int:
        return self.sums + self.cache + self.windows + (self.network or 0)

    def __str__(self) -> str:
        parts = [
            f"sums of logits and rows {_mebibytes(self.sums)}",
            f"GDAL's cache {_mebibytes(self.cache)}",
            f"what is read and written {_mebibytes(self.windows)}",
        ]
        beyond = "beside what the network takes"
        if self.network is not None:
            parts.append(f"the network {_mebibytes(self.network)} as measured")
            beyond = "beyond what is held now"
        parts.append(f"gaps in the heap {_mebibytes(self.total - self._known)}")
        total = _mebibytes(self.total)
        return f"up to {total} MiB are needed {beyond}: {', '.join(parts)}"


def find_need(
    predictor: Predictor,
    picture: RasterPicture,
    plan: TilePlan,
    choices: PredictOptions,
    *,
    planned: int,
    waiting: int,
) -> tuple[Predictor, MemoryNeed]:
    """What labelling an open raster needs, and the predictor for it: with its runners prepared for
    the tiles' shape where the network was measured. `planned` are the bytes of `plan_tiles`,
    `waiting` those of rows that wait to be written.
    """
    height, width = plan.size
    # of which the plan counts the rows in GDAL's cache
    sums = planned - picture.bytes_per_pixel * height * plan.width
    # the one that is read, and those that wait for the network or are in it
    windows = picture.window_bytes(height, width)
    windows += (WORKERS + 1) * picture.channel_count * height * width
    windows += _VOID_BYTES * height * plan.width
    cache = picture.cache_bytes(height)
    prepared, network = _measure_network(predictor, picture, plan, choices)
    return prepared, MemoryNeed(sums, cache, windows + waiting, network)


def _measure_network(
    predictor: Predictor,
    picture: RasterPicture,
    plan: TilePlan,
    choices: PredictOptions,
) -> tuple[Predictor, int | None]:
    """The bytes that the process grows by, at most, while a tile runs, for as many as will run at
    once: their peaks need not meet in a short trial, but do in a long run. The predictor itself and
    None where there are few tiles, the raster's middle is void, or the system does not tell: it is
    asked in Linux's /proc.
    """
    if len(plan.rows) * len(plan.columns) < _MEASURED or not _STATUS.is_file():
        return predictor, None
    middle = len(plan.rows) // 2
    tiles = cut_tiles(picture, plan, plan.rows[middle : middle + 1])
    tile = next((tile for tile in tiles if tile is not None), None)
    if tile is None:
        return predictor, None
    prepared = predictor.wrap_runners(specialize_for_shape)
    taken = _taken.setdefault(predictor, {})
    key = (plan.size, choices.tta, tuple(choices.scales))
    if key not in taken:
        trim_memory()  # what is free already would hide what a tile takes
        before = _read_status("VmRSS")
        with CALLS.expect_many():
            for runner in prepared.runners:
                with_tta(runner, mirror=choices.tta, scales=choices.scales)(tile)
        taken[key] = WORKERS * (_read_status("VmHWM") - before)
    return prepared, taken[key]


def _read_status(key: str) -> int:
    """Bytes, of a line of Linux's status of this process."""
    match = re.search(rf"^{key}:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
    return 1024 * int(match[1]) if match else 0


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.0f}"
