"""Reading every image and its layers once before a training, where classes overlap."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID
from pixelwise.datasets.measure_pair import measure_image
from pixelwise.datasets.pair_stats import ImageStats
from pixelwise.datasets.types import DataSet, Pair
from pixelwise.errors import DataError
from pixelwise.hardware import count_cores
from pixelwise.progress import Progress

_MAX_THREADS = 8
# Pairs under way at once: what bounds the memory.
_CHUNK = 32


def _no_counts() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class PairLayers:
    """What was read of a pair: its image; pixels of each class (C,), and those that count in its
    layer (C,); pixels that are void in all layers. Or the file that cannot be used, and why.
    """

    pair: Pair
    image: ImageStats | None = None
    pixels: NDArray[np.int64] = field(default_factory=_no_counts)
    counted: NDArray[np.int64] = field(default_factory=_no_counts)
    void: int = 0
    problem: tuple[Path, str] | None = None


def scan_layers(dataset: DataSet, split: str, progress: Progress) -> Iterator[PairLayers]:
    """Decode every pair of a split, in order."""
    pairs = dataset.pairs(split)
    with ThreadPoolExecutor(max(1, min(_MAX_THREADS, count_cores()))) as pool:
        read = partial(_read_pair, dataset)
        chunks = (pairs[start : start + _CHUNK] for start in range(0, len(pairs), _CHUNK))
        rows = (row for chunk in chunks for row in pool.map(read, chunk))
        yield from progress.track(rows, what=f"checking {split}", total=len(pairs))


def _read_pair(dataset: DataSet, pair: Pair) -> PairLayers:
    try:
        image = measure_image(pair.image)
    except (DataError, OSError) as error:
        return PairLayers(pair, problem=(pair.image, _reason(error)))
    try:
        layers = dataset.read_labels(pair.mask)  # (C, H, W)
    except (DataError, OSError) as error:
        return PairLayers(pair, problem=(pair.mask, _reason(error)))
    height, width = layers.shape[1:]
    if image.file.size != (height, width):
        reason = (
            f"the image is {image.file.size[0]} x {image.file.size[1]} and its layers are "
            f"{height} x {width} (height x width)"
        )
        return PairLayers(pair, problem=(pair.image, reason))
    is_void = layers == VOID
    pixels = (layers == 1).sum((1, 2))
    counted = (~is_void).sum((1, 2))
    return PairLayers(pair, image, pixels, counted, int(is_void.all(0).sum()))


def _reason(error: DataError | OSError) -> str:
    return error.reason if isinstance(error, DataError) else str(error)
