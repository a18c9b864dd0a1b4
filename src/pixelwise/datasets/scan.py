"""Reading every pair once before a training, so that nothing breaks an hour into it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID
from pixelwise.datasets.annotations.rasterize import uncovered_label
from pixelwise.datasets.edge_alignment import TURN_BETTER
from pixelwise.datasets.index import encoding_of, mask_source
from pixelwise.datasets.issues import raise_first
from pixelwise.datasets.mask_encoding import MaskEncoding, is_damaged
from pixelwise.datasets.mask_reader import LabelError
from pixelwise.datasets.measure_pair import measure_pair
from pixelwise.datasets.pair_stats import FileStats, MaskStats, PairStats, Problem, Size
from pixelwise.datasets.scan_layers import PairLayers, scan_layers
from pixelwise.datasets.scan_pairs import scan_pairs
from pixelwise.datasets.set_issues import find_other_palettes
from pixelwise.datasets.types import DataSet, Pair, first
from pixelwise.errors import DataError, ImageError
from pixelwise.io.reading_notes import ReadingNotes
from pixelwise.progress import Progress

# EXIF orientations that leave the size as it is: mirrored, turned by half, mirrored upside down.
_SAME_SIZE = (2, 3, 4)
# Images whose edges are compared with their masks: a few tell of all.
_MAX_EDGES = 16
# Files that an error names: a set may have thousands that are broken alike.
_MAX_SHOWN = 5
# Of the labelled pixels, the share of several classes from which on it is said what is lost.
_MUCH_OVERLAP = 0.02


@dataclass(frozen=True)
class SplitStats:
    """What reading a split found.

    `pairs` can be used; `broken` are the files left out, with the reason. `pixels` counts the
    pixels of each class over the usable masks, `void` those that count nowhere, `holding` all that
    count in the masks that hold the class. `sizes` are (height, width) of the usable images, in
    order.
    """

    pairs: tuple[Pair, ...]
    broken: tuple[tuple[Path, str], ...]
    pixels: tuple[int, ...]
    holding: tuple[int, ...]
    void: int
    sizes: tuple[Size, ...]
    notes: tuple[ReadingNotes, ...] = ()
    """How the images were read, each by itself."""
    by_image: tuple[tuple[int, ...], ...] = ()
    """Pixels of each class in each usable mask."""

    @property
    def median_size(self) -> Size:
        """(height, width), each the median of its own."""
        heights, widths = zip(*self.sizes, strict=True)
        return int(np.median(heights)), int(np.median(widths))

    def of_at_least(self, size: Size) -> "SplitStats":
        """The same with only the pairs whose images have at least `size` (height, width); counts
        stay those of all.
        """
        height, width = size
        large = [own[0] >= height and own[1] >= width for own in self.sizes]
        return replace(
            self,
            pairs=tuple(compress(self.pairs, large)),
            sizes=tuple(compress(self.sizes, large)),
            by_image=tuple(compress(self.by_image, large)),
        )


def _no_counts() -> NDArray[np.int64]:
    return np.zeros(256, np.int64)


@dataclass
class _Tally:
    """What was counted so far."""

    pairs: list[Pair] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    notes: list[ReadingNotes] = field(default_factory=list)
    broken: list[tuple[Path, str]] = field(default_factory=list)
    mislabelled: list[LabelError] = field(default_factory=list)
    counts: NDArray[np.int64] = field(default_factory=_no_counts)
    holding: NDArray[np.int64] = field(default_factory=_no_counts)
    by_image: list[NDArray[np.int64]] = field(default_factory=list)
    turned: list[PairStats] = field(default_factory=list)
    with_palette: list[PairStats] = field(default_factory=list)
    overlaps: int = 0


def scan_split(
    dataset: DataSet, split: str, *, progress: Progress, skip_broken: bool = False
) -> SplitStats:
    """Decode every image and mask of a split and compare their sizes.

    Files that cannot be read and pairs of unlike sizes raise DataError with their count and the
    first five; with `skip_broken` they are left out, each with a line. A mask with a value that is
    no class raises LabelError always. What was decoded before and is unchanged is not decoded
    again.
    """
    pairs = dataset.pairs(split)
    encoding = encoding_of(dataset.format, dataset.classes, dataset.read_labels)
    tally = _Tally()
    if dataset.multilabel:
        for row in scan_layers(dataset, split, progress):
            _count_layers(tally, row)
    else:
        for stats in _scan(dataset, split, pairs, progress):
            _count(tally, stats, dataset, encoding)
    _check(split, len(pairs), tally, skip_broken=skip_broken)
    if encoding.form == "ids" and not encoding.by_palette:
        raise_first(find_other_palettes(tally.with_palette))
    share = _share_of_overlaps(dataset, tally)
    if split == "train" and share >= _MUCH_OVERLAP:
        progress.log(
            f"{share:.0%} of the pixels that are labelled in {split} are of several classes, of "
            "which one is kept: --multilabel keeps all of them"
        )
    if tally.turned:
        progress.log(_describe_turned(dataset, tally.turned))
    for path, reason in tally.broken:
        progress.log(f"left out: {path}: {reason}")
    _check_learnable(dataset, split, tally)
    if not tally.pairs:
        raise DataError(
            f"{dataset.root}: no pair of {split} can be used ({len(tally.broken)} of "
            f"{len(pairs)} are broken)"
        )
    classes = len(dataset.classes)
    return SplitStats(
        tuple(tally.pairs),
        tuple(tally.broken),
        pixels=tuple(tally.counts[:classes].tolist()),
        holding=tuple(tally.holding[:classes].tolist()),
        void=int(tally.counts[VOID]),
        sizes=tuple(tally.sizes),
        notes=tuple(tally.notes),
        by_image=tuple(tuple(counts.tolist()) for counts in tally.by_image),
    )


def _share_of_overlaps(dataset: DataSet, tally: _Tally) -> float:
    """Of the pixels that are of a class but the background, the share that shapes or layers of
    several classes cover.
    """
    counts = tally.counts[:VOID].copy()
    background = uncovered_label(dataset.classes)
    if background != VOID:
        counts[background] = 0
    return tally.overlaps / max(1, int(counts.sum()))


def _check_learnable(
    dataset: DataSet,
    split: str,
    tally: _Tally,
) -> None:
    """Raise DataError where training images show one class alone."""
    present = np.flatnonzero(tally.counts[:VOID])
    if dataset.multilabel:
        if tally.pairs and not len(present):
            raise DataError(
                f"{dataset.root}: no pixel of {split} is of any class: check the layers, whose "
                "pixels of half their greatest value or more are of the class"
            )
        return
    if split == "train" and len(present) == 1:
        name = dataset.classes.names[int(present[0])]
        raise DataError(
            f"{dataset.root}: every training pixel that counts is '{name}', which leaves nothing "
            "to learn; look at the masks, as `pixelwise check` does"
        )


def _describe_turned(dataset: DataSet, turned: Sequence[PairStats]) -> str:
    """A line on images that EXIF turns without another size, of masks that it does not turn.

    Raises DataError where edges of images say that most of the masks were drawn before.
    """
    source = mask_source(dataset.read_labels, dataset.sources)
    unturned = 0
    sample = turned[:_MAX_EDGES]
    for stats in sample:
        fit = measure_pair("full", source, stats.split, stats.pair).fit
        unturned += fit is not None and fit.turned > fit.in_place + TURN_BETTER
    pair = turned[0].pair
    text = f"{len(turned)} images are turned by their EXIF orientation and their masks are not"
    if 2 * unturned > len(sample):
        raise DataError(
            f"{pair.image}: {text}; by the edges the masks lie as the images are stored: let "
            "`pixelwise check --fix` turn them"
        )
    return f"{text}, such as {pair.image.name}: if that is wrong, `pixelwise check` shows it"


def _scan(
    dataset: DataSet, split: str, pairs: Sequence[Pair], progress: Progress
) -> Iterator[PairStats]:
    source = mask_source(dataset.read_labels, dataset.sources)
    entries = [(split, pair) for pair in pairs]
    scanned = scan_pairs(dataset.root, entries, source, depth="sizes")
    return iter(progress.track(scanned, what=f"checking {split}", total=len(pairs)))


def _count(
    tally: _Tally,
    stats: PairStats,
    dataset: DataSet,
    encoding: MaskEncoding,
) -> None:
    if stats.problems:
        _count_problem(tally, stats.problems[0])
        return
    if stats.image is None or stats.mask is None:
        return
    try:
        counts = _count_labels(stats.pair, stats.mask, dataset, encoding)
    except LabelError as error:
        tally.mislabelled.append(error)
        return
    except ImageError as error:
        tally.broken.append((stats.pair.mask, error.reason))
        return
    image = stats.image.file
    if image.size != stats.mask.file.size:
        reason = _describe_sizes(stats.pair, image, stats.mask.file)
        tally.broken.append((stats.pair.image, reason))
        return
    if stats.mask.palette:
        tally.with_palette.append(stats)
    if image.orientation in _SAME_SIZE and stats.mask.file.orientation == 1:
        tally.turned.append(stats)
    tally.pairs.append(stats.pair)
    tally.sizes.append(image.size)
    tally.notes.append(stats.image.notes)
    tally.overlaps += stats.mask.overlaps
    tally.counts += counts
    tally.by_image.append(counts[: len(dataset.classes)].copy())
    tally.holding[counts > 0] += counts[:VOID].sum()


def _count_layers(tally: _Tally, row: PairLayers) -> None:
    if row.problem is not None:
        tally.broken.append(row.problem)
        return
    assert row.image is not None
    tally.pairs.append(row.pair)
    tally.sizes.append(row.image.file.size)
    tally.notes.append(row.image.notes)
    classes = len(row.pixels)
    tally.counts[:classes] += row.pixels
    tally.counts[VOID] += row.void
    tally.by_image.append(row.pixels)
    tally.holding[:classes] += np.where(row.pixels > 0, row.counted, 0)


def _count_problem(tally: _Tally, problem: Problem) -> None:
    if isinstance(problem.error, LabelError):
        tally.mislabelled.append(problem.error)
    else:
        tally.broken.append((problem.file, problem.reason))


def _count_labels(
    pair: Pair, stats: MaskStats, dataset: DataSet, encoding: MaskEncoding
) -> NDArray[np.int64]:
    """(256,) pixels by label. Raises LabelError for a value that is no class."""
    mask = encoding.interpret(stats)
    if encoding.all_legal(mask) and not is_damaged(mask, encoding):
        return encoding.pixels(mask)
    # The mask is decoded once more: which pixel is wrong was not measured, the reader names it.
    labels = dataset.read_labels(pair.mask)
    return np.bincount(labels.ravel(), minlength=256)


def _describe_sizes(pair: Pair, image: FileStats, mask: FileStats) -> str:
    # Orientation is the usual cause, and cannot be seen in most programs: they turn both alike.
    text = (
        f"the image is {_name_size(image.size)} and its mask {pair.mask.name} "
        f"{_name_size(mask.size)} (height x width)"
    )
    if image.size != image.stored and image.stored == mask.size:
        text += (
            "; they match with the image's EXIF orientation left out: the mask was drawn on "
            "the unturned image"
        )
    if mask.size != mask.stored and mask.stored == image.size:
        text += "; they match with the mask's EXIF orientation left out"
    return text


def _name_size(size: Size) -> str:
    return f"{size[0]} x {size[1]}"


def _check(
    split: str,
    total: int,
    tally: _Tally,
    *,
    skip_broken: bool,
) -> None:
    if tally.mislabelled:
        text = str(tally.mislabelled[0])
        more = len(tally.mislabelled) - 1
        if more:
            text += f" (and {more} more masks of {split} hold values that are no class)"
        raise LabelError(text)
    broken = tally.broken
    if broken and not skip_broken:
        paths_by_reason = dict[str, list[str]]()
        for path, reason in broken[:_MAX_SHOWN]:
            paths_by_reason.setdefault(reason, []).append(str(path))
        names = [f"{first(paths)}: {reason}" for reason, paths in paths_by_reason.items()]
        if len(broken) > _MAX_SHOWN:
            names.append(f"and {len(broken) - _MAX_SHOWN} more")
        raise DataError(
            f"{len(broken)} of {total} pairs of {split} cannot be used: {'; '.join(names)}; "
            "repair or remove them, or leave them out with --skip-broken"
        )
