"""What training refuses of a plain folder's masks: values that no class explains, and masks that
show no way to read them.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from pixelwise.classes import MAX_CLASSES, VOID
from pixelwise.datasets.class_files import DeclaredClasses
from pixelwise.datasets.guess_values import MAX_GUESSED
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding, is_lossy
from pixelwise.datasets.pair_stats import MaskSource, MaskStats, PairStats
from pixelwise.datasets.raw_mask import unpack
from pixelwise.datasets.strays import MANY_STRAYS, Strays, find_variant, read_nearest
from pixelwise.datasets.types import first
from pixelwise.errors import DataError, PixelwiseError

_GREY = 0x010101
_NAME_THEM = (
    "name the classes in classes.txt (one name a line, in order of the values) or classes.csv "
    "(name,r,g,b)"
)
_REPAIR = f"correct the mask, {_NAME_THEM}, or write a repaired copy with `pixelwise check --fix`"
_VARIANTS = {
    "one": "0 and 1, where the other masks hold 0 and 255",
    "full": "0 and 255, where the other masks hold 0 and 1: 255 would be read as void",
    "palette": "numbers with a palette, where the other masks are in colours",
}


def check_masks(
    pairs: Sequence[PairStats], encoding: MaskEncoding, declared: DeclaredClasses
) -> None:
    """Raise DataError for masks of which a training would learn wrong classes, or none.

    Where a classes file says what values mean, a mask that holds another is refused when it is
    read.
    """
    if declared.source:
        _check_declared(pairs, declared)
        if declared.colours or encoding.form != "colours":
            return
    _check_colours(pairs, encoding, declared)
    _check_values(pairs, encoding)
    for stats in pairs:
        # One stray pixel is enough: as a class of its own it would cost a channel and a score.
        issue = _find_odd(stats, encoding)
        if issue:
            raise DataError.of_file(issue.file, issue.text, _REPAIR)


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
    type = "mask-lossy" if is_lossy(mask) else "encodings-mixed"
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
    variant = find_variant(mask, encoding)
    if variant:
        return variant_issue(stats, variant)
    return stray_issue(stats, encoding, MaskSource())


def _check_declared(pairs: Sequence[PairStats], declared: DeclaredClasses) -> None:
    source = declared.source
    count = len(declared.classes)
    lacking = count - len(declared.colours)
    if declared.colours and lacking:
        raise DataError(f"{source}: {lacking} of {count} classes lack a colour; give all or none")
    if count == 1 and _list_values(pairs) == {0, VOID}:
        raise DataError(
            f"{source}: names 1 class, but the masks hold 0 and 255; name both, the one of 0 first"
        )
    if count < 2:
        raise DataError(
            f"{source}: names {count} class; two at least are needed: write one "
            "name a line, in order of the values"
        )


def _check_colours(
    pairs: Sequence[PairStats], encoding: MaskEncoding, declared: DeclaredClasses
) -> None:
    coloured = _first_mask(pairs, lambda mask: mask.coloured)
    if coloured is None:
        return
    colours = _list_colours(pairs)
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
    if _are_hardly_ids(masks, values, encoding):
        raise DataError(
            f"{masks[0].pair.mask}: the masks hold {len(values)} different values up to "
            f"{max(values)}, which are hardly class ids; a soft mask (an alpha matte, which "
            "belongs in a file called NAME_matte.png), one saved as JPEG or resized smoothly "
            f"looks so: save it again as PNG, or {_NAME_THEM}"
        )


def _are_hardly_ids(
    masks: Sequence[PairStats],
    values: set[int],
    encoding: MaskEncoding,
) -> bool:
    """Whether values are too high and too many for ids: with a palette, high ones may be meant."""
    highest = max(values - {VOID})
    strange = values - {raw for raw, _ in encoding.values}
    hopeless = len(strange) >= MANY_STRAYS or len(encoding.classes) < 2
    if highest >= MAX_CLASSES and (strange or hopeless):
        return True
    with_palette = any(stats.mask and stats.mask.palette for stats in masks)
    return hopeless and highest >= MAX_GUESSED and not with_palette


def _list_values(pairs: Sequence[PairStats], encoding: MaskEncoding | None = None) -> set[int]:
    values: set[int] = set()
    for stats in pairs:
        if stats.mask:
            mask = encoding.interpret(stats.mask) if encoding else stats.mask
            values.update(mask.values.tolist())
    return values
