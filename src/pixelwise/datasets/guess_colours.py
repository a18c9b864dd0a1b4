"""Judging masks in colours without a classes file: which colours are classes, which are noise."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pixelwise.classes import VOID, Classes, name_of_colour
from pixelwise.datasets.guess_values import FEW_MASKS, MAX_GUESSED, ids_and_void, without_lossy
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.pair_stats import MaskStats
from pixelwise.datasets.raw_mask import unpack
from pixelwise.palette import BACKGROUND_COLOUR

# Colours of classes that were not declared differ by more than this in some channel; a third of it
# is enough where most of the colour is areas, in more than two masks.
_NEAR = 24
_SHADE = 4
_SOLID_SHARE = 0.6
_SOLID_MASKS = 2
# A colour of less than this share of all pixels fills no area worth a class; in one mask alone, of
# less than ten times as much, it is a slip of the brush.
_SPECK = 1e-5
_SLIP = 1e-4
# At most so many colours: 255 is void.
_MAX_COLOURS = 254
# A mask that is smaller than this on a side has no room for areas.
_SMALLEST = 4


@dataclass
class _ColourCounts:
    """Of each colour of a set: its pixels, those inside areas, and the masks that hold it."""

    pixels: Counter[int] = field(default_factory=Counter)
    solid: Counter[int] = field(default_factory=Counter)
    masks: Counter[int] = field(default_factory=Counter)


def guess_colours(masks: Sequence[MaskStats]) -> MaskEncoding:
    """Colours that fill areas are classes; those seen only along borders or in specks are not."""
    lossless = without_lossy(masks)
    counts = _count_colours(lossless)
    legal = _class_colours(counts, len(lossless))
    evidence = (
        f"{len(legal)} colours fill areas, of {len(counts.pixels)} that occur in {len(masks)} masks"
    )
    # Of noise, no colour is a class.
    palette = tuple(unpack(colour) for colour in legal) or (BACKGROUND_COLOUR,)
    names = tuple(name_of_colour(colour) for colour in palette)
    return MaskEncoding(
        "colours",
        "RGB colours",
        evidence,
        Classes(names, palette, guessed=True),
        ids_and_void(len(palette)),
        tuple((colour, label) for label, colour in enumerate(legal)),
        declared=False,
        grey_as_numbers=not legal,
    )


def _count_colours(masks: Sequence[MaskStats]) -> _ColourCounts:
    counts = _ColourCounts()
    roomy = any(min(stats.file.size) >= _SMALLEST for stats in masks)
    for stats in masks:
        areas = stats.solid if roomy else stats.counts
        colours = stats.values.tolist()
        counts.masks.update(colours)
        counts.pixels.update(dict(zip(colours, stats.counts.tolist(), strict=True)))
        counts.solid.update(dict(zip(colours, areas.tolist(), strict=True)))
    return counts


def _class_colours(counts: _ColourCounts, masks: int) -> list[int]:
    """The packed colours that are classes, sorted: from the largest area down, each far enough
    from those before it.
    """
    total = sum(counts.pixels.values())
    # In few masks of few colours, like colours are no noise: they are all that was drawn. But the
    # eye tells none apart that differ by a few levels: such are one class, or numbers.
    few = masks < FEW_MASKS and len(counts.pixels) <= MAX_GUESSED
    classes: list[int] = []
    for colour, area in counts.solid.most_common(_MAX_COLOURS + 1):
        if area <= _SPECK * total or len(classes) == _MAX_COLOURS:
            continue
        in_one_mask = counts.masks[colour] == 1 and masks >= FEW_MASKS
        if in_one_mask and counts.pixels[colour] < _SLIP * total:
            continue
        if _is_distinct(colour, classes, counts, few=few):
            classes.append(colour)
    return sorted(classes)


def _is_distinct(
    colour: int,
    classes: Sequence[int],
    counts: _ColourCounts,
    *,
    few: bool,
) -> bool:
    """Whether a colour is one of its own, not a shade of a class that smoothing or JPEG made."""
    distance = min((_distance(colour, other) for other in classes), default=VOID)
    if distance > (_SHADE if few else _NEAR):
        return True
    mostly_solid = counts.solid[colour] > _SOLID_SHARE * counts.pixels[colour]
    in_several = counts.masks[colour] > _SOLID_MASKS
    return distance > _NEAR // 3 and mostly_solid and in_several


def _distance(first: int, second: int) -> int:
    channels = zip(unpack(first), unpack(second), strict=True)
    return max(abs(a - b) for a, b in channels)
