"""Judging masks of numbers without a classes file: 0 and 255, two high values, or class ids."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Classes, Colour, name_of_value
from pixelwise.datasets.mask_encoding import Form, MaskEncoding
from pixelwise.datasets.mask_reader import Table
from pixelwise.datasets.pair_stats import MaskStats
from pixelwise.datasets.raw_mask import pack_colour
from pixelwise.palette import default_palette

# Ids from here on, and more colours than this, are hardly classes where none are declared: sets of
# so many classes come with a list of their names.
MAX_GUESSED = 64
# With fewer masks than this, that a value is in one of them alone says nothing.
FEW_MASKS = 10

# Likewise for numbers, which need no areas: ids are seldom invented by smoothing. Of fewer masks a
# slip is taken for one only where it is a few pixels.
_SLIP_OF_IDS = 1e-3
_SLIP_OF_FEW_MASKS = 1e-4
# A value fills an area of a mask from one pixel in this many on.
_AREA_PART = 500
# Of a lossy or soft mask of 0 and 255, the two classes lie below and above; this share of its
# pixels lies there, and this share of the areas on either side has one value.
_DARK = 64
_LIGHT = 191
_MOST = 0.95
_RINGING = 8
# Ids that are multiples of this or more were stretched to be told apart by eye.
STRETCHED = 5
_FEWEST_STRETCHED = 3
# A mask of 0, 1 and 255 says that 255 is void; it weighs more than one of other small numbers.
VOID_WEIGHT = 20


def guess_values(masks: Sequence[MaskStats]) -> MaskEncoding:
    """The encoding of masks of numbers; 255 is void unless 0 and 255 are all that is drawn."""
    lossless = without_lossy(masks)
    if is_binary(lossless):
        evidence = (
            f"0 and 255 fill the areas of {len(masks)} masks: 0 is the first class, 255 the "
            "second, none is void"
        )
        names = ("background", "foreground")
        return _two_classes("binary", (0, VOID), Classes.named(names), evidence)
    pair = _high_pair(lossless)
    if pair:
        evidence = (
            f"{pair[0]} and {pair[1]} alone fill the areas of {len(masks)} masks: both are "
            "classes, none is void"
        )
        # Which of them is the background, nothing says.
        names = (name_of_value(pair[0]), name_of_value(pair[1]))
        classes = Classes(names, default_palette(names), guessed=True)
        return _two_classes("pair", pair, classes, evidence)
    return _guess_ids(masks, lossless)


def _guess_ids(masks: Sequence[MaskStats], lossless: Sequence[MaskStats]) -> MaskEncoding:
    """Class ids from 0 to the highest that is no stray; only those that occur where they were
    stretched.
    """
    seen = _class_ids(lossless)
    top = max(seen, default=0)
    raws = sorted(seen) if are_stretched(seen) else list(range(top + 1))
    names = tuple(map(name_of_value, raws))
    shown = usual_palette(lossless, top + 1)
    palette = tuple(shown[raw] for raw in raws) if shown else default_palette(names)
    count = len(raws)
    with_palette = sum(stats.palette is not None for stats in masks)
    listed = f"0 to {top}" if count == top + 1 else ", ".join(map(str, raws))
    evidence = (
        f"values {listed} in {len(masks)} masks, {with_palette} of them with a palette; 255 is void"
    )
    kind = "class ids"
    if 2 * with_palette > len(masks):
        kind += " with palette"
    colours: dict[int, int] = {}
    if with_palette and len(set(palette)) == count:
        colours = number_colours(palette)
    return MaskEncoding(
        "ids",
        kind,
        evidence,
        Classes(names, palette, guessed=True),
        _number(raws),
        tuple(sorted(colours.items())),
        declared=False,
    )


def are_stretched(values: set[int]) -> bool:
    """Whether ids are multiples of a number that leaves wide gaps, as 0, 10, 20: at least three of
    them, all that are between the first and the last.
    """
    numbers = sorted(values)
    if len(numbers) < _FEWEST_STRETCHED or numbers[0] != 0:
        return False
    step = numbers[1]
    return step >= STRETCHED and numbers == list(range(0, numbers[-1] + 1, step))


def _number(raws: Iterable[int]) -> Table:
    """The table of raw values in order, and 255 for void."""
    return (*((raw, label) for label, raw in enumerate(raws)), (VOID, VOID))


def ids_and_void(count: int) -> Table:
    """The table of class ids 0 to `count` - 1 and 255 for void."""
    return _number(range(count))


def _two_classes(
    form: Form,
    raws: tuple[int, int],
    classes: Classes,
    evidence: str,
) -> MaskEncoding:
    values = ((raws[0], 0), (raws[1], 1))
    kind = f"{raws[0]} and {raws[1]}"
    return MaskEncoding(
        form,
        kind,
        evidence,
        classes,
        values,
        declared=False,
        binary=True,
    )


def is_binary(masks: Sequence[MaskStats]) -> bool:
    """Whether most masks are of 0 and 255 alone, and those of small numbers besides do not make 255
    void.
    """
    occurring: set[int] = set()
    for stats in masks:
        occurring |= stats.drawn
    if occurring == {0, VOID}:
        return True
    areas = [area_values(stats) for stats in masks]
    binary = [values for values in areas if values <= {0, VOID}]
    both = sum(values == {0, VOID} for values in binary)
    with_more = sum(VOID in values and not values <= {0, VOID} for values in areas)
    with_void = sum({1, VOID} <= values <= {0, 1, VOID} for values in areas)
    mostly_binary = 2 * len(binary) > len(masks) and 4 * with_more <= both
    return both > 0 and mostly_binary and VOID_WEIGHT * with_void <= both


def _high_pair(masks: Sequence[MaskStats]) -> tuple[int, int] | None:
    """The two values of masks that have no others, where both are too high for ids and no palette
    numbers them.
    """
    if any(stats.palette for stats in masks):
        return None
    areas = [area_values(stats) for stats in masks]
    values = sorted(set().union(*areas))
    if len(values) != 2 or values[0] < MAX_GUESSED:
        return None
    # Never both in one mask: then each mask is of one class, which is more likely an instance id.
    if not any(len(area) == 2 for area in areas):
        return None
    return values[0], values[1]


def without_lossy(masks: Sequence[MaskStats]) -> list[MaskStats]:
    """The masks whose format keeps values; all where none does."""
    return [stats for stats in masks if not stats.lossy] or list(masks)


def area_values(stats: MaskStats) -> set[int]:
    """The values that fill at least a 500th of a mask; what lies around 0 and 255 in a lossy or a
    soft one is no value of its own.
    """
    fills = stats.counts * _AREA_PART >= stats.counts.sum()
    values = set(stats.values[fills].tolist()) & stats.drawn
    # soft edges, as of an alpha matte, have more values than a set has classes
    is_soft = len(stats.values) > MAX_GUESSED and not stats.palette
    if not (stats.lossy or is_soft) or not _is_ringing(stats):
        return values
    ends = set()
    if min(values, default=VOID) < _DARK:
        ends.add(0)
    if max(values, default=0) > _LIGHT:
        ends.add(VOID)
    return ends


def _is_ringing(stats: MaskStats) -> bool:
    """Whether a lossy or soft mask is of 0 and 255: dark or light nearly everywhere, and of one
    value in all dark areas.

    Ids as JPEG are dark as well, but their areas have several values.
    """
    dark = stats.values < _DARK
    light = stats.values > _LIGHT
    if not _has_one_value(stats, dark, 0) or not _has_one_value(stats, light, VOID):
        return False
    at_the_ends = stats.counts[dark | light].sum()
    return bool(at_the_ends >= _MOST * stats.counts.sum())


def _has_one_value(
    stats: MaskStats,
    side: NDArray[np.bool_],
    end: int,
) -> bool:
    """Whether nearly all areas of one side have one value, close to its end; true of no areas."""
    solid = stats.solid[side]
    if not solid.sum():
        return True
    value = int(stats.values[side][solid.argmax()])
    return bool(solid.max() >= _MOST * solid.sum() and abs(value - end) <= _RINGING)


def _class_ids(masks: Sequence[MaskStats]) -> set[int]:
    """The values that are class ids: not 255, and not above a gap in one mask alone or from 64 on
    without palette.
    """
    files = Counter[int]()
    pixels = Counter[int]()
    for stats in masks:
        values = stats.values.tolist()
        files.update(values)
        pixels.update(dict(zip(values, stats.counts.tolist(), strict=True)))
    total = sum(pixels.values())
    rare = max(1, len(masks) // 100)
    slip = _SLIP_OF_IDS if len(masks) >= FEW_MASKS else _SLIP_OF_FEW_MASKS
    ids: set[int] = set()
    highest = -1
    for value in sorted(value for value in files if 0 <= value < VOID):
        after_gap = value > highest + 1
        stray = files[value] <= rare and pixels[value] < slip * total
        too_high = value >= MAX_GUESSED and not masks[0].palette
        if after_gap and (stray or too_high):
            continue
        ids.add(value)
        highest = value
    return ids


def usual_palette(masks: Sequence[MaskStats], count: int) -> tuple[Colour, ...]:
    """The palette that most masks have, of those with a colour for each class; none where it is a
    ramp of greys. A PNG may keep only the colours that it uses.
    """
    palettes = Counter[tuple[Colour, ...]]()
    for stats in masks:
        if stats.palette and len(stats.palette) >= count:
            palettes[stats.palette] += 1
    if not palettes:
        return ()
    usual = max(palettes, key=lambda palette: (palettes[palette], len(palette)))
    colours = usual[:count]
    coloured = any(len(set(colour)) > 1 for colour in colours)
    return colours if coloured else ()


def number_colours(palette: tuple[Colour, ...]) -> dict[int, int]:
    """Labels by packed colour; of a colour that occurs twice, the last."""
    return {pack_colour(colour): label for label, colour in enumerate(palette)}
