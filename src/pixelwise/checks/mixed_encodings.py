"""Masks of one data set that are written in different ways."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pixelwise.classes import Colour
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.mask_issues import variant_issue
from pixelwise.datasets.pair_stats import MaskStats, PairStats
from pixelwise.datasets.strays import find_variant

# Colours of a value that differ by more than this in some channel are two colours; a palette that
# was rounded to 5 bits a channel stays within it.
_SAME_SHADE = 8

MeasuredMask = tuple[PairStats, MaskStats]


def find_mixed_encodings(masks: Sequence[MeasuredMask], encoding: MaskEncoding) -> Iterator[Issue]:
    """Colours among numbers, numbers among colours, 0 and 1 among 0 and 255, and palettes that
    disagree.
    """
    coloured = sum(mask.coloured for _, mask in masks)
    mostly_coloured = 2 * coloured > len(masks)
    for stats, mask in masks:
        variant = find_variant(mask, encoding)
        if variant:
            yield variant_issue(stats, variant)
        elif mask.coloured and encoding.colours and not mostly_coloured:
            yield stats.mask_issue("encodings-mixed", "in colours, where most masks hold numbers")
        elif not mask.coloured and mostly_coloured and encoding.form == "colours":
            yield stats.mask_issue(
                "encodings-mixed", "numbers, where the other masks are in colours"
            )
    yield from _find_other_palettes(masks)


def _find_other_palettes(masks: Sequence[MeasuredMask]) -> Iterator[Issue]:
    """Palettes that give a value, where it is used, another colour than most do."""
    usual = _usual_colours(masks)
    for stats, mask in masks:
        if not mask.palette:
            continue
        conflict = _find_conflict(mask.palette, mask.values.tolist(), usual)
        if conflict:
            yield stats.mask_issue("palettes-differ", conflict)


def _find_conflict(
    palette: tuple[Colour, ...],
    values: Sequence[int],
    usual: Mapping[int, Colour],
) -> str:
    """The first value with an unusual colour, as text; empty where there is none."""
    for value in values:
        # A PNG may hold a palette that ends before the highest value that is drawn: such a value
        # has no colour of its own to compare.
        if value >= len(palette) or value not in usual:
            continue
        colour = palette[value]
        if _distance(colour, usual[value]) > _SAME_SHADE:
            return f"value {value} is {colour}, elsewhere {usual[value]}"
    return ""


def _usual_colours(masks: Sequence[MeasuredMask]) -> dict[int, Colour]:
    """The colour that most palettes give to a value."""
    # Palettes first, as a set of thousands of masks has few different ones.
    palettes = Counter(mask.palette for _, mask in masks if mask.palette)
    colours: dict[int, Counter[Colour]] = defaultdict(Counter)
    for palette, count in palettes.items():
        for value, colour in enumerate(palette):
            colours[value][colour] += count
    return {value: counts.most_common(1)[0][0] for value, counts in colours.items()}


def _distance(first: Colour, second: Colour) -> int:
    differences = (abs(a - b) for a, b in zip(first, second, strict=True))
    return max(differences)
