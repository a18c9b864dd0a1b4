"""What training refuses of a plain folder's masks: values that no class explains, and masks that
show no way to read them.
"""

from collections.abc import Sequence
from pathlib import Path

from pixelwise.classes import MAX_CLASSES, VOID
from pixelwise.datasets.class_files import DeclaredClasses
from pixelwise.datasets.find_encoding import MAX_GUESSED
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding, is_lossy
from pixelwise.datasets.mask_reader import unpack
from pixelwise.datasets.pair_stats import MaskSource, MaskStats, PairStats
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
    pairs: Sequence[PairStats], encoding: MaskEncoding, declared: DeclaredClasses, root: Path
) -> None:
    """Raise DataError for masks of which a training would learn wrong classes, or none.

    Where a classes file says what values mean, a mask that holds another is refused when it is
    read.
    """
    if declared.source:
        _check_declared(pairs, encoding, declared)
        if declared.colours or encoding.form != "colours":
            return
    _check_colours(pairs, encoding, declared)
    _check_values(pairs, encoding)
    for stats in pairs:
        issue = _odd_mask(stats, encoding)
        if issue:
            raise DataError.of_file(issue.file, issue.text, _REPAIR)


def variant_issue(stats: PairStats, variant: str) -> Issue:
    """A mask that is written in another way than the others."""
    return _issue(stats, "encodings-mixed", _VARIANTS[variant])


def stray_issue(stats: PairStats, encoding: MaskEncoding, source: MaskSource) -> Issue | None:
    """The first pixel of a mask whose value has no meaning; the mask is read once more."""
    mask = stats.mask
    if mask is None or (encoding.form == "matte" and mask.coloured):
        return _issue(stats, "encodings-mixed", "a matte in colours; it must be grey")
    try:
        _, strays = read_nearest(stats.pair, mask, encoding, source)
    except DataError as error:
        return _issue(stats, "mask-unreadable", error.reason)
    except (PixelwiseError, OSError) as error:
        return _issue(stats, "mask-unreadable", str(error))
    return None if strays is None else _describe_strays(stats, mask, encoding, strays)


def _describe_strays(
    stats: PairStats, mask: MaskStats, encoding: MaskEncoding, strays: Strays
) -> Issue:
    if mask.coloured and not encoding.colours:
        if encoding.form == "colours":
            text = f"{mask.distinct} colours, none of which fills an area"
            return _issue(stats, "colour-stray", text, strays.first, strays.pixels)
        type = "mask-lossy" if is_lossy(mask) else "encodings-mixed"
        text = "in colours, where the other masks hold numbers"
        return _issue(stats, type, text, strays.first)
    values = f"{strays.distinct} values, the first" if strays.distinct > 1 else "value"
    row, column = strays.first
    text = (
        f"{strays.pixels} pixels of {values} {strays.value} at row {row}, column {column}; "
        f"the nearest legal is {strays.nearest}"
    )
    type = _stray_type(mask, encoding, strays)
    return _issue(stats, type, text, strays.first, strays.pixels)


def _stray_type(mask: MaskStats, encoding: MaskEncoding, strays: Strays) -> str:
    if not mask.coloured and int(mask.values.max()) > VOID:
        return "value-large"
    doubtful = strays.type == "value-outside-classes" and not encoding.declared
    return "value-doubtful" if doubtful else strays.type


def _issue(
    stats: PairStats,
    type: str,
    text: str,
    position: tuple[int, int] | None = None,
    count: int = 1,
) -> Issue:
    pair = stats.pair
    return Issue(type, pair.mask, text, position, count, image=pair.image, mask=pair.mask)


def _odd_mask(stats: PairStats, encoding: MaskEncoding) -> Issue | None:
    """Why a mask cannot be read as the others."""
    if stats.mask is None:
        return None
    mask = encoding.interpret(stats.mask)
    variant = find_variant(mask, encoding)
    if encoding.all_legal(mask):
        return None
    if variant:
        return variant_issue(stats, variant)
    return stray_issue(stats, encoding, MaskSource())


def _check_declared(
    pairs: Sequence[PairStats], encoding: MaskEncoding, declared: DeclaredClasses
) -> None:
    source = declared.source
    lacking = len(declared.classes) - len(declared.colours)
    if declared.colours and lacking:
        raise DataError(
            f"{source}: {lacking} of {len(declared.classes)} classes lack a colour; give all or "
            "none"
        )
    values = _values(pairs)
    if values == {0, VOID} and len(declared.classes) == 1:
        raise DataError(
            f"{source}: names 1 class, but the masks hold 0 and 255; name both, the one of 0 first"
        )
    if len(declared.classes) < 2:
        raise DataError(
            f"{source}: names {len(declared.classes)} class; two at least are needed: write one "
            "name a line, in order of the values"
        )


def _check_colours(
    pairs: Sequence[PairStats], encoding: MaskEncoding, declared: DeclaredClasses
) -> None:
    masks = [(stats.pair.mask, stats.mask) for stats in pairs if stats.mask]
    coloured = [path for path, mask in masks if mask.coloured]
    if not coloured:
        return
    colours = sorted(
        {
            value if mask.coloured else value * _GREY
            for _, mask in masks
            if mask.rgb
            for value in mask.values.tolist()
        }
    )
    names = [str(unpack(colour)) for colour in colours]
    if len(colours) > MAX_GUESSED and encoding.form == "colours":
        raise DataError(
            f"{coloured[0]}: the masks hold {len(colours)} different colours, too many for "
            "classes; masks saved as JPEG or resized smoothly look so: save them again as PNG, or "
            "list the true colours in classes.csv (name,r,g,b)"
        )
    if declared.source:
        raise DataError(
            f"{declared.source}: gives no colours, but the masks are in colours ({first(names)}); "
            "list them in classes.csv, one class a line: name,r,g,b"
        )
    numbers = [path for path, mask in masks if not mask.rgb]
    if numbers:
        raise DataError(
            f"{coloured[0]} is in colours and {numbers[0]} holds numbers; save all masks alike, "
            "or list the classes in classes.csv (name,r,g,b)"
        )


def _check_values(pairs: Sequence[PairStats], encoding: MaskEncoding) -> None:
    """Masks of numbers that are no class ids as a whole."""
    if encoding.form != "ids":
        return
    masks = [(stats.pair.mask, encoding.interpret(stats.mask)) for stats in pairs if stats.mask]
    values = _values(pairs, encoding)
    ids = sorted(values - {VOID})
    if len(ids) < 2:
        listed = first(map(str, sorted(values)))
        raise DataError(f"all {len(masks)} masks hold only {listed}; {_NAME_THEM}")
    strange = values - {raw for raw, _ in encoding.values}
    no_palette = not any(mask.palette for _, mask in masks)
    sparse = no_palette and ids[-1] >= MAX_GUESSED
    hopeless = len(strange) >= MANY_STRAYS or len(encoding.classes) < 2
    if (sparse and hopeless) or (ids[-1] >= MAX_CLASSES and (strange or hopeless)):
        raise DataError(
            f"{masks[0][0]}: the masks hold {len(values)} different values up to {max(values)}, "
            "which are hardly class ids; a soft mask (an alpha matte, which belongs in a file "
            "called NAME_matte.png), one saved as JPEG or resized smoothly looks so: save it "
            f"again as PNG, or {_NAME_THEM}"
        )


def _values(pairs: Sequence[PairStats], encoding: MaskEncoding | None = None) -> set[int]:
    values: set[int] = set()
    for stats in pairs:
        if stats.mask:
            mask = encoding.interpret(stats.mask) if encoding else stats.mask
            values.update(mask.values.tolist())
    return values
