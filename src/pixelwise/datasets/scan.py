"""Reading every pair once before a training, so that nothing breaks an hour into it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import compress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID
from pixelwise.datasets.mask_reader import LabelError
from pixelwise.datasets.types import DataSet, Pair
from pixelwise.errors import DataError, ImageError
from pixelwise.io.images import open_image, read_rgb
from pixelwise.progress import Progress

_THREADS = 2
_CHUNK = 32
_SHOWN = 5


@dataclass(frozen=True)
class Survey:
    """What reading a split found.

    `pairs` can be used; `broken` are the files left out, with the reason. `pixels` counts the
    pixels of each class over the kept masks, `void` those that count nowhere, `holding` all that
    count in the masks that hold the class. `sizes` are (height, width) of the kept images, in
    order.
    """

    pairs: tuple[Pair, ...]
    broken: tuple[tuple[Path, str], ...]
    pixels: tuple[int, ...]
    holding: tuple[int, ...]
    void: int
    sizes: tuple[tuple[int, int], ...]

    @property
    def median_size(self) -> tuple[int, int]:
        """(height, width), each the median of its own."""
        heights, widths = zip(*self.sizes, strict=True)
        return int(np.median(heights)), int(np.median(widths))

    def of_at_least(self, size: tuple[int, int]) -> "Survey":
        """The same with only the pairs whose images have at least `size` (height, width); counts
        stay those of all.
        """
        fits = [have[0] >= size[0] and have[1] >= size[1] for have in self.sizes]
        return replace(
            self, pairs=tuple(compress(self.pairs, fits)), sizes=tuple(compress(self.sizes, fits))
        )


@dataclass(frozen=True)
class _Read:
    """One pair: its label counts (256,) and size, or what is wrong with it."""

    pair: Pair
    counts: NDArray[np.int64] | None = None
    size: tuple[int, int] = (0, 0)
    problem: tuple[Path, str] | None = None
    mislabelled: LabelError | None = None


def survey(
    dataset: DataSet, split: str, *, progress: Progress, skip_broken: bool = False
) -> Survey:
    """Decode every image and mask of a split and compare their sizes.

    Files that cannot be read and pairs of unlike sizes raise DataError with their count and the
    first five; with `skip_broken` they are left out, each with a line. A mask with a value that is
    no class raises LabelError always. Memory does not grow with the number of pairs.
    """
    pairs = dataset.pairs(split)
    kept: list[Pair] = []
    sizes: list[tuple[int, int]] = []
    broken: list[tuple[Path, str]] = []
    mislabelled: list[LabelError] = []
    counts = np.zeros(256, np.int64)
    holding = np.zeros(256, np.int64)
    for read in progress.track(_reads(dataset, pairs), what=f"checking {split}", total=len(pairs)):
        if read.counts is not None:
            kept.append(read.pair)
            sizes.append(read.size)
            counts += read.counts
            holding[read.counts > 0] += read.counts[:VOID].sum()
        broken += [read.problem] if read.problem else []
        mislabelled += [read.mislabelled] if read.mislabelled else []
    _refuse(split, len(pairs), broken, mislabelled, skip_broken=skip_broken)
    for path, reason in broken:
        progress.log(f"left out: {path}: {reason}")
    if not kept:
        raise DataError(
            f"{dataset.root}: no pair of {split} can be used ({len(broken)} of {len(pairs)} "
            "are broken)"
        )
    pixels, seen = (
        tuple(int(count) for count in each[: len(dataset.classes)]) for each in (counts, holding)
    )
    return Survey(tuple(kept), tuple(broken), pixels, seen, int(counts[VOID]), tuple(sizes))


def _reads(dataset: DataSet, pairs: Sequence[Pair]) -> Iterator[_Read]:
    """Every pair in order; only a chunk's results are held at a time."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(pairs), _CHUNK):
            yield from pool.map(partial(_read, dataset), pairs[start : start + _CHUNK])


def _read(dataset: DataSet, pair: Pair) -> _Read:
    path = pair.image
    try:
        size = read_rgb(pair.image).shape[:2]
        path = pair.mask
        labels = dataset.read_labels(pair.mask)
    except LabelError as error:
        return _Read(pair, mislabelled=error)
    except ImageError as error:
        return _Read(pair, problem=(path, str(error).removeprefix(f"{path}: ")))
    if labels.shape != size:
        return _Read(pair, problem=(pair.image, _unlike(pair, size, labels.shape)))
    return _Read(pair, np.bincount(labels.ravel(), minlength=256), (size[0], size[1]))


def _unlike(pair: Pair, image: tuple[int, ...], mask: tuple[int, ...]) -> str:
    text = (
        f"the image is {_size(image)} and its mask {pair.mask.name} {_size(mask)} (height x width)"
    )
    width, height = open_image(pair.image).size
    if image != (height, width) == mask:
        text += (
            "; they match with the image's EXIF orientation left out: the mask was drawn on "
            "the unturned image"
        )
    mask_width, mask_height = open_image(pair.mask).size
    if mask != (mask_height, mask_width) == image:
        text += "; they match with the mask's EXIF orientation left out"
    return text


def _size(size: tuple[int, ...]) -> str:
    return f"{size[0]} x {size[1]}"


def _refuse(
    split: str,
    total: int,
    broken: list[tuple[Path, str]],
    mislabelled: list[LabelError],
    *,
    skip_broken: bool,
) -> None:
    if mislabelled:
        more = f" (and {len(mislabelled) - 1} more masks of {split} hold values that are no class)"
        raise LabelError(str(mislabelled[0]) + more * (len(mislabelled) > 1))
    if broken and not skip_broken:
        named = "; ".join(f"{path}: {reason}" for path, reason in broken[:_SHOWN])
        more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        raise DataError(
            f"{len(broken)} of {total} pairs of {split} cannot be used: {named}{more}; "
            "repair or remove them, or leave them out with --skip-broken"
        )
