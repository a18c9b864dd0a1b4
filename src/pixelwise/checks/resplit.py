"""Which pairs a repaired copy keeps, and in which split: no copy of a tested image is left to train
on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pixelwise.checks.duplicates import find_copies, split_rank
from pixelwise.checks.group_sources import connect
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.datasets.splits import ENOUGH_FOR_TEST, draw_key
from pixelwise.datasets.types import DataOptions

# The seed and the share of a training that sets no options: a copy is split as its source would be.
_AS_TRAINED = DataOptions()

TwoPairs = tuple[PairStats, PairStats]


@dataclass(frozen=True)
class Resplit:
    """`pairs` of the copy with their split, and `dropped` ones with the type of issue and a
    text.
    """

    pairs: tuple[tuple[PairStats, str], ...]
    dropped: tuple[tuple[PairStats, str, str], ...]


def resplit(pairs: Sequence[PairStats], *, hold_test: bool) -> Resplit:
    """Drop all copies but the one tested most, and hold out a val split where none is.

    Which are held out follows from their names, as in a training with the default options: of a
    set that training would give a test split, one is held out as well (`hold_test`). But images
    that look nearly alike stay together, whichever split they get.
    """
    dropped, near = _find_dropped(pairs)
    remaining = [stats for stats in pairs if id(stats) not in dropped]
    held_out: Mapping[int, str] = {}
    if {stats.split for stats in remaining} == {"train"}:
        held_out = _hold_out(remaining, near, hold_test=hold_test)
    with_split = [(stats, held_out.get(id(stats), stats.split)) for stats in remaining]
    return Resplit(tuple(with_split), tuple(dropped.values()))


def _find_dropped(
    pairs: Sequence[PairStats],
) -> tuple[dict[int, tuple[PairStats, str, str]], list[TwoPairs]]:
    """The pairs to drop, by their identity (pairs of one image are equal), and those that look
    nearly alike within a split.
    """
    dropped: dict[int, tuple[PairStats, str, str]] = {}
    near: list[TwoPairs] = []
    for original, copy, difference in find_copies(pairs):
        if original.split != copy.split:
            trained, tested = sorted((original, copy), key=split_rank)
            type = "image-leak" if difference is None else "image-near-leak"
            text = f"as {tested.pair.image.name} in {tested.split}"
            dropped[id(trained)] = (trained, type, text)
        elif difference is None:
            dropped[id(copy)] = (copy, "image-twice", f"as {original.pair.image.name}")
        else:
            near.append((original, copy))
    return dropped, near


def _hold_out(
    pairs: Sequence[PairStats], near: Sequence[TwoPairs], *, hold_test: bool
) -> dict[int, str]:
    """The split of each pair held out, by its identity; groups of near copies are never divided."""
    groups = _group_near(pairs, near)
    groups.sort(key=_draw_key)
    count = max(1, round(_AS_TRAINED.val_fraction * len(pairs)))
    splits = ["val"]
    if hold_test and len(pairs) >= ENOUGH_FOR_TEST:
        splits.append("test")
    held_out: dict[int, str] = {}
    for split in splits:
        size = 0
        for group in groups:
            if id(group[0]) in held_out:
                continue
            # Smaller groups further on may still fit; at least one pair is left to train on.
            leaves_some = len(held_out) + len(group) < len(pairs)
            if size + len(group) <= count and leaves_some:
                held_out.update((id(stats), split) for stats in group)
                size += len(group)
    return held_out


def _draw_key(group: list[PairStats]) -> bytes:
    return draw_key(group[0].pair.name, _AS_TRAINED.seed)


def _group_near(pairs: Sequence[PairStats], near: Sequence[TwoPairs]) -> list[list[PairStats]]:
    """Pairs joined as near copies, each group sorted by name.

    Frames of a film are alike only to their neighbours, so a group is all that hangs together.
    """
    ordered = sorted(pairs, key=lambda stats: stats.pair.name)
    positions = {id(stats): position for position, stats in enumerate(ordered)}
    links = [
        (positions[id(first)], positions[id(second)])
        for first, second in near
        # one of the two may have been dropped as the copy of a third
        if id(first) in positions and id(second) in positions
    ]
    labels = connect(len(ordered), links)
    groups: dict[int, list[PairStats]] = {}
    for stats, label in zip(ordered, labels, strict=True):
        groups.setdefault(label, []).append(stats)
    return list(groups.values())
