"""Judging from all masks of a plain folder, and from its classes file, how they are written."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pixelwise.classes import VOID, Classes, Colour, voc_colormap
from pixelwise.datasets.class_files import ClassEntry, DeclaredClasses
from pixelwise.datasets.mask_encoding import Form, MaskEncoding, is_lossy
from pixelwise.datasets.mask_reader import pack_colour, unpack
from pixelwise.datasets.pair_stats import MaskStats

MAX_GUESSED = 64
"""Ids from here on, and more colours than this, are hardly classes where none are declared."""
FEW_MASKS = 10
"""With fewer masks than this, that a value is in one of them alone says nothing."""

_GREY = 0x010101
# Colours of classes that were not declared differ by more than this in some channel.
_NEAR = 24
# A mask that is smaller than this on a side has no room for areas.
_SMALLEST = 4
# Of a lossy mask of 0 and 255, the two classes lie below and above; this share of its pixels lies
# there, and this share of the areas on either side has one value.
_DARK = 64
_LIGHT = 191
_MOST = 0.95
_RINGING = 8
# A mask of 0, 1 and 255 says that 255 is void; it weighs more than one of other small numbers.
_VOID_WEIGHT = 20


def find_encoding(masks: Sequence[MaskStats], declared: DeclaredClasses) -> MaskEncoding:
    """Judge a plain folder's masks. The classes file goes before what is seen; what is rare and odd
    is no class.
    """
    alpha = 2 * sum(stats.in_alpha for stats in masks) > len(masks)
    if alpha:
        masks = [replace(_no_classes(declared), alpha=True).interpret(stats) for stats in masks]
    coloured = [stats for stats in masks if stats.coloured]
    by_colour = 2 * len(coloured) > len(masks) or _mostly_coloured(masks)
    if declared.classes and (declared.colours or not by_colour):
        encoding = _declared(masks, declared, by_colour=by_colour)
    elif by_colour:
        encoding = _by_colour([_as_colours(stats) for stats in masks if stats.rgb])
    else:
        encoding = _by_value([stats for stats in masks if not stats.coloured])
    return replace(encoding, alpha=alpha)


def _no_classes(declared: DeclaredClasses) -> MaskEncoding:
    """An encoding without values, to interpret masks with before theirs is known."""
    names = tuple(entry.name for entry in declared.classes) or ("class 0",)
    return MaskEncoding("ids", "", "", Classes.named(names), ())


def _mostly_coloured(masks: Sequence[MaskStats]) -> bool:
    """Whether masks of colours, of which some happen to be grey everywhere, are most.

    Grey ones of one value (background alone) tell nothing.
    """
    rgb = [stats for stats in masks if stats.rgb]
    coloured = sum(stats.coloured for stats in rgb)
    telling = sum(not stats.coloured and stats.distinct > 1 for stats in rgb)
    return coloured > telling and 2 * len(rgb) > len(masks)


def _as_colours(stats: MaskStats) -> MaskStats:
    if stats.coloured:
        return stats
    table = stats.table.copy()
    table[0] *= _GREY
    return replace(stats, coloured=True, table=table)


def _declared(
    masks: Sequence[MaskStats], declared: DeclaredClasses, *, by_colour: bool
) -> MaskEncoding:
    classes = declared.classes
    names = tuple(entry.name for entry in classes)
    if len(names) == 1:  # training refuses this; what is meant is plain
        classes = (ClassEntry(0, "background"), replace(classes[0], raw=1, colour=None))
        names = tuple(entry.name for entry in classes)
    colours = tuple(entry.colour for entry in classes if entry.colour)
    renumbered = any(entry.raw != label for label, entry in enumerate(classes))
    palette = () if renumbered else _found_palette(masks, len(names))
    table = {VOID: VOID} | {entry.raw: VOID for entry in declared.void}
    table |= {entry.raw: label for label, entry in enumerate(classes)}
    packed = {pack_colour(entry.colour): VOID for entry in declared.void if entry.colour}
    packed |= {
        pack_colour(entry.colour): label for label, entry in enumerate(classes) if entry.colour
    }
    grey_as_numbers = not _greys_are_colours(masks, packed, table)
    # Masks with a palette say what colours mean in those without.
    packed = packed or dict(_packed(palette))
    void_is_255 = table[VOID] == VOID and all(entry.raw != VOID for entry in declared.void)
    numbers = [stats for stats in masks if not stats.coloured]
    binary = len(names) == 2 and void_is_255 and _is_binary(_lossless(numbers))
    if binary:
        table = {0: 0, VOID: 1}
    in_colours = bool(colours) and by_colour
    source = declared.source.name if declared.source else ""
    return MaskEncoding(
        "binary" if binary else "colours" if in_colours else "ids",
        "0 and 255" if binary else "RGB colours" if in_colours else "class ids",
        f"{len(names)} classes by {source}",
        Classes(
            names, colours if len(colours) == len(names) else palette or voc_colormap(len(names))
        ),
        tuple(sorted(table.items())),
        tuple(sorted(packed.items())),
        binary=binary,
        grey_as_numbers=grey_as_numbers,
    )


def _greys_are_colours(
    masks: Sequence[MaskStats], colours: dict[int, int], values: dict[int, int]
) -> bool:
    """Whether RGB masks that are grey everywhere are read by the declared colours: unless more of
    them make sense as numbers.
    """
    if not colours:
        return False
    grey = [set(stats.values.tolist()) for stats in masks if stats.rgb and not stats.coloured]
    as_colours = sum({level * _GREY for level in levels} <= colours.keys() for levels in grey)
    as_numbers = sum(levels <= values.keys() for levels in grey)
    return as_colours >= as_numbers


def _by_colour(masks: Sequence[MaskStats]) -> MaskEncoding:
    """Colours that fill areas are classes; those seen only along borders or in specks are not."""
    pixels = Counter[int]()
    solid = Counter[int]()
    files = Counter[int]()
    lossless = _lossless(masks)
    roomy = any(min(stats.file.size) >= _SMALLEST for stats in masks)
    for stats in lossless:
        values = stats.values.tolist()
        areas = stats.solid if roomy else stats.counts
        for value, count, area in zip(values, stats.counts.tolist(), areas.tolist(), strict=True):
            pixels[value] += count
            solid[value] += area
            files[value] += 1
    total = sum(pixels.values())
    # In few masks of few colours, like colours are no noise: they are all that was drawn.
    few = len(lossless) < FEW_MASKS and len(pixels) <= MAX_GUESSED
    legal: list[int] = []
    for value, area in solid.most_common(255):
        apart = min((_distance(value, colour) for colour in legal), default=255)
        alone = files[value] == 1 and len(lossless) >= FEW_MASKS and pixels[value] < 1e-4 * total
        own = apart > _NEAR or (
            apart > _NEAR // 3 and area > 0.6 * pixels[value] and files[value] > 2
        )
        if area > 1e-5 * total and (own or few) and not alone and len(legal) < 254:
            legal.append(value)
    legal.sort()
    # Of noise, no colour is a class.
    palette = tuple(unpack(value) for value in legal) or voc_colormap(1)
    classes = Classes(tuple(f"class {label}" for label in range(len(palette))), palette)
    evidence = f"{len(legal)} colours fill areas, of {len(pixels)} that occur in {len(masks)} masks"
    numbers = [*((label, label) for label in range(len(palette))), (VOID, VOID)]
    colours = tuple((value, label) for label, value in enumerate(legal))
    return MaskEncoding(
        "colours",
        "RGB colours",
        evidence,
        classes,
        tuple(numbers),
        colours,
        declared=False,
        grey_as_numbers=not colours,
    )


def _by_value(masks: Sequence[MaskStats]) -> MaskEncoding:
    lossless = _lossless(masks)
    if _is_binary(lossless):
        evidence = (
            f"0 and 255 fill the areas of {len(masks)} masks: 0 is the first class, 255 the "
            "second, none is void"
        )
        return _two_classes("binary", (0, VOID), evidence)
    pair = _high_pair(lossless)
    if pair:
        evidence = (
            f"{pair[0]} and {pair[1]} alone fill the areas of {len(masks)} masks: both are "
            "classes, none is void"
        )
        return _two_classes("pair", pair, evidence)
    top = max(_class_ids(lossless), default=0)
    classes = Classes(
        tuple(f"class {label}" for label in range(top + 1)),
        _found_palette(lossless, top + 1) or voc_colormap(top + 1),
    )
    values = (*((label, label) for label in range(top + 1)), (VOID, VOID))
    palettes = sum(stats.palette is not None for stats in masks)
    evidence = (
        f"values 0 to {top} in {len(masks)} masks, {palettes} of them with a palette; 255 is void"
    )
    kind = "class ids" + " with palette" * (2 * palettes > len(masks))
    distinct = len(set(classes.palette)) == len(classes)
    colours = tuple(sorted(_packed(classes.palette))) if palettes and distinct else ()
    return MaskEncoding("ids", kind, evidence, classes, values, colours, declared=False)


def _two_classes(form: Form, raws: tuple[int, int], evidence: str) -> MaskEncoding:
    classes = Classes.named(("background", "foreground"))
    values = ((raws[0], 0), (raws[1], 1))
    kind = f"{raws[0]} and {raws[1]}"
    return MaskEncoding(form, kind, evidence, classes, values, declared=False, binary=True)


def _is_binary(masks: Sequence[MaskStats]) -> bool:
    """Whether most masks are of 0 and 255 alone, and those of small numbers besides do not make 255
    void.
    """
    if masks and set().union(*(stats.values.tolist() for stats in masks)) == {0, VOID}:
        return True
    areas = [_areas(stats) for stats in masks]
    two = [area for area in areas if area <= {0, VOID}]
    full = sum(area == {0, VOID} for area in two)
    more = sum(bool(area - {0, VOID}) and VOID in area for area in areas)
    void = sum({1, VOID} <= area <= {0, 1, VOID} for area in areas)
    most = 2 * len(two) > len(masks) and 4 * more <= full
    return full > 0 and most and _VOID_WEIGHT * void <= full


def _high_pair(masks: Sequence[MaskStats]) -> tuple[int, int] | None:
    """The two values of masks that have no others, where both are too high for ids and no palette
    numbers them.
    """
    areas = [_areas(stats) for stats in masks if not stats.palette]
    values = sorted(set().union(*areas))
    alone = len(values) == 2 and len(areas) == len(masks) and values[0] >= MAX_GUESSED
    if not alone or not any(len(area) == 2 for area in areas):
        return None
    return values[0], values[1]


def _lossless(masks: Sequence[MaskStats]) -> list[MaskStats]:
    """The masks whose format keeps values; all where none does."""
    return [stats for stats in masks if not is_lossy(stats)] or list(masks)


def _areas(stats: MaskStats) -> set[int]:
    """The values that fill at least a 500th of a mask; ringing around 0 and 255 is no value of its
    own.
    """
    fills = stats.counts * 500 >= stats.counts.sum()
    values = stats.values[fills].tolist()
    if is_lossy(stats) and _rings(stats):
        return {0 if value < _DARK else VOID for value in values if not _DARK <= value <= _LIGHT}
    return set(values)


def _rings(stats: MaskStats) -> bool:
    """Whether a lossy mask is of 0 and 255: dark or light nearly everywhere, and of one value in
    all dark areas.

    Ids as JPEG are dark as well, but their areas have several values.
    """
    dark = stats.values < _DARK
    light = stats.values > _LIGHT
    for side, end in ((dark, 0), (light, VOID)):
        solid = stats.solid[side]
        values = stats.values[side]
        if not solid.sum():
            continue
        if solid.max() < _MOST * solid.sum() or abs(int(values[solid.argmax()]) - end) > _RINGING:
            return False
    return bool(stats.counts[dark | light].sum() >= _MOST * stats.counts.sum())


def _class_ids(masks: Sequence[MaskStats]) -> set[int]:
    """The values that are class ids: not 255, and not above a gap in one mask alone or from 64 on
    without palette.
    """
    files = Counter[int]()
    pixels = Counter[int]()
    for stats in masks:
        files.update(stats.values.tolist())
        for value, count in zip(stats.values.tolist(), stats.counts.tolist(), strict=True):
            pixels[value] += count
    total = sum(pixels.values())
    rare = max(1, len(masks) // 100)
    ids: set[int] = set()
    for value in sorted(value for value in files if 0 <= value < VOID):
        gap = value > max(ids, default=-1) + 1
        few = files[value] <= rare and len(masks) >= FEW_MASKS
        stray = few and pixels[value] < 1e-3 * total
        if gap and (stray or (value >= MAX_GUESSED and not masks[0].palette)):
            continue
        ids.add(value)
    return ids


def _found_palette(masks: Sequence[MaskStats], count: int) -> tuple[Colour, ...]:
    """The palette that most masks have, of those with a colour for each class; none where it is a
    ramp of greys. A PNG may keep only the colours that it uses.
    """
    usual = Counter(
        stats.palette for stats in masks if stats.palette and len(stats.palette) >= count
    )
    if not usual:
        return ()
    palette = max(usual, key=lambda colours: (usual[colours], len(colours)))
    colours = palette[:count]
    return colours if any(len(set(colour)) > 1 for colour in colours) else ()


def _distance(a: int, b: int) -> int:
    return max(abs(x - y) for x, y in zip(unpack(a), unpack(b), strict=True))


def _packed(palette: tuple[Colour, ...]) -> Iterator[tuple[int, int]]:
    return ((pack_colour(colour), label) for label, colour in enumerate(palette))
