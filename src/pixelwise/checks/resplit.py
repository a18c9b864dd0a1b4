"""Which pairs a mended copy keeps, and in which split: no copy of a tested image is left to train
on.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pixelwise.checks.duplicates import copies
from pixelwise.checks.inspect_pairs import Look
from pixelwise.checks.inventory import SPLIT_ORDER
from pixelwise.datasets.types import ENOUGH_FOR_TEST

VAL_FRACTION = 0.15


@dataclass(frozen=True)
class Deal:
    """`kept` pairs with their split, and `dropped` ones with the kind of finding and a text."""

    kept: tuple[tuple[Look, str], ...]
    dropped: tuple[tuple[Look, str, str], ...]


def deal(looks: Sequence[Look]) -> Deal:
    """Drop all copies but the one tested most, and hold out a val split (and test, as training
    does) where none is.

    Images that look nearly alike stay together, whichever split they get. Which are held out
    follows from their names.
    """
    dropped: dict[int, tuple[Look, str, str]] = {}
    near: list[tuple[Look, Look]] = []
    for one, other, unlike in copies(looks):
        a, b = sorted((one, other), key=lambda look: SPLIT_ORDER.index(look.couple.split))
        if a.couple.split != b.couple.split:
            kind = "image-leak" if unlike is None else "image-near-leak"
            dropped[id(a)] = (a, kind, f"as {b.couple.image.name} in {b.couple.split}")
        elif unlike is None:
            dropped[id(other)] = (other, "image-twice", f"as {one.couple.image.name}")
        else:
            near.append((one, other))
    left = [look for look in looks if id(look) not in dropped]
    splits = {look.couple.split for look in left}
    held = _hold_out(left, near) if splits == {"train"} else {}
    kept = tuple((look, held.get(id(look), look.couple.split)) for look in left)
    return Deal(kept, tuple(dropped.values()))


def _hold_out(looks: Sequence[Look], near: Sequence[tuple[Look, Look]]) -> Mapping[int, str]:
    """The split of each look held out, by its identity; groups of near copies are never divided."""
    groups = _groups(looks, near)
    drawn = sorted(
        groups,
        key=lambda group: hashlib.sha256(group[0].couple.name.encode("utf-8", "replace")).digest(),
    )
    wanted = max(1, round(VAL_FRACTION * len(looks)))
    held: dict[int, str] = {}
    for split in ("val", "test") if len(looks) >= ENOUGH_FOR_TEST else ("val",):
        count = 0
        for group in drawn:
            fits = count + len(group) <= max(wanted, 1) and len(held) + len(group) < len(looks)
            if id(group[0]) not in held and fits:
                held |= {id(look): split for look in group}
                count += len(group)
    return held


def _groups(looks: Sequence[Look], near: Sequence[tuple[Look, Look]]) -> list[list[Look]]:
    """Looks joined by near pairs, each group sorted by name."""
    lead = {id(look): id(look) for look in looks}

    def find(key: int) -> int:
        while lead[key] != key:
            lead[key] = lead[lead[key]]
            key = lead[key]
        return key

    for one, other in near:
        if id(one) in lead and id(other) in lead:
            lead[find(id(one))] = find(id(other))
    groups: dict[int, list[Look]] = {}
    for look in sorted(looks, key=lambda look: look.couple.name):
        groups.setdefault(find(id(look)), []).append(look)
    return list(groups.values())
