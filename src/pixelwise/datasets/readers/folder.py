"""A plain folder of images and masks; how its classes are written is found out by looking at every
mask.
"""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.classes import MAX_CLASSES, VOID, Classes, Colour, voc_colormap
from pixelwise.datasets.mask_reader import (
    ILLEGAL,
    LabelReader,
    MaskScan,
    index_lut,
    scan_masks,
    unpack,
)
from pixelwise.datasets.types import (
    DataOptions,
    DataSet,
    Pair,
    complete_splits,
    first,
    images_in,
    pair_up,
    split_folders,
)
from pixelwise.errors import DataError

LAYOUT = (
    "images/ and masks/ with files of like names (also images/train/ and masks/train/, or "
    "train/images/ and so on)"
)
IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages")
MASK_FOLDERS = (
    "masks",
    "mask",
    "labels",
    "label",
    "annotations",
    "annotation",
    "annots",
    "annot",
    "segmentationclass",
)
CLASS_FILES = ("classes.txt", "classes.json", "classes.csv")
VOID_NAMES = frozenset({"void", "ignore"})

_MOST_GUESSED = 64
_FLAT = "train"
_HOW = (
    "name the classes in classes.txt (one name a line, in order of the values) or classes.csv "
    "(name,r,g,b)"
)


@dataclass(frozen=True)
class ClassEntry:
    """A line of a classes file: the raw value in the masks, its name and, where given, its
    colour.
    """

    raw: int
    name: str
    colour: Colour | None = None


def matches(root: Path) -> bool:
    """Whether a folder of images stands beside one of masks, at `root` or in a folder named as a
    split.
    """
    return bool(layout(root))


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a plain folder; its classes come from classes.txt, .json or .csv, or are numbered.

    Raises DataError for another layout, what `pair_up` refuses, masks that show no way to read
    them, and a classes file that cannot be read or does not fit.
    """
    found = layout(root)
    if not found:
        raise DataError(f"{root}: not a folder of images and masks; it needs {LAYOUT}")
    shown = found.get("train", next(iter(found.values())))
    notes = [f"format folder: {' and '.join(f'{path.relative_to(root)}/' for path in shown)}"]
    splits: dict[str, tuple[Pair, ...]] = {}
    for split, (images, masks) in found.items():
        if split == "test" and not images_in(masks):
            notes.append(f"test: left out, as there are no masks in {masks.relative_to(root)}/")
            continue
        splits[split], said = pair_up(images_in(images), images_in(masks), options, where=images)
        notes += said
    scan = scan_masks([pair.mask for pairs in splits.values() for pair in pairs])
    classes, reader, said = _encoding(root, scan)
    splits, how = complete_splits(splits, options, hold_test=set(splits) == {_FLAT})
    return DataSet("folder", root, classes, splits, reader, (*notes, *said, *how))


def layout(root: Path) -> dict[str, tuple[Path, Path]]:
    """Folders of images and masks by split; those that are not split count as train."""
    both = sides(root)
    if both is None:
        inside = {split: sides(folder) for split, folder in split_folders(root).items()}
        return {split: folders for split, folders in inside.items() if folders}
    images, masks = (split_folders(folder) for folder in both)
    if not images and not masks:
        return {_FLAT: both}
    return {
        split: (images.get(split, both[0] / split), masks.get(split, both[1] / split))
        for split in {**images, **masks}
    }


def sides(folder: Path) -> tuple[Path, Path] | None:
    """The folders of images and of masks in `folder`, None where one is missing."""
    inside = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    images = [inside[name] for name in IMAGE_FOLDERS if name in inside]
    masks = [inside[name] for name in MASK_FOLDERS if name in inside]
    return (images[0], masks[0]) if images and masks else None


def _encoding(root: Path, scan: MaskScan) -> tuple[Classes, LabelReader, tuple[str, ...]]:
    """Classes, reader and notes from what the masks hold and what a classes file says."""
    entries, source = _class_file(root)
    void = [entry for entry in entries if entry.name.lower() in VOID_NAMES]
    kept = [entry for entry in entries if entry not in void]
    said = [f"{source.name}: {len(kept)} classes"] if source else []
    said += [f"'{entry.name}' in {source.name} is void" for entry in void if source]
    colours = tuple(entry.colour for entry in kept if entry.colour)
    if source and colours and len(colours) < len(kept):
        raise DataError(
            f"{source}: {len(kept) - len(colours)} of {len(kept)} classes lack a colour; give "
            "all or none"
        )
    if scan.coloured and not colours:
        return _by_colour(scan, source)
    names = tuple(entry.name for entry in kept)
    ids, binary = _ids(scan, len(names), source)
    binary = binary and all(entry.raw != VOID for entry in void)
    if source is None:
        names = ("background", "foreground") if binary else tuple(f"class {raw}" for raw in ids)
    lut = _lut(kept, void) if source else index_lut(len(names))
    if binary and lut[VOID] == VOID:
        lut = tuple({0: 0, VOID: 1}.get(raw, ILLEGAL) for raw in range(256))
    said.append(_evidence(scan, binary=binary and lut[VOID] != VOID, count=len(names)))
    palette = colours or _palette(scan.palette, len(names))
    void_colours = tuple(entry.colour for entry in void if entry.colour)
    reader = LabelReader(len(names), lut, colours, void_colours)
    return Classes(names, palette), reader, tuple(said)


def _by_colour(scan: MaskScan, source: Path | None) -> tuple[Classes, LabelReader, tuple[str, ...]]:
    """One class a colour, in the order of red, green, blue."""
    palette = tuple(unpack(colour) for colour in sorted(scan.colours))
    if len(palette) > _MOST_GUESSED:
        raise DataError(
            f"{scan.coloured}: the masks hold {len(palette)} different colours, too many for "
            "classes; masks saved as "
            "JPEG or resized smoothly look so: save them again as PNG, or list the true "
            "colours in classes.csv "
            "(name,r,g,b)"
        )
    if source:
        raise DataError(
            f"{source}: gives no colours, but the masks are in colours "
            f"({first(map(str, palette))}); "
            "list them in classes.csv, one class a line: name,r,g,b"
        )
    if scan.grey:
        raise DataError(
            f"{scan.coloured} is in colours and {scan.grey} holds numbers; save all masks alike, "
            "or list the classes in classes.csv (name,r,g,b)"
        )
    classes = Classes(tuple(f"class {label}" for label in range(len(palette))), palette)
    reader = LabelReader(len(classes), index_lut(len(classes)), palette)
    note = (
        f"masks: {len(palette)} colours in {scan.files} files, numbered by red, green, blue: "
        f"{first(map(str, palette))}"
    )
    return classes, reader, (note,)


def _ids(scan: MaskScan, named: int, source: Path | None) -> tuple[range, bool]:
    """Ids of the classes that the masks show, and whether they are 0 and 255 for two classes."""
    shown = sorted(scan.values - {VOID})
    binary = set(scan.values) == {0, VOID}
    if source:
        if binary and named == 1:
            raise DataError(
                f"{source}: names 1 class, but the masks hold 0 and 255; name both, the one "
                "of 0 first"
            )
        return range(named), binary and named == 2
    if binary:
        return range(2), True
    if len(shown) < 2:
        raise DataError(
            f"all {scan.files} masks hold only {first(map(str, sorted(scan.values)))}; {_HOW}"
        )
    sparse = scan.palette is None and shown[-1] >= _MOST_GUESSED
    if sparse or shown[-1] >= MAX_CLASSES:
        raise DataError(
            f"{scan.grey or scan.coloured or 'the masks'}: the masks hold {len(scan.values)} "
            "different values up to "
            f"{max(scan.values)}, which are hardly class ids; a soft mask (an alpha matte, "
            "which belongs in a file "
            "called NAME_matte.png), one saved as JPEG or resized smoothly looks so: save it "
            f"again as PNG, or {_HOW}"
        )
    return range(shown[-1] + 1), False


def _lut(kept: Sequence[ClassEntry], void: Iterable[ClassEntry]) -> tuple[int, ...]:
    """Raw value to class id as a classes file has them; 255 is void unless the file makes it a
    class.
    """
    table = {VOID: VOID} | {entry.raw: VOID for entry in void}
    table |= {entry.raw: label for label, entry in enumerate(kept)}
    return tuple(table.get(raw, ILLEGAL) for raw in range(256))


def _palette(found: tuple[Colour, ...] | None, count: int) -> tuple[Colour, ...]:
    """The masks' own palette where it has a colour for each class and is no mere ramp of greys."""
    if found and len(found) >= count and any(len(set(colour)) > 1 for colour in found[:count]):
        return found[:count]
    return voc_colormap(count)


def _evidence(scan: MaskScan, *, binary: bool, count: int) -> str:
    if scan.coloured:
        return (
            f"masks: in the colours of the classes file, {len(scan.colours)} colours in "
            f"{scan.files} files"
        )
    kind = "palette" if scan.palette else "grey"
    if binary:
        return (
            f"masks: {kind}, only 0 and 255 in {scan.files} files: 0 is the first class, 255 "
            "the second, none is void"
        )
    shown = sorted(scan.values - {VOID})
    ends = f"{shown[0]} to {shown[-1]}" if shown else "none"
    void = "and 255, which is void," if VOID in scan.values else ""
    absent = [str(raw) for raw in range(count) if raw not in scan.values]
    lack = f" (absent: {first(absent)})" if absent else ""
    return f"masks: {kind}, class ids {ends} {void} in {scan.files} files{lack}".replace("  ", " ")


def _class_file(root: Path) -> tuple[list[ClassEntry], Path | None]:
    """What the classes file at `root` says, and which it is."""
    source = next((root / name for name in CLASS_FILES if (root / name).is_file()), None)
    return ([], None) if source is None else (read_class_file(source), source)


def read_class_file(source: Path) -> list[ClassEntry]:
    """The entries of classes.txt, .json or .csv, void among them. DataError for what cannot be or
    stands twice.
    """
    try:
        text = source.read_text(encoding="utf-8-sig")
        entries = _PARSERS[source.suffix](text)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(
            f"{source}: cannot be read as a list of classes ({error}); write one name a line "
            "in classes.txt, "
            "or name,r,g,b in classes.csv"
        ) from error
    if not entries:
        raise DataError(
            f"{source}: is empty; write one class name a line, or remove the file to have "
            "them numbered"
        )
    wrong = [
        entry for entry in entries if not 0 <= entry.raw <= VOID or not _is_colour(entry.colour)
    ]
    if wrong:
        raise DataError(
            f"{source}: '{wrong[0].name}' has id {wrong[0].raw}, colour {wrong[0].colour}; "
            "allowed: 0 to 255"
        )
    names = [entry.name for entry in entries]
    ids = [str(entry.raw) for entry in entries]
    for what in (names, ids, [str(entry.colour) for entry in entries if entry.colour]):
        double = first(sorted({value for value in what if what.count(value) > 1}))
        if double:
            raise DataError(
                f"{source}: {double} stands there twice; give each class its own name, id and "
                "colour"
            )
    return entries


def _is_colour(colour: Colour | None) -> bool:
    return colour is None or (len(colour) == 3 and all(0 <= channel <= 255 for channel in colour))


def _parse_txt(text: str) -> list[ClassEntry]:
    names = [line.strip() for line in text.splitlines() if line.strip()]
    return [ClassEntry(raw, name) for raw, name in enumerate(names)]


def _parse_json(text: str) -> list[ClassEntry]:
    found = json.loads(text)
    if isinstance(found, dict):
        pairs = [
            (int(k), str(v)) if str(k).isdigit() else (int(v), str(k)) for k, v in found.items()
        ]
        return [ClassEntry(raw, name) for raw, name in sorted(pairs)]
    entries = []
    for position, item in enumerate(found):
        if isinstance(item, str):
            entries.append(ClassEntry(position, item))
        else:
            colour = item.get("color", item.get("colour"))
            entries.append(
                ClassEntry(
                    int(item.get("id", position)),
                    str(item["name"]),
                    _colour(colour) if colour else None,
                )
            )
    return entries


def _parse_csv(text: str) -> list[ClassEntry]:
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(text.splitlines())
        if any(map(str.strip, row))
    ]
    if (
        rows
        and rows[0][0].lower() in ("name", "class", "id")
        and not any(cell.isdigit() for cell in rows[0])
    ):
        rows = rows[1:]
    entries = []
    for position, row in enumerate(rows):
        has_id = len(row) in (2, 5) and row[0].isdigit()
        name, *colour = row[1:] if has_id else row
        entries.append(
            ClassEntry(
                int(row[0]) if has_id else position, name, _colour(colour) if colour else None
            )
        )
    return entries


def _colour(channels: Iterable[object]) -> Colour:
    red, green, blue = (int(str(channel)) for channel in channels)
    return red, green, blue


_PARSERS = {".txt": _parse_txt, ".json": _parse_json, ".csv": _parse_csv}
