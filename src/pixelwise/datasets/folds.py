"""The images of a data set divided into folds: alike in classes, groups kept together.

Source: Sechidis, Tsoumakas and Vlahavas 2011, "On the Stratification of Multi-Label Data"
(iterative stratification); here what is assigned is a group of images or a single one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.datasets.groups import Groups
from pixelwise.datasets.scan import SplitStats
from pixelwise.datasets.splits import draw_key
from pixelwise.datasets.types import Pair, first
from pixelwise.errors import ConfigError

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class FoldedPairs:
    """The pairs that each fold holds out, and lines that say what no fold can have."""

    folds: tuple[tuple[Pair, ...], ...]
    notes: tuple[str, ...]


def fold_pairs(
    splits: Sequence[SplitStats],
    count: int,
    names: Sequence[str],
    *,
    groups: Groups | None = None,
    seed: int = 0,
) -> FoldedPairs:
    """Divide all pairs of `splits`, whose classes are `names`, into `count` folds.

    Each class is in all folds where enough images hold it (or groups, which are never divided), and
    folds have about as many images each. What the folds are follows from names, masks and seed
    alone. Raises ConfigError for fewer than two folds and for more than there are images or groups.
    """
    pairs = [pair for stats in splits for pair in stats.pairs]
    holding = np.array([row for stats in splits for row in stats.by_image]) > 0  # (N, C)
    check_fold_count(count)
    units: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        units.setdefault(groups.of(pair) if groups else str(pair.image), []).append(place)
    what = f"groups by {groups.rule}" if groups else "images to train on"
    if count > len(units):
        raise ConfigError(
            f"--folds {count}: there are {len(units)} {what}, and each fold needs one; choose "
            f"2 to {len(units)}"
            if len(units) > 1
            else f"--folds {count}: there is only one of {what}, so nothing can be held out"
        )
    ordered = sorted(units.values(), key=lambda unit: draw_key(pairs[unit[0]].name, seed))
    sizes = np.array([len(unit) for unit in ordered])
    counts = np.array([holding[unit].sum(0) for unit in ordered], np.float64)  # (U, C)
    chosen = assign_folds(counts, sizes, count)
    folds: list[list[Pair]] = [[] for _ in range(count)]
    for fold, unit in zip(chosen, ordered, strict=True):
        folds[fold] += [pairs[place] for place in unit]
    notes = _describe_rare(counts > 0, names, count, "group" if groups else "image")
    by_name = [tuple(sorted(fold, key=lambda pair: (pair.name, str(pair.image)))) for fold in folds]
    return FoldedPairs(tuple(by_name), tuple(notes))


def check_fold_count(count: int) -> None:
    """Raises ConfigError for fewer than two folds."""
    if count < 2:
        raise ConfigError(
            f"--folds {count}: each model is scored on the images of one fold and trained on the "
            "others, so give 2 or more, such as 5; without --folds, one model is trained"
        )


def assign_folds(counts: Counts, sizes: NDArray[np.int_], folds: int) -> list[int]:
    """The fold of each unit, none empty. counts (U, C): images of a unit that hold a class; sizes
    (U,): its images.

    The class that the fewest units are left of comes first; each of its units, the largest first,
    goes to the fold that lacks most of that class, or of equal ones most images.
    """
    missing = np.tile(counts.sum(0) / folds, (folds, 1))  # (folds, C)
    missing_images = np.full(folds, sizes.sum() / folds)
    chosen = [-1] * len(sizes)
    left = set(range(len(sizes)))
    while left:
        units_left = (counts[sorted(left)] > 0).sum(0)  # (C,)
        classes = np.flatnonzero(units_left)
        rarest = int(classes[units_left[classes].argmin()]) if len(classes) else None
        due = [unit for unit in left if rarest is None or counts[unit, rarest] > 0]
        for unit in sorted(due, key=lambda unit: (-int(sizes[unit]), unit)):
            lack = np.zeros(folds) if rarest is None else missing[:, rarest]
            fold = max(range(folds), key=lambda number: (lack[number], missing_images[number]))
            chosen[unit] = fold
            missing[fold] -= counts[unit]
            missing_images[fold] -= sizes[unit]
        left -= set(due)
    _fill_empty(chosen, sizes, folds)
    return chosen


def _fill_empty(chosen: list[int], sizes: NDArray[np.int_], folds: int) -> None:
    """Move the smallest unit of the fold with the most units into each fold without any."""
    for empty in sorted(set(range(folds)) - set(chosen)):
        richest = max(range(folds), key=chosen.count)
        units = [unit for unit, fold in enumerate(chosen) if fold == richest]
        chosen[min(units, key=lambda unit: int(sizes[unit]))] = empty


def _describe_rare(
    holds: NDArray[np.bool_], names: Sequence[str], folds: int, unit: str
) -> list[str]:
    """Lines on classes that not every fold can score, or that a fold cannot learn."""
    counts = holds.sum(0).tolist()
    alone = [name for name, count in zip(names, counts, strict=True) if count == 1]
    few = [
        f"{name} ({count})" for name, count in zip(names, counts, strict=True) if 1 < count < folds
    ]
    lines = []
    if alone:
        lines.append(
            f"in one {unit} alone: {first(alone)}; the model that this {unit} is held out from "
            "never sees it, so its out-of-fold IoU is 0"
        )
    if few:
        lines.append(f"in fewer {unit}s than folds: {first(few)}; some folds cannot score them")
    return lines
