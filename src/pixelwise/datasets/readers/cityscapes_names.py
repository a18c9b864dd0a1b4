"""Masks of Cityscapes in folders of other names: the endings of their names say what ids they
hold.

Source: Cordts et al., The Cityscapes Dataset, 2016, and its published label table.
"""

from collections.abc import Sequence
from pathlib import Path

from pixelwise.datasets.annotations.cityscapes import OTHERS, SCORED
from pixelwise.datasets.class_files import ClassEntry, DeclaredClasses

_TABLE = Path("Cityscapes' label table")
_IDS = 34


def declare_cityscapes(masks: Sequence[Path]) -> DeclaredClasses | None:
    """The 19 scored classes, where all masks are called `..._gtFine_labelTrainIds` or
    `..._gtFine_labelIds` (or `gtCoarse`); None where they are not.
    """
    endings = {path.stem.rpartition("_")[2].lower() for path in masks}
    if not all(path.stem.lower().split("_")[-2:-1] in (["gtfine"], ["gtcoarse"]) for path in masks):
        return None
    scored = [SCORED[number] for number in sorted(SCORED)]
    if endings == {"labeltrainids"}:
        classes = [ClassEntry(label, *entry) for label, entry in enumerate(scored)]
        return DeclaredClasses(tuple(classes), (), _TABLE)
    if endings == {"labelids"}:
        classes = [ClassEntry(number, *SCORED[number]) for number in sorted(SCORED)]
        void = [_void_entry(number) for number in range(_IDS) if number not in SCORED]
        return DeclaredClasses(tuple(classes), tuple(void), _TABLE)
    return None


def _void_entry(number: int) -> ClassEntry:
    name = OTHERS[number][0] if number in OTHERS else f"id {number}"
    return ClassEntry(number, name)
