"""Palettes of the masks of one data set: whether a value has the same colour in all of them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pixelwise.classes import Colour
from pixelwise.datasets.pair_stats import MaskStats
from pixelwise.datasets.raw_mask import pack_colour

# Colours of a value that differ by more than this in some channel are two colours; a palette that
# was rounded to 5 bits a channel stays within it.
_SAME_SHADE = 8


def are_read_by_colour(
    masks: Sequence[MaskStats], values: Mapping[int, int], colours: Mapping[int, int]
) -> bool:
    """Whether the colours of palettes are the classes, not the values.

    `values` and `colours` are labels by value and by packed colour, of which the latter were
    declared: colours count where all were declared and one is another class than its value. Where
    none were, they count if values have other colours from file to file, of which there are no
    more than values.
    """
    with_palette = [stats for stats in masks if _has_palette(stats)]
    used = {
        (value, pack_colour(colour))
        for stats in with_palette
        for value, colour in _used(stats).items()
    }
    drawn = set[int]().union(*(stats.drawn for stats in with_palette))
    if any(len(_used(stats)) < len(stats.drawn) for stats in with_palette):
        return False
    if colours:
        known = all(colour in colours for _, colour in used)
        return known and any(values.get(value) != colours[colour] for value, colour in used)
    return len({colour for _, colour in used}) <= len(drawn) and bool(find_conflicts(with_palette))


def find_conflicts(masks: Sequence[MaskStats]) -> dict[int, str]:
    """By the position of a mask: the first value that has another colour in its palette than in
    most, as text.
    """
    usual = _usual_colours(masks)
    # Thousands of masks have few palettes and few sets of values.
    known: dict[tuple[tuple[Colour, ...], frozenset[int]], str] = {}
    conflicts = {}
    for position, stats in enumerate(masks):
        if not _has_palette(stats) or not stats.palette:
            continue
        key = (stats.palette, frozenset(stats.drawn))
        if key not in known:
            known[key] = _find_conflict(_used(stats), usual)
        if known[key]:
            conflicts[position] = known[key]
    return conflicts


def _has_palette(stats: MaskStats) -> bool:
    """Whether a mask has a palette of more than greys: a ramp of greys shows values, no classes."""
    return any(len(set(colour)) > 1 or colour[0] != value for value, colour in _used(stats).items())


def _used(stats: MaskStats) -> dict[int, Colour]:
    """Colours by value, of those values that are drawn."""
    palette = stats.palette or ()
    # A PNG may hold a palette that ends before the highest value that is drawn: such a value has
    # no colour of its own to compare.
    return {value: palette[value] for value in sorted(stats.drawn) if 0 <= value < len(palette)}


def _find_conflict(used: Mapping[int, Colour], usual: Mapping[int, Colour]) -> str:
    for value, colour in used.items():
        if value in usual and _distance(colour, usual[value]) > _SAME_SHADE:
            return f"value {value} is {colour}, elsewhere {usual[value]}"
    return ""


def _usual_colours(masks: Sequence[MaskStats]) -> dict[int, Colour]:
    """The colour that most palettes give to a value."""
    # Palettes first, as a set of thousands of masks has few different ones.
    palettes = Counter(_palettes(masks))
    colours: dict[int, Counter[Colour]] = defaultdict(Counter)
    for palette, count in palettes.items():
        for value, colour in enumerate(palette):
            colours[value][colour] += count
    return {value: counts.most_common(1)[0][0] for value, counts in colours.items()}


def _palettes(masks: Sequence[MaskStats]) -> Iterator[tuple[Colour, ...]]:
    for stats in masks:
        if stats.palette and _has_palette(stats):
            yield stats.palette


def _distance(first: Colour, second: Colour) -> int:
    differences = (abs(a - b) for a, b in zip(first, second, strict=True))
    return max(differences)
