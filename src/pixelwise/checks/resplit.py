"""Which pairs a repaired copy keeps, and in which split: no copy of a tested image is left to train
on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pixelwise.checks.duplicates import find_copies
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.datasets.splits import ENOUGH_FOR_TEST, SPLIT_ORDER, draw_key
from pixelwise.datasets.types import DataOptions

_AS_TRAINED = DataOptions()


@dataclass(frozen=True)
class Resplit:
    """`kept` pairs with their split, and `dropped` ones with the type of issue and a text."""

    kept: tuple[tuple[PairStats, str], ...]
    dropped: tuple[tuple[PairStats, str, str], ...]


def resplit(pairs: Sequence[PairStats], *, hold_test: bool) -> Resplit:
    """Drop all copies but the one tested most, and hold out a val split where none is.

    Which are held out follows from their names, as in a training with the default options: of a
    set that training would give a test split, one is held out as well (`hold_test`). But images
    that look nearly alike stay together, whichever split they get.
    """
    dropped: dict[int, tuple[PairStats, str, str]] = {}
    near: list[tuple[PairStats, PairStats]] = []
    for one, other, difference in find_copies(pairs):
        taught, tested = sorted((one, other), key=lambda stats: SPLIT_ORDER.index(stats.split))
        if taught.split != tested.split:
            type = "image-leak" if difference is None else "image-near-leak"
            text = f"as {tested.pair.image.name} in {tested.split}"
            dropped[id(taught)] = (taught, type, text)
        elif difference is None:
            dropped[id(other)] = (other, "image-twice", f"as {one.pair.image.name}")
        else:
            near.append((one, other))
    left = [stats for stats in pairs if id(stats) not in dropped]
    splits = {stats.split for stats in left}
    held = _hold_out(left, near, hold_test=hold_test) if splits == {"train"} else {}
    kept = tuple((stats, held.get(id(stats), stats.split)) for stats in left)
    return Resplit(kept, tuple(dropped.values()))


def _hold_out(
    pairs: Sequence[PairStats],
    near: Sequence[tuple[PairStats, PairStats]],
    *,
    hold_test: bool,
) -> Mapping[int, str]:
    """The split of each pair held out, by its identity; groups of near copies are never divided."""
    groups = _groups(pairs, near)
    groups.sort(key=lambda group: draw_key(group[0].pair.name, _AS_TRAINED.seed))
    count = max(1, round(_AS_TRAINED.val_fraction * len(pairs)))
    held: dict[int, str] = {}
    splits = ("val", "test") if hold_test and len(pairs) >= ENOUGH_FOR_TEST else ("val",)
    for split in splits:
        filled = 0
        for group in groups:
            fits = filled + len(group) <= count and len(held) + len(group) < len(pairs)
            if id(group[0]) not in held and fits:
                held |= {id(stats): split for stats in group}
                filled += len(group)
    return held


def _groups(
    pairs: Sequence[PairStats], near: Sequence[tuple[PairStats, PairStats]]
) -> list[list[PairStats]]:
    """Pairs joined as near copies, each group sorted by name."""
    ordered = sorted(pairs, key=lambda stats: stats.pair.name)
    place = {id(stats): position for position, stats in enumerate(ordered)}
    links = [
        (place[id(one)], place[id(other)])
        for one, other in near
        if id(one) in place and id(other) in place
    ]
    rows = np.array([row for row, _ in links], np.int32)
    columns = np.array([column for _, column in links], np.int32)
    shape = (len(ordered), len(ordered))
    graph = coo_array((np.ones(len(links), np.int8), (rows, columns)), shape=shape)
    _, labels = connected_components(graph, directed=False)
    groups: dict[int, list[PairStats]] = {}
    for stats, label in zip(ordered, labels.tolist(), strict=True):
        groups.setdefault(label, []).append(stats)
    return list(groups.values())
