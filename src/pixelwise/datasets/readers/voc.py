"""Pascal VOC segmentation in its official layout.

Source: Everingham et al., The PASCAL Visual Object Classes Challenge 2012, development kit.
"""

from pathlib import Path

from pixelwise.classes import VOID_COLOUR, Classes
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import encoding_of_reader
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
    listed = dict[str, str]()
    for split, ids in lists(base).items():
        source = _list_of(base, split)
        if split == "test" and not any(name in masks for name in ids):
            text = f"none of its {len(ids)} images has a mask"
            issues.append(Issue("split-without-masks", source, text))
            notes.append(f"test: left out, as {text}")
            continue
        pairing = _pair_listed(split, ids, images, masks, options, source=source)
        splits[split] = pairing.pairs
        issues += pairing.issues
        notes += pairing.notes
        for name in ids:
            if listed.get(name, split) != split:
                text = f"'{name}' is in {listed[name]}.txt as well"
                issues.append(Issue("list-entry-twice", source, text))
            listed[name] = split
    text = "is in no list of ImageSets/Segmentation"
    lone = [path for name, path in masks.items() if name not in listed]
    issues += [Issue("picture-not-listed", path, text) for path in lone]
    classes = classes_of(base)
    reader = LabelReader(len(classes), index_lut(len(classes)), classes.palette, (VOID_COLOUR,))
    own = (base / "labelmap.txt").is_file()
    kind = "ids of labelmap.txt" if own else "Pascal VOC ids"
    evidence = f"{len(classes)} classes, 255 is void"
    return Index(
        "voc",
        root,
        splits,
        tuple(issues),
        tuple(notes),
        classes,
        reader,
        encoding_of_reader(reader, classes, kind=kind, evidence=evidence),
        folders=folders,
    )


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
    rows = [
        line
        for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        if line.strip() and line[0] != "#"
    ]
    try:
        named = [
            (line.split(":")[0], [int(channel) for channel in line.split(":")[1].split(",")])
            for line in rows
        ]
        return Classes(tuple(name for name, _ in named), tuple((r, g, b) for _, (r, g, b) in named))
    except (ValueError, IndexError, DataError) as error:
        raise DataError(
            f"{path}: cannot be read as classes ({error}); one a line, as in cat:64,0,0::"
        ) from error


def find(root: Path) -> Path | None:
    """The folder of the newest year that has the layout."""
    years = [*root.glob("VOC20[0-9][0-9]"), *root.glob("VOCdevkit/VOC20[0-9][0-9]")]
    for base in [root, *sorted(years, key=lambda path: path.name, reverse=True)]:
        sets = base / "ImageSets" / "Segmentation"
        if (
            (base / "JPEGImages").is_dir()
            and (base / "SegmentationClass").is_dir()
            and any(
                (sets / f"{name}.txt").is_file() for name in ("train", "trainval", "val", "test")
            )
        ):
            return base
    return None


def lists(base: Path) -> dict[str, list[str]]:
    """Ids by split; where train or val is missing, it is what the other leaves of trainval."""
    by_split = {}
    for split in ("train", "val", "test", "trainval"):
        path = base / "ImageSets" / "Segmentation" / f"{split}.txt"
        if path.is_file():
            rows = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
            by_split[split] = list(dict.fromkeys(line.split()[0] for line in rows if line.strip()))
    trainval = by_split.pop("trainval", None)
    for absent, present in (("train", "val"), ("val", "train")):
        if trainval is not None and absent not in by_split:
            taken = set(by_split.get(present, ()))
            by_split[absent] = [name for name in trainval if name not in taken]
    return {split: ids for split, ids in by_split.items() if ids}


def _pair_listed(
    split: str,
    ids: list[str],
    images: dict[str, Path],
    masks: dict[str, Path],
    options: DataOptions,
    *,
    source: Path,
) -> Pairing:
    missing = {
        name: _lacks(name in images, name in masks)
        for name in ids
        if name not in images or name not in masks
    }
    pairs = tuple(Pair(name, images[name], masks[name]) for name in ids if name not in missing)
    if not missing:
        return Pairing(pairs, ())
    what = (
        f"{split}.txt lists {len(ids)} images, of which {len(missing)} lack a file: "
        f"{first(f'{name} ({lacks})' for name, lacks in missing.items())}"
    )
    refused = not options.skip_unpaired or not pairs
    advice = "add the files, or leave these images out with --skip-unpaired"
    refusal = f"{what}; {advice}" if refused else ""
    issues = tuple(
        Issue(
            "list-entry-missing",
            source,
            f"'{name}' has {lacks.replace(', ', ' and ')}",
            refusal=refusal,
        )
        for name, lacks in missing.items()
    )
    return Pairing(pairs, issues, (f"{what}; left out",))


def _lacks(image: bool, mask: bool) -> str:
    return "no image" if mask else "no mask" if image else "no image, no mask"
