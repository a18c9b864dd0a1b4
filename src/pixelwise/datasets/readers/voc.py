"""Pascal VOC segmentation in its official layout.

Source: Everingham et al., The PASCAL Visual Object Classes Challenge 2012, development kit.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pixelwise.classes import VOID_COLOUR, Classes, Colour
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding, encoding_of_reader
from pixelwise.datasets.mask_reader import LabelReader, index_lut
from pixelwise.datasets.pairing import Pairing, list_readable
from pixelwise.datasets.types import DataOptions, DataSet, Pair, first
from pixelwise.errors import DataError

LAYOUT = (
    "JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/train.txt, at the root or in "
    "VOCdevkit/VOC2012/; "
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

_LISTS = ("train", "val", "test", "trainval")


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
    notes = [f"format voc: JPEGImages, SegmentationClass and ImageSets/Segmentation in {base}"]
    folders = (base / "JPEGImages", base / "SegmentationClass")
    images, image_issues = _by_name(folders[0], "image")
    masks, mask_issues = _by_name(folders[1], "mask")
    issues = [*image_issues, *mask_issues]
    splits: dict[str, tuple[Pair, ...]] = {}
    listed: dict[str, str] = {}
    for split, ids in lists(base).items():
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
    classes = classes_of(base)
    reader = LabelReader(len(classes), index_lut(len(classes)), classes.palette, (VOID_COLOUR,))
    return Index(
        "voc",
        root,
        splits,
        tuple(issues),
        tuple(notes),
        classes,
        reader,
        _encoding(base, reader, classes),
        folders=folders,
    )


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
    own = (base / "labelmap.txt").is_file()
    kind = "ids of labelmap.txt" if own else "Pascal VOC ids"
    evidence = f"{len(classes)} classes, 255 is void"
    return encoding_of_reader(reader, classes, kind=kind, evidence=evidence)


def _list_of(base: Path, split: str) -> Path:
    return base / "ImageSets" / "Segmentation" / f"{split}.txt"


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
    path = base / "labelmap.txt"
    if not path.is_file():
        return Classes.named(NAMES)
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    rows = [line for line in text.splitlines() if line.strip() and line[0] != "#"]
    try:
        entries = [_parse_class(row) for row in rows]
        names = tuple(name for name, _ in entries)
        palette = tuple(colour for _, colour in entries)
        return Classes(names, palette)
    except (ValueError, IndexError, DataError) as error:
        raise DataError(
            f"{path}: cannot be read as classes ({error}); one a line, as in cat:64,0,0::"
        ) from error


def _parse_class(row: str) -> tuple[str, Colour]:
    """name:r,g,b:parts:actions, of which the last two are not used."""
    columns = row.split(":")
    red, green, blue = (int(channel) for channel in columns[1].split(","))
    return columns[0], (red, green, blue)


def find(root: Path) -> Path | None:
    """The folder of the newest year that has the layout."""
    years = [*root.glob("VOC20[0-9][0-9]"), *root.glob("VOCdevkit/VOC20[0-9][0-9]")]
    years.sort(key=lambda path: path.name, reverse=True)
    for base in [root, *years]:
        if _has_layout(base):
            return base
    return None


def _has_layout(base: Path) -> bool:
    if not (base / "JPEGImages").is_dir() or not (base / "SegmentationClass").is_dir():
        return False
    return any(_list_of(base, name).is_file() for name in _LISTS)


def lists(base: Path) -> dict[str, list[str]]:
    """Ids by split; where train or val is missing, it is what the other leaves of trainval."""
    by_split = {}
    for split in _LISTS:
        path = _list_of(base, split)
        if path.is_file():
            by_split[split] = _read_ids(path)
    trainval = by_split.pop("trainval", None)
    if trainval is not None:
        for absent, present in (("train", "val"), ("val", "train")):
            if absent not in by_split:
                used = set(by_split.get(present, ()))
                by_split[absent] = [name for name in trainval if name not in used]
    return {split: ids for split, ids in by_split.items() if ids}


def _read_ids(path: Path) -> list[str]:
    rows = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    # A list may have a second column (whether the image shows a class); an id twice is one image.
    ids = [row.split()[0] for row in rows if row.strip()]
    return list(dict.fromkeys(ids))


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
    what = f"{source.name} lists {len(ids)} images, of which {len(missing)} lack a file: {examples}"
    refusal = ""
    if not options.skip_unpaired or not pairs:
        refusal = f"{what}; add the files, or leave these images out with --skip-unpaired"
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
