"""Judging from all masks of a plain folder, and from its classes file, how they are written."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pixelwise.classes import VOID, Classes, Colour
from pixelwise.datasets.class_files import ClassEntry, DeclaredClasses
from pixelwise.datasets.guess_colours import guess_colours
from pixelwise.datasets.guess_values import (
    guess_values,
    is_binary,
    number_colours,
    usual_palette,
    without_lossy,
)
from pixelwise.datasets.mask_encoding import Form, MaskEncoding
from pixelwise.datasets.mixed_masks import find_stretch, is_void_drawn
from pixelwise.datasets.pair_stats import MaskStats
from pixelwise.datasets.palettes import are_read_by_colour
from pixelwise.datasets.raw_mask import pack_colour
from pixelwise.palette import default_palette

_GREY = 0x010101
_BACKGROUND_AND_OBJECT = 2
# What the user reads.
_KINDS = {"binary": "0 and 255", "colours": "RGB colours", "ids": "class ids"}


def find_encoding(
    masks: Sequence[MaskStats], declared: DeclaredClasses, *, instances: bool = False
) -> MaskEncoding:
    """Judge a plain folder's masks. The classes file goes before what is seen; what is rare and odd
    is no class. With `instances`, all values above 0 are one class.
    """
    if instances:
        return _instances_encoding(len(masks), declared)
    in_alpha = 2 * sum(stats.in_alpha for stats in masks) > len(masks)
    if in_alpha:
        # Masks of one class alone have one colour and one alpha: the others say which of them
        # counts.
        reading = replace(_without_values(declared), alpha=True)
        masks = [reading.interpret(stats) for stats in masks]
    nameless = bool(declared.classes and not declared.colours)
    by_palette = not nameless and are_read_by_colour(
        masks,
        _declared_values(declared.classes, declared.void),
        _declared_colours(declared.classes, declared.void),
    )
    if by_palette:
        reading = replace(_without_values(declared), by_palette=True)
        masks = [reading.interpret(stats) for stats in masks]
    by_colour = _is_by_colour(masks)
    if declared.classes and (declared.colours or not by_colour):
        encoding = _encoding_by_file(masks, declared, by_colour=by_colour)
    elif by_colour:
        encoding = guess_colours([_as_colours(stats) for stats in masks if stats.rgb])
    else:
        encoding = _guess_numbers([stats for stats in masks if not stats.coloured])
    return replace(
        encoding,
        alpha=in_alpha,
        by_palette=by_palette,
        void_drawn=_declares(declared, VOID) or is_void_drawn(masks, len(encoding.classes)),
    )


def _guess_numbers(masks: Sequence[MaskStats]) -> MaskEncoding:
    """As `guess_values`, of the masks whose ids were not multiplied where those of others were."""
    stretch = find_stretch(masks)
    if not stretch:
        return guess_values(masks)
    low = [stats for stats in masks if max(stats.drawn - {VOID}, default=0) < stretch]
    ids = [stats for stats in low if VOID not in stats.drawn] or low
    return replace(guess_values(ids), stretch=stretch)


def _instances_encoding(masks: int, declared: DeclaredClasses) -> MaskEncoding:
    """Objects are the one class beside the background, under the names of a classes file of two."""
    names = tuple(entry.name for entry in declared.classes)
    if len(names) == 1:
        names = ("background", *names)
    if len(names) != _BACKGROUND_AND_OBJECT:
        names = ("background", "foreground")
    return MaskEncoding(
        "ids",
        "one id per object",
        f"0 is {names[0]}, every id above it {names[1]}, in {masks} masks",
        Classes.named(names),
        ((0, 0), (1, 1)),
        instances=True,
    )


def _declares(declared: DeclaredClasses, raw: int) -> bool:
    return any(entry.raw == raw for entry in (*declared.classes, *declared.void))


def _without_values(declared: DeclaredClasses) -> MaskEncoding:
    """An encoding without values, to interpret masks with before theirs is known."""
    names = tuple(entry.name for entry in declared.classes) or ("class 0",)
    return MaskEncoding(
        "ids",
        "",
        "",
        Classes.named(names),
        (),
    )


def _is_by_colour(masks: Sequence[MaskStats]) -> bool:
    """Whether most masks hold colours, of which some may happen to be grey everywhere.

    Grey ones of one value (background alone) tell nothing.
    """
    coloured = sum(stats.coloured for stats in masks)
    if 2 * coloured > len(masks):
        return True
    rgb = [stats for stats in masks if stats.rgb]
    coloured_rgb = sum(stats.coloured for stats in rgb)
    grey_with_classes = sum(not stats.coloured and stats.distinct > 1 for stats in rgb)
    return coloured_rgb > grey_with_classes and 2 * len(rgb) > len(masks)


def _as_colours(stats: MaskStats) -> MaskStats:
    if stats.coloured:
        return stats
    table = stats.table.copy()
    table[0] *= _GREY
    return replace(stats, coloured=True, table=table)


def _encoding_by_file(
    masks: Sequence[MaskStats], declared: DeclaredClasses, *, by_colour: bool
) -> MaskEncoding:
    """The encoding that a classes file declares."""
    entries = declared.classes
    if len(entries) == 1:  # training refuses this; what is meant is plain
        foreground = replace(entries[0], raw=1, colour=None)
        entries = (ClassEntry(0, "background"), foreground)
    names = tuple(entry.name for entry in entries)
    class_colours = tuple(entry.colour for entry in entries if entry.colour)
    palette = _palette_of_masks(masks, entries)
    values = _declared_values(entries, declared.void)
    colours = _declared_colours(entries, declared.void)
    grey_as_numbers = not _greys_are_colours(masks, colours, values)
    binary = _is_declared_binary(masks, values, declared)
    if binary:
        values = {0: 0, VOID: 1}
    form = _form(binary=binary, in_colours=bool(class_colours) and by_colour)
    shown = class_colours if len(class_colours) == len(names) else palette
    # Masks with a palette say what colours mean in those without.
    colours = colours or number_colours(palette)
    source = declared.source.name if declared.source else ""
    return MaskEncoding(
        form,
        _KINDS[form],
        f"{len(names)} classes by {source}",
        Classes(names, shown or default_palette(names)),
        tuple(sorted(values.items())),
        tuple(sorted(colours.items())),
        binary=binary,
        grey_as_numbers=grey_as_numbers,
    )


def _form(*, binary: bool, in_colours: bool) -> Form:
    if binary:
        return "binary"
    return "colours" if in_colours else "ids"


def _palette_of_masks(
    masks: Sequence[MaskStats], entries: Sequence[ClassEntry]
) -> tuple[Colour, ...]:
    """The palette of the masks, where its places are class ids."""
    renumbered = any(entry.raw != label for label, entry in enumerate(entries))
    return () if renumbered else usual_palette(masks, len(entries))


def _declared_values(entries: Sequence[ClassEntry], void: Sequence[ClassEntry]) -> dict[int, int]:
    """Labels by raw value. 255 is void unless the file makes a class of it."""
    values = {VOID: VOID}
    values.update((entry.raw, VOID) for entry in void)
    values.update((entry.raw, label) for label, entry in enumerate(entries))
    return values


def _declared_colours(entries: Sequence[ClassEntry], void: Sequence[ClassEntry]) -> dict[int, int]:
    """Labels by packed colour."""
    colours: dict[int, int] = {}
    for entry in void:
        if entry.colour:
            colours[pack_colour(entry.colour)] = VOID
    for label, entry in enumerate(entries):
        if entry.colour:
            colours[pack_colour(entry.colour)] = label
    return colours


def _is_declared_binary(
    masks: Sequence[MaskStats], values: Mapping[int, int], declared: DeclaredClasses
) -> bool:
    """Whether masks of two declared classes hold 0 and 255, and the file gives 255 no meaning."""
    classes = set(values.values()) - {VOID}
    void_is_named = any(entry.raw == VOID for entry in declared.void)
    if len(classes) != 2 or values[VOID] != VOID or void_is_named:
        return False
    numbers = [stats for stats in masks if not stats.coloured]
    return is_binary(without_lossy(numbers))


def _greys_are_colours(
    masks: Sequence[MaskStats],
    colours: Mapping[int, int],
    values: Mapping[int, int],
) -> bool:
    """Whether RGB masks that are grey everywhere are read by the declared colours: unless more of
    them make sense as numbers.
    """
    if not colours:
        return False
    as_colours = 0
    as_numbers = 0
    for stats in masks:
        if stats.rgb and not stats.coloured:
            levels = stats.values.tolist()
            as_colours += all(level * _GREY in colours for level in levels)
            as_numbers += all(level in values for level in levels)
    return as_colours >= as_numbers
