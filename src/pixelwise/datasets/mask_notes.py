"""How masks are written, as lines for the user of a training."""

from collections.abc import Sequence

from pixelwise.classes import VOID
from pixelwise.datasets.class_files import DeclaredClasses
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.pair_stats import MaskStats
from pixelwise.datasets.types import first


def describe_masks(
    masks: Sequence[MaskStats], encoding: MaskEncoding, declared: DeclaredClasses
) -> tuple[str, ...]:
    """What the classes file says, and what the masks hold."""
    lines = []
    if declared.source:
        lines.append(f"{declared.source.name}: {len(declared.classes)} classes")
        lines += [f"'{entry.name}' in {declared.source.name} is void" for entry in declared.void]
    widened = sum(mask.widened for mask in masks)
    if widened:
        lines.append(f"masks: 8 bits saved as 16 in {widened} files, read as 8 bits again")
    drawn = sum(mask.in_alpha for mask in masks)
    if drawn:
        lines.append(f"masks: drawn in the alpha channel of {drawn} files, which is read")
    shown = [encoding.interpret(mask) for mask in masks]
    lines.append(f"masks: {_describe_values(shown, encoding)}")
    return tuple(lines)


def _describe_values(masks: Sequence[MaskStats], encoding: MaskEncoding) -> str:
    files = f"in {len(masks)} files"
    if encoding.form == "colours" and not encoding.declared:
        palette = first(map(str, encoding.classes.palette))
        count = len(encoding.classes)
        return f"{count} colours {files}, numbered by red, green, blue: {palette}"
    if any(mask.coloured for mask in masks):
        colours = {value for mask in masks if mask.coloured for value in mask.values.tolist()}
        return f"in the colours of the classes file, {len(colours)} colours {files}"
    kind = "palette" if any(mask.palette for mask in masks) else "grey"
    values = {value for mask in masks for value in mask.values.tolist()}
    if encoding.form == "binary":
        return f"{kind}, only 0 and 255 {files}: 0 is the first class, 255 the second, none is void"
    if encoding.form == "pair":
        low, high = (raw for raw, _ in encoding.values)
        return f"{kind}, only {low} and {high} {files}: both are classes, none is void"
    ids = sorted(values - {VOID})
    ends = f"{ids[0]} to {ids[-1]}" if ids else "none"
    void = " and 255, which is void," if VOID in values else ""
    absent = [str(raw) for raw in range(len(encoding.classes)) if raw not in values]
    lack = f" (absent: {first(absent)})" if absent else ""
    return f"{kind}, class ids {ends}{void} {files}{lack}"
