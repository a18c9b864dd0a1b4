"""A plain folder of images and masks; how its classes are written is found out by looking at every
mask.
"""

from pathlib import Path

from pixelwise.datasets.class_files import find_declared_classes
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.pairing import list_readable, pair_folders
from pixelwise.datasets.splits import SPLIT_ORDER, named_splits
from pixelwise.datasets.types import DataOptions, DataSet, Pair
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
_FLAT = "train"

Sides = tuple[str, Path, Path]
"""A split, its folder of images and its folder of masks."""


def matches(root: Path) -> bool:
    """Whether a folder of images stands beside one of masks, at `root` or in a folder named as a
    split.
    """
    return bool(layout(root)[0])


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a plain folder; its classes come from classes.txt, .json or .csv, or are numbered.

    Raises DataError for another layout, what `pair_files` refuses, masks that show no way to read
    them, and a classes file that cannot be read or does not fit.
    """
    return open_index(index(root, options), options)


def index(root: Path, options: DataOptions) -> Index:
    """The files of a plain folder. Raises DataError for another layout."""
    places, issues = layout(root)
    if not places:
        raise DataError(f"{root}: not a folder of images and masks; it needs {LAYOUT}")
    example = next((place for place in places if place[0] == _FLAT), places[0])
    shown = " and ".join(f"{path.relative_to(root)}/" for path in example[1:])
    notes = [f"format folder: {shown}"]
    splits: dict[str, tuple[Pair, ...]] = {}
    folders: list[Path] = []
    for split, images, masks in places:
        mask_files, unreadable = list_readable(masks)
        if split == "test" and not mask_files and not unreadable:
            text = f"there are no masks in {masks.relative_to(root)}/"
            issues.append(Issue("split-without-masks", images, text))
            notes.append(f"test: left out, as {text}")
            continue
        pairing = pair_folders(images, masks, options)
        splits[split] = splits.get(split, ()) + pairing.pairs
        issues += pairing.issues
        notes += pairing.notes
        folders += [images, masks]
    declared, class_issues = find_declared_classes(root)
    return Index(
        "folder",
        root,
        splits,
        (*issues, *class_issues),
        tuple(notes),
        declared=declared,
        folders=tuple(dict.fromkeys(folders)),
        hold_test=set(splits) == {_FLAT},
    )


def layout(root: Path) -> tuple[list[Sides], list[Issue]]:
    """Folders of images and masks by split, and issues; those that are not split count as train."""
    top = sides(root)
    if top is None:
        named, issues = named_splits(root)
        inside = [(split, sides(folder)) for split, folder in named]
        return [(split, *folders) for split, folders in inside if folders], issues
    images, issues = named_splits(top[0])
    masks, mask_issues = named_splits(top[1])
    if not images and not masks:
        return [(_FLAT, *top)], []
    places: list[Sides] = []
    for split in sorted({split for split, _ in (*images, *masks)}, key=SPLIT_ORDER.index):
        image_folders = [path for name, path in images if name == split] or [top[0] / split]
        mask_folders = [path for name, path in masks if name == split] or [top[1] / split]
        # Folders that claim one split are paired in order; what has no partner is not read.
        places += [(split, *folders) for folders in zip(image_folders, mask_folders, strict=False)]
    return places, issues or mask_issues


def sides(folder: Path) -> tuple[Path, Path] | None:
    """The folders of images and of masks in `folder`, None where one is missing."""
    inside = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    images = [inside[name] for name in IMAGE_FOLDERS if name in inside]
    masks = [inside[name] for name in MASK_FOLDERS if name in inside]
    return (images[0], masks[0]) if images and masks else None
