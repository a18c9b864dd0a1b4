"""Masks of one data set that are written in different ways."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from pixelwise.classes import Colour
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.mask_issues import variant_issue
from pixelwise.datasets.pair_stats import MaskStats, PairStats
from pixelwise.datasets.strays import find_variant

# Colours of a value that differ by more than this in some channel are two colours.
_SAME_SHADE = 8


def find_mixed_encodings(
    masks: Sequence[tuple[PairStats, MaskStats]], encoding: MaskEncoding
) -> Iterator[Issue]:
    """Colours among numbers, numbers among colours, 0 and 1 among 0 and 255, and palettes that
    disagree.
    """
    mostly_coloured = 2 * sum(mask.coloured for _, mask in masks) > len(masks)
    for stats, mask in masks:
        variant = find_variant(mask, encoding)
        if variant:
            yield variant_issue(stats, variant)
        elif mask.coloured and encoding.colours and not mostly_coloured:
            yield _issue(stats, "encodings-mixed", "in colours, where most masks hold numbers")
        elif not mask.coloured and mostly_coloured and encoding.form == "colours":
            yield _issue(stats, "encodings-mixed", "numbers, where the other masks are in colours")
    yield from _find_other_palettes(masks)


def _issue(stats: PairStats, type: str, text: str) -> Issue:
    pair = stats.pair
    return Issue(type, pair.mask, text, image=pair.image, mask=pair.mask)


def _find_other_palettes(masks: Sequence[tuple[PairStats, MaskStats]]) -> Iterator[Issue]:
    """Palettes that give a value, where it is used, another colour than most do."""
    usual = _usual_colours(masks)
    for stats, mask in masks:
        if not mask.palette:
            continue
        for value in mask.values.tolist():
            colour = mask.palette[value] if value < len(mask.palette) else usual.get(value)
            if colour and value in usual and _distance(colour, usual[value]) > _SAME_SHADE:
                text = f"value {value} is {colour}, elsewhere {usual[value]}"
                yield _issue(stats, "palettes-differ", text)
                break


def _usual_colours(masks: Sequence[tuple[PairStats, MaskStats]]) -> dict[int, Colour]:
    """The colour that most palettes give to a value."""
    colours: dict[int, Counter[Colour]] = defaultdict(Counter)
    palettes = Counter(mask.palette for _, mask in masks if mask.palette)
    for palette, count in palettes.items():
        for value, colour in enumerate(palette):
            colours[value][colour] += count
    return {value: counts.most_common(1)[0][0] for value, counts in colours.items()}


def _distance(a: Colour, b: Colour) -> int:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))
