"""Pascal VOC segmentation in its official layout.

Source: Everingham et al., The PASCAL Visual Object Classes Challenge 2012, development kit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pixelwise.classes import VOID, VOID_COLOUR, Classes, voc_colormap
from pixelwise.datasets.class_files import find_class_files, find_declared_classes
from pixelwise.datasets.class_lines import parse_labelmap
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.list_rows import id_of_row, read_rows
from pixelwise.datasets.mask_encoding import MaskEncoding, encoding_of_reader
from pixelwise.datasets.mask_reader import LabelReader, index_lut
from pixelwise.datasets.pairing import Pairing, list_readable
from pixelwise.datasets.raw_mask import read_raw
from pixelwise.datasets.splits import SPLIT_ORDER, split_of
from pixelwise.datasets.types import DataOptions, DataSet, Pair, first, images_in
from pixelwise.errors import DataError
from pixelwise.io.text import list_files, read_text

LAYOUT = (
    "JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/train.txt (or default.txt of "
    "CVAT), at the root or in VOCdevkit/VOC2012/; "
    "labelmap.txt may name other classes than the 21 (name:r,g,b::)"
)
NAMES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "dining table",
    "dog",
    "horse",
    "motorbike",
    "person",
    "potted plant",
    "sheep",
    "sofa",
    "train",
    "tv monitor",
)

_IMAGE_FOLDERS = ("JPEGImages", "images")
# labelme2voc puts arrays into the first and pictures into the second.
_MASK_FOLDERS = ("SegmentationClass", "SegmentationClassPNG")
# Masks that are looked at to see whether they hold ids.
_SAMPLES = 8
# CVAT's name of what is in no subset.
_UNSPLIT = "default"


def matches(root: Path) -> bool:
    """Whether the official layout stands at or beneath `root`."""
    return find(root) is not None


def read(root: Path, options: DataOptions) -> DataSet:
    """Open VOC beneath `root`; splits are those of ImageSets/Segmentation.

    Raises DataError when the layout is not there, or when listed ids lack image or mask (unless
    `skip_unpaired`).
    """
    return open_index(index(root, options), options)


def index(root: Path, options: DataOptions) -> Index:
    """The files of VOC beneath `root`. Raises DataError when the layout is not there."""
    base = find(root)
    if base is None:
        raise DataError(f"{root}: not Pascal VOC; it needs {LAYOUT}")
    folders = (_folder_of(base, _IMAGE_FOLDERS), _folder_of(base, _MASK_FOLDERS))
    names = " and ".join(path.name for path in folders)
    notes = [f"format voc: {names} and ImageSets/Segmentation in {base}"]
    images, image_issues = _by_name(folders[0], "image")
    masks, mask_issues = _by_name(folders[1], "mask")
    issues = [*image_issues, *mask_issues]
    splits: dict[str, tuple[Pair, ...]] = {}
    listed: dict[str, str] = {}
    for split, ids in lists(base, (*images, *masks)).items():
        source = _list_of(base, split)
        # The test images of the challenge are public, their masks are not.
        if split == "test" and masks.keys().isdisjoint(ids):
            text = f"none of its {len(ids)} images has a mask"
            issues.append(Issue("split-without-masks", source, text))
            notes.append(f"test: left out, as {text}")
            continue
        pairing = _pair_listed(
            ids,
            images,
            masks,
            options,
            source=source,
        )
        splits[split] = pairing.pairs
        issues += pairing.issues
        notes += pairing.notes
        issues += _find_twice_listed(split, ids, listed, source)
        listed.update(dict.fromkeys(ids, split))
    issues += _find_unlisted(masks, listed)
    issues += _find_other_lists(base)
    files = Index("voc", root, splits, tuple(issues), tuple(notes), folders=folders)
    return _with_classes(files, base)


def _with_classes(index: Index, base: Path) -> Index:
    """The index with the classes of labelmap.txt, of another classes file, or the 21.

    Masks of 0 and 255 are not VOC's, whose 255 is void: they are judged as those of a plain folder;
    of two classes also where other masks hold 1.
    """
    declared, issues = find_declared_classes(base)
    labelmap = _find_labelmap(base)
    values = _sample_values([pair.mask for _, pair in index.pairs()])
    black_and_white = {0, VOID}
    all_so = bool(values) and set().union(*values) == black_and_white
    some_so = len(declared.classes) == 2 and black_and_white in values
    if some_so or (all_so and len(declared.classes) in (0, 2)):
        return replace(index, issues=(*index.issues, *issues), declared=declared)
    if declared.source and not labelmap:
        return replace(index, issues=(*index.issues, *issues), declared=declared)
    classes = classes_of(base)
    reader = LabelReader(len(classes), index_lut(len(classes)), classes.palette, (VOID_COLOUR,))
    source = labelmap.name if labelmap else "Pascal VOC, as there is no labelmap.txt"
    notes = (*index.notes, f"classes: the {len(classes)} of {source}")
    encoding = _encoding(base, reader, classes)
    return replace(index, notes=notes, classes=classes, read_labels=reader, encoding=encoding)


def _sample_values(masks: Sequence[Path]) -> list[set[int]]:
    """The values in some of the masks; none where one has a palette or colours."""
    values = []
    for path in masks[:: max(1, len(masks) // _SAMPLES)]:
        try:
            mask = read_raw(path)
        except DataError:
            continue
        if mask.image.mode not in ("L", "1") and not mask.in_alpha:
            return []
        values.append(set(np.unique(mask.values).tolist()))
    return values


def _folder_of(base: Path, names: Sequence[str]) -> Path:
    """The first of some folders that holds pictures, or that is there."""
    folders = [base / name for name in names if (base / name).is_dir()]
    return next((path for path in folders if images_in(path)), (*folders, base / names[0])[0])


def _find_twice_listed(
    split: str,
    ids: Sequence[str],
    listed: Mapping[str, str],
    source: Path,
) -> Iterator[Issue]:
    """The ids of a list that an earlier one holds as well; `listed` are these, with their split."""
    for name in ids:
        if name in listed:
            text = f"'{name}' is in {listed[name]}.txt as well"
            yield Issue("list-entry-twice", source, text)


def _find_unlisted(masks: Mapping[str, Path], listed: Mapping[str, str]) -> Iterator[Issue]:
    """Masks in no list; images are not counted, as VOC has thousands without segmentation."""
    for name, path in masks.items():
        if name not in listed:
            text = "is in no list of ImageSets/Segmentation"
            yield Issue("picture-not-listed", path, text)


def _encoding(base: Path, reader: LabelReader, classes: Classes) -> MaskEncoding:
    own = _find_labelmap(base) is not None
    kind = "ids of labelmap.txt" if own else "Pascal VOC ids"
    evidence = f"{len(classes)} classes, 255 is void"
    return encoding_of_reader(reader, classes, kind=kind, evidence=evidence)


def _find_labelmap(base: Path) -> Path | None:
    files = (path for path in find_class_files(base) if path.name.lower() == "labelmap.txt")
    return next(files, None)


def _list_of(base: Path, split: str) -> Path:
    """The list of a split; a split that is a part of trainval has no list of its own."""
    by_split = _find_lists(base)
    return by_split.get(split) or by_split["trainval"]


def _by_name(folder: Path, side: str) -> tuple[dict[str, Path], list[Issue]]:
    """Pictures by name, the first of those that are called alike; each further one is an issue."""
    files, issues = list_readable(folder)
    by_name: dict[str, Path] = {}
    for path in files:
        used = by_name.setdefault(path.stem, path)
        if used is not path:
            refusal = f"{folder}: two {side}s, {used.name} and {path.name}; remove or rename one"
            text = f"called as {used.name}"
            issues.append(Issue(f"{side}-name-twice", path, text, refusal=refusal))
    return by_name, issues


def classes_of(base: Path) -> Classes:
    """The 21 classes, or those of labelmap.txt as annotation tools write it. Raises DataError for
    lines unlike that.
    """
    path = _find_labelmap(base)
    if path is None:
        return Classes(NAMES, voc_colormap(len(NAMES)))
    try:
        entries = parse_labelmap(read_text(path))
        names = tuple(entry.name for entry in entries)
        palette = tuple(entry.colour for entry in entries if entry.colour)
        return Classes(names, palette)
    except (ValueError, IndexError, DataError) as error:
        raise DataError(
            f"{path}: cannot be read as classes ({error}); one a line, as in cat:64,0,0::"
        ) from error


def find(root: Path) -> Path | None:
    """The folder of the newest year that has the layout."""
    years = [*root.glob("VOC20[0-9][0-9]"), *root.glob("VOCdevkit/VOC20[0-9][0-9]")]
    years.sort(key=lambda path: path.name, reverse=True)
    for base in [root, *years]:
        if _has_layout(base):
            return base
    return None


def _has_layout(base: Path) -> bool:
    images = any((base / name).is_dir() for name in _IMAGE_FOLDERS)
    return images and (base / "SegmentationClass").is_dir() and bool(_find_lists(base))


def _find_lists(base: Path) -> dict[str, Path]:
    """The lists by split; default.txt, which holds what was in no subset, counts as trainval."""
    files = list_files(base / "ImageSets" / "Segmentation", (".txt",))
    by_split = {path.stem.lower(): path for path in files}
    known = {
        split: by_split[stem]
        for stem in by_split
        if (split := stem if stem == "trainval" else split_of(stem))
    }
    if _UNSPLIT in by_split:
        known.setdefault("trainval", by_split[_UNSPLIT])
    return known


def _find_other_lists(base: Path) -> Iterator[Issue]:
    read = set(_find_lists(base).values())
    for path in list_files(base / "ImageSets" / "Segmentation", (".txt",)):
        if path not in read:
            yield Issue("beside-unused", path, "is the list of no split (train, val, test)")


def lists(base: Path, known: Sequence[str]) -> dict[str, list[str]]:
    """Ids by split; where train or val is missing, it is what the other leaves of trainval.
    `known` are the names of the files that there are.
    """
    names = frozenset(known)
    by_split = {}
    for split, path in _find_lists(base).items():
        # An id twice is one image.
        by_split[split] = list(dict.fromkeys(id_of_row(row, names) for row in read_rows(path)))
    trainval = by_split.pop("trainval", None)
    if trainval is not None:
        for absent, present in (("train", "val"), ("val", "train")):
            if absent not in by_split:
                used = set(by_split.get(present, ()))
                by_split[absent] = [name for name in trainval if name not in used]
    return {split: by_split[split] for split in SPLIT_ORDER if by_split.get(split)}


def _pair_listed(
    ids: Sequence[str],
    images: Mapping[str, Path],
    masks: Mapping[str, Path],
    options: DataOptions,
    *,
    source: Path,
) -> Pairing:
    pairs = []
    missing: dict[str, str] = {}
    for name in ids:
        if name in images and name in masks:
            pairs.append(Pair(name, images[name], masks[name]))
        else:
            missing[name] = _lacks(name in images, name in masks)
    if not missing:
        return Pairing(tuple(pairs), ())
    examples = first(f"{name} ({lacks})" for name, lacks in missing.items())
    what = f"{source} lists {len(ids)} images, of which {len(missing)} lack a file: {examples}"
    refusal = ""
    if not options.skip_unpaired or not pairs:
        advice = ", or leave these images out with --skip-unpaired" if pairs else ""
        refusal = f"{what}; add the files{advice}"
    issues = [_missing_issue(name, lacks, source, refusal) for name, lacks in missing.items()]
    return Pairing(tuple(pairs), tuple(issues), (f"{what}; left out",))


def _missing_issue(
    name: str,
    lacks: str,
    source: Path,
    refusal: str,
) -> Issue:
    text = f"'{name}' has {lacks.replace(', ', ' and ')}"
    return Issue("list-entry-missing", source, text, refusal=refusal)


def _lacks(image: bool, mask: bool) -> str:
    if mask:
        return "no image"
    return "no mask" if image else "no image, no mask"
