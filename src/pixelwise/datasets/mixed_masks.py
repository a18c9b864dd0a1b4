"""Masks that are written by another rule than the others of their set, which the values of all
together hide.
"""

from collections.abc import Sequence

from pixelwise.classes import VOID
from pixelwise.datasets.guess_values import STRETCHED, VOID_WEIGHT, area_values
from pixelwise.datasets.pair_stats import MaskStats

# By so much one value alone must be stretched: 0 and 50 beside 0 and 1.
_FAR = 20
# Of this share of the masks on, those of 0 and 255 are no chance among ids of several classes.
_MIXED = 0.2
_TWO = 2


def is_void_drawn(masks: Sequence[MaskStats], classes: int) -> bool:
    """Whether 255 means void in masks of ids: it stands beside ids, or nowhere alone with 0; of
    more than two classes a few masks may hold void and the first class alone.
    """
    numbers = [stats for stats in masks if not stats.coloured]
    if not any(stats.drawn - {0, VOID} for stats in numbers):
        return True
    alone = sum(area_values(stats) == {0, VOID} for stats in numbers)
    if classes > _TWO and alone < _MIXED * len(numbers):
        return True
    beside = sum(VOID in stats.drawn and bool(stats.drawn - {0, VOID}) for stats in numbers)
    return VOID_WEIGHT * beside >= alone


def find_stretch(masks: Sequence[MaskStats]) -> float:
    """The number by which ids were multiplied in some masks, as in 0, 50, 100 beside 0, 1, 2 or in
    0, 128, 255; 0 where there is no such mixture.
    """
    drawn = [stats.drawn - {0, VOID} for stats in masks if not stats.coloured]
    values = set[int]().union(*drawn)
    low = _from_one(values)
    high = values - low
    if not low or not high or min(high) < STRETCHED:
        return 0
    # Ids of one rule stand together in some mask, those of two rules never do.
    if any(ids & low and ids & high for ids in drawn):
        return 0
    for factor in (VOID / max(low), min(high)):
        if are_multiples(high, factor, max(low)) and _is_clear(drawn, low, high, factor):
            return factor
    return 0


def are_multiples(values: set[int], factor: float, highest: int) -> bool:
    """Whether each of the values is one of the ids 1 to `highest` times `factor`, rounded."""
    ids = {value: round(value / factor) for value in values}
    return all(1 <= id <= highest and abs(value - id * factor) < 1 for value, id in ids.items())


def _is_clear(
    drawn: Sequence[set[int]],
    low: set[int],
    high: set[int],
    factor: float,
) -> bool:
    """Whether there is more than one rare class to tell of it."""
    several = any(len(ids & high) > 1 for ids in drawn)
    return several or factor >= _FAR


def _from_one(values: set[int]) -> set[int]:
    """The values from 1 up without a gap."""
    top = 1
    while top in values:
        top += 1
    return set(range(1, top))
