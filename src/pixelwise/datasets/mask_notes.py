"""How masks are written, as lines for the user of a training."""

from collections.abc import Sequence

from pixelwise.classes import VOID
from pixelwise.datasets.class_files import DeclaredClasses
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.pair_stats import MaskStats
from pixelwise.datasets.types import first

# How to name classes that no file names, by the form of the masks.
_UNNAMED = {
    "ids": 'name them in classes.json, such as {"0": "road", "1": "car"}',
    "colours": "name them in classes.csv, with the columns name,r,g,b",
}


def describe_masks(
    masks: Sequence[MaskStats], encoding: MaskEncoding, declared: DeclaredClasses
) -> tuple[str, ...]:
    """What the classes file says, and what the masks hold."""
    lines = []
    if declared.source:
        file = declared.source.name
        lines.append(f"{file}: {len(declared.classes)} classes")
        lines += [f"'{entry.name}' in {file} is void" for entry in declared.void]
    widened = sum(mask.widened for mask in masks)
    if widened:
        lines.append(f"masks: 8 bits saved as 16 in {widened} files, read as 8 bits again")
    in_alpha = sum(mask.in_alpha for mask in masks)
    if in_alpha:
        lines.append(f"masks: drawn in the alpha channel of {in_alpha} files, which is read")
    if encoding.by_palette:
        lines.append("masks: with palettes, read by their colours, which the values do not follow")
    interpreted = [encoding.interpret(mask) for mask in masks]
    lines.append(f"masks: {_describe_values(interpreted, encoding)}")
    nodata = 0 if declared.source else count_zero_nodata(masks)
    if nodata:
        lines.append(
            f"masks: {nodata} files call 0 'no data' and hold it: it is read as the first class; "
            'where it is void, say so in classes.json: {"id": 0, "name": "void"}'
        )
    if not declared.source and encoding.form in _UNNAMED:
        lines.append(f"classes are named by what the masks hold: {_UNNAMED[encoding.form]}")
    return tuple(lines)


def count_zero_nodata(masks: Sequence[MaskStats]) -> int:
    """How many masks hold 0 though their files call it no data: void, or a class, as programs set
    that tag by themselves.
    """
    return sum(mask.zero_is_nodata and 0 in mask.drawn for mask in masks)


def _describe_values(masks: Sequence[MaskStats], encoding: MaskEncoding) -> str:
    files = f"in {len(masks)} files"
    if encoding.instances:
        return f"one id for each object {files}: {encoding.evidence}"
    if encoding.form == "colours" and not encoding.declared:
        palette = first(map(str, encoding.classes.palette))
        count = len(encoding.classes)
        return f"{count} colours {files}, numbered by red, green, blue: {palette}"
    coloured = [mask for mask in masks if mask.coloured]
    if coloured:
        colours = _list_values(coloured)
        return f"in the colours of the classes file, {len(colours)} colours {files}"
    kind = "palette" if any(mask.palette for mask in masks) else "grey"
    if encoding.form == "binary":
        return f"{kind}, only 0 and 255 {files}: 0 is the first class, 255 the second, none is void"
    if encoding.form == "pair":
        low, high = (raw for raw, _ in encoding.values)
        return f"{kind}, only {low} and {high} {files}: both are classes, none is void"
    return f"{kind}, {_describe_ids(_list_values(masks), files, encoding)}"


def _describe_ids(
    values: set[int],
    files: str,
    encoding: MaskEncoding,
) -> str:
    ids = sorted(values - {VOID})
    raws = [raw for raw, label in encoding.values if label != VOID]
    text = f"class ids {ids[0]} to {ids[-1]}" if ids else "class ids none"
    if not encoding.declared and len(raws) <= raws[-1]:
        text = f"class ids {', '.join(map(str, raws))}, stretched as if for viewing,"
    if VOID in values:
        text += " and 255, which is void,"
    text += f" {files}"
    # Ids that no mask has are often the sign of a classes file of another set.
    absent = [str(raw) for raw in raws if raw not in values]
    if absent:
        text += f" (absent: {first(absent)})"
    return text


def _list_values(masks: Sequence[MaskStats]) -> set[int]:
    values: set[int] = set()
    for mask in masks:
        values |= mask.drawn
    return values
