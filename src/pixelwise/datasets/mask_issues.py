"""What training refuses of a plain folder's masks: values that no class explains, and masks that
show no way to read them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pixelwise.classes import MAX_CLASSES, VOID
from pixelwise.datasets.class_files import DeclaredClasses
from pixelwise.datasets.guess_values import MAX_GUESSED
from pixelwise.datasets.issues import Issue, raise_first
from pixelwise.datasets.mask_encoding import MaskEncoding, is_damaged
from pixelwise.datasets.mask_reader import describe_ways
from pixelwise.datasets.pair_stats import MaskSource, MaskStats, PairStats
from pixelwise.datasets.raw_mask import unpack
from pixelwise.datasets.set_issues import find_set_issues
from pixelwise.datasets.strays import MANY_STRAYS, Strays, find_variant, read_nearest
from pixelwise.datasets.types import first
from pixelwise.errors import DataError, PixelwiseError

_GREY = 0x010101
# A network tells classes apart: of one there is nothing to learn.
_FEWEST = 2
# So many values may be listed, and be classes though their numbers are far apart.
_FEW_VALUES = 12
_NAME_THEM = (
    "name the classes in classes.txt (one name a line, in order of the values) or classes.csv "
    "(name,r,g,b)"
)
_REPAIR = f"correct the mask, {_NAME_THEM}, or write a repaired copy with `pixelwise check --fix`"
_VARIANTS = {
    "one": "0 and 1, where the other masks hold 0 and 255",
    "full": "0 and 255, where the other masks hold ids from 0: 255 would be read as void",
    "stretched": "ids times a number, where the other masks hold ids from 0",
    "palette": "numbers with a palette, where the other masks are in colours",
}


def check_masks(
    pairs: Sequence[PairStats], encoding: MaskEncoding, declared: DeclaredClasses
) -> None:
    """Raise DataError for masks of which a training would learn wrong classes, or none.

    Where a classes file says what values mean, a mask that holds another is refused when it is
    read.
    """
    raise_first(find_set_issues(pairs, encoding, declared))
    if encoding.by_palette:
        pairs = [_interpret(stats, encoding) for stats in pairs]
    if declared.source:
        _check_declared(pairs, declared)
    _check_variants(pairs, encoding)
    if declared.source:
        _check_lossy(pairs, encoding)
        if declared.colours or encoding.form != "colours":
            return
    _check_colours(pairs, encoding, declared)
    _check_values(pairs, encoding)
    _check_lossy(pairs, encoding)
    for stats in pairs:
        # One stray pixel is enough: as a class of its own it would cost a channel and a score.
        issue = _find_odd(stats, encoding)
        if issue:
            raise DataError.of_file(issue.file, issue.text, _way_out(stats, encoding))


def _interpret(stats: PairStats, encoding: MaskEncoding) -> PairStats:
    return replace(stats, mask=encoding.interpret(stats.mask)) if stats.mask else stats


def lossy_issue(stats: PairStats, mask: MaskStats) -> Issue:
    """A mask whose ids may have become others, as its format changes values."""
    return stats.mask_issue("mask-lossy", f"is {mask.file.format}, which changes class ids")


def _check_lossy(pairs: Sequence[PairStats], encoding: MaskEncoding) -> None:
    """Raise DataError for a mask of a lossy format whose values all have a meaning: which of them
    were drawn, nothing says.
    """
    for stats in pairs:
        mask = stats.mask and encoding.interpret(stats.mask)
        if mask and is_damaged(mask, encoding) and encoding.all_legal(mask):
            issue = lossy_issue(stats, mask)
            raise DataError.of_file(issue.file, issue.text, "export the masks again, as PNG")


def _way_out(stats: PairStats, encoding: MaskEncoding) -> str:
    """What to do about a mask's values that have no meaning."""
    mask = stats.mask and encoding.interpret(stats.mask)
    if not mask:
        return _REPAIR
    strange = mask.values[~encoding.legal(mask)].tolist()
    if not 0 < len(strange) < MANY_STRAYS:
        return _REPAIR
    return describe_ways(strange[0], mask.coloured)


def _check_variants(pairs: Sequence[PairStats], encoding: MaskEncoding) -> None:
    """Raise DataError for masks that are written in another way than the others."""
    variants = []
    for stats in pairs:
        if stats.mask:
            variant = find_variant(encoding.interpret(stats.mask), encoding)
            if variant:
                variants.append((stats.pair.mask, variant))
    if variants:
        path, variant = variants[0]
        count = f"{len(variants)} of {len(pairs)} masks are written in another way, the first: "
        raise DataError(
            f"{count}{path}: {_VARIANTS[variant]}; write all alike, as `pixelwise check --fix` does"
        )


def variant_issue(stats: PairStats, variant: str) -> Issue:
    """A mask that is written in another way than the others."""
    return stats.mask_issue("encodings-mixed", _VARIANTS[variant])


def stray_issue(
    stats: PairStats,
    encoding: MaskEncoding,
    source: MaskSource,
) -> Issue | None:
    """The first pixel of a mask whose value has no meaning; the mask is read once more."""
    mask = stats.mask
    if mask is None or (encoding.form == "matte" and mask.coloured):
        return stats.mask_issue("encodings-mixed", "a matte in colours; it must be grey")
    try:
        _, strays = read_nearest(stats.pair, mask, encoding, source)
    except DataError as error:
        return stats.mask_issue("mask-unreadable", error.reason)
    except (PixelwiseError, OSError) as error:
        return stats.mask_issue("mask-unreadable", str(error))
    return None if strays is None else _describe_strays(stats, mask, encoding, strays)


def _describe_strays(
    stats: PairStats, mask: MaskStats, encoding: MaskEncoding, strays: Strays
) -> Issue:
    if mask.coloured and not encoding.colours:
        return _describe_colours(stats, mask, encoding, strays)
    row, column = strays.first
    what = "value"
    if strays.distinct > 1:
        what = f"{strays.distinct} values, the first"
    text = (
        f"{strays.pixels} pixels of {what} {strays.value} at row {row}, column {column}; "
        f"the nearest legal is {strays.nearest}"
    )
    type = _stray_type(mask, encoding, strays)
    return stats.mask_issue(type, text, position=strays.first, count=strays.pixels)


def _describe_colours(
    stats: PairStats, mask: MaskStats, encoding: MaskEncoding, strays: Strays
) -> Issue:
    """Colours where no colour has a meaning."""
    if encoding.form == "colours":
        text = f"{mask.distinct} colours, none of which fills an area"
        return stats.mask_issue("colour-stray", text, position=strays.first, count=strays.pixels)
    type = "mask-lossy" if mask.lossy else "encodings-mixed"
    text = "in colours, where the other masks hold numbers"
    return stats.mask_issue(type, text, position=strays.first)


def _stray_type(mask: MaskStats, encoding: MaskEncoding, strays: Strays) -> str:
    if not mask.coloured and int(mask.values.max()) > VOID:
        return "value-large"
    doubtful = strays.type == "value-outside-classes" and not encoding.declared
    return "value-doubtful" if doubtful else strays.type


def _find_odd(stats: PairStats, encoding: MaskEncoding) -> Issue | None:
    """Why a mask cannot be read as the others."""
    if stats.mask is None:
        return None
    mask = encoding.interpret(stats.mask)
    if encoding.all_legal(mask):
        return None
    return stray_issue(stats, encoding, MaskSource())


def _check_declared(pairs: Sequence[PairStats], declared: DeclaredClasses) -> None:
    source = declared.source
    count = len(declared.classes)
    lacking = count - len(declared.colours)
    if declared.colours and lacking:
        raise DataError(f"{source}: {lacking} of {count} classes lack a colour; give all or none")
    values = _list_values(pairs)
    if count > 1 and min(values - {VOID}, default=0) == 1 and max(values - {VOID}) == count:
        _check_counts_from_zero(declared)
    if count == 1 and values == {0, VOID}:
        raise DataError(
            f"{source}: names 1 class, but the masks hold 0 and 255; name both, the one of 0 first"
        )
    if count < 2:
        raise DataError(
            f"{source}: names {count} class; two at least are needed: write one "
            "name a line, in order of the values"
        )


def _check_counts_from_zero(declared: DeclaredClasses) -> None:
    """Raise DataError for names that count from 0, where the masks count from 1."""
    count = len(declared.classes)
    if declared.colours or [entry.raw for entry in declared.classes] != [*range(count)]:
        return
    entries = {str(number): entry.name for number, entry in enumerate(declared.classes, 1)}
    raise DataError(
        f"{declared.source}: its {count} names count from 0, but the masks hold 1 to {count} and "
        f"no 0; name the values in classes.json in its place: "
        f"{json.dumps(entries, ensure_ascii=False)}"
    )


def _check_colours(
    pairs: Sequence[PairStats], encoding: MaskEncoding, declared: DeclaredClasses
) -> None:
    coloured = _first_mask(pairs, lambda mask: mask.coloured)
    if coloured is None:
        return
    colours = _list_colours(pairs)
    if encoding.form == "colours" and not declared.source:
        _check_spread(pairs, coloured, colours, encoding)
    if len(colours) > MAX_GUESSED and encoding.form == "colours":
        raise DataError(
            f"{coloured}: the masks hold {len(colours)} different colours, too many for "
            "classes; masks saved as JPEG or resized smoothly look so: save them again as PNG, or "
            "list the true colours in classes.csv (name,r,g,b)"
        )
    if declared.source:
        names = first(str(unpack(colour)) for colour in sorted(colours))
        raise DataError(
            f"{declared.source}: gives no colours, but the masks are in colours ({names}); "
            "list them in classes.csv, one class a line: name,r,g,b"
        )
    numbers = _first_mask(pairs, lambda mask: not mask.rgb)
    if numbers:
        raise DataError(
            f"{coloured} is in colours and {numbers} holds numbers; save all masks alike, "
            "or list the classes in classes.csv (name,r,g,b)"
        )


def _check_spread(
    pairs: Sequence[PairStats], coloured: Path, colours: set[int], encoding: MaskEncoding
) -> None:
    """Raise DataError for colours that are numbers, or those of objects."""
    names = first(str(unpack(colour)) for colour in sorted(colours))
    if len(colours) == 1:
        raise DataError(f"all {len(pairs)} masks hold only the colour {names}; {_NAME_THEM}")
    if len(encoding.classes) < _FEWEST:
        raise DataError(
            f"{coloured}: its colours are all but alike ({names}): numbers in one channel, rather "
            "than colours? save that channel as grey, or list the colours in classes.csv "
            "(name,r,g,b)"
        )


def _first_mask(pairs: Sequence[PairStats], matches: Callable[[MaskStats], bool]) -> Path | None:
    """The path of the first mask that `matches`."""
    for stats in pairs:
        if stats.mask and matches(stats.mask):
            return stats.pair.mask
    return None


def _list_colours(pairs: Sequence[PairStats]) -> set[int]:
    """The packed colours of all RGB masks, grey ones among them."""
    colours: set[int] = set()
    for stats in pairs:
        mask = stats.mask
        if mask and mask.rgb:
            # A mask that is grey everywhere was measured by its levels.
            factor = 1 if mask.coloured else _GREY
            colours.update(value * factor for value in mask.values.tolist())
    return colours


def _check_values(pairs: Sequence[PairStats], encoding: MaskEncoding) -> None:
    """Masks of numbers that are no class ids as a whole."""
    if encoding.form != "ids":
        return
    masks = [stats for stats in pairs if stats.mask]
    values = _list_values(pairs, encoding)
    ids = sorted(values - {VOID})
    if len(ids) < 2:
        listed = first(map(str, sorted(values)))
        raise DataError(f"all {len(masks)} masks hold only {listed}; {_NAME_THEM}")
    strange = values - {raw for raw, _ in encoding.values}
    if len(values) <= _FEW_VALUES and _are_far_apart(strange, encoding):
        entries = ", ".join(f'{{"id": {value}, "name": ...}}' for value in sorted(values))
        listed = ", ".join(map(str, sorted(values)))
        raise DataError(
            f"{masks[0].pair.mask}: the masks hold {len(values)} different values up to "
            f"{max(values)}, which are hardly class ids: {listed}; if they are the classes, name "
            f"them in classes.json: [{entries}], with void for what counts nowhere"
        )
    if _are_hardly_ids(masks, values, encoding):
        raise DataError(
            f"{masks[0].pair.mask}: the masks hold {len(values)} different values up to "
            f"{max(values)}, which are hardly class ids; a soft mask (an alpha matte, which "
            "belongs in a file called NAME_matte.png), one saved as JPEG or resized smoothly "
            f"looks so: save it again as PNG, or {_NAME_THEM}"
        )


def _are_far_apart(strange: set[int], encoding: MaskEncoding) -> bool:
    """Whether values of no meaning may all be classes: there are several, or else no other class
    but the first.
    """
    return len(strange) > 1 or bool(strange and len(encoding.classes) < _FEWEST)


def _are_hardly_ids(
    masks: Sequence[PairStats],
    values: set[int],
    encoding: MaskEncoding,
) -> bool:
    """Whether values are too high and too many for ids: with a palette, high ones may be meant."""
    highest = max(values - {VOID})
    strange = values - {raw for raw, _ in encoding.values}
    hopeless = len(strange) >= MANY_STRAYS or len(encoding.classes) < 2
    if highest >= MAX_CLASSES and hopeless:
        return True
    with_palette = any(stats.mask and stats.mask.palette for stats in masks)
    return hopeless and highest >= MAX_GUESSED and not with_palette


def _list_values(pairs: Sequence[PairStats], encoding: MaskEncoding | None = None) -> set[int]:
    values: set[int] = set()
    for stats in pairs:
        if stats.mask:
            mask = encoding.interpret(stats.mask) if encoding else stats.mask
            values |= mask.drawn
    return values
