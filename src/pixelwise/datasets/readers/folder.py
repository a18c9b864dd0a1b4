"""A plain folder of images and masks; how its classes are written is judged from all masks
together.
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
# The split of images that are not split.
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
    notes = [f"format folder: {_describe_folders(root, places)}"]
    splits: dict[str, tuple[Pair, ...]] = {}
    folders: list[Path] = []
    for split, images, masks in places:
        if split == "test" and _is_empty(masks):
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


def _describe_folders(root: Path, places: list[Sides]) -> str:
    """The folders of train where there are some, else of the first split."""
    trained = [place for place in places if place[0] == _FLAT]
    _, images, masks = trained[0] if trained else places[0]
    return f"{images.relative_to(root)}/ and {masks.relative_to(root)}/"


def _is_empty(masks: Path) -> bool:
    """Whether a folder holds no masks, as those of a test set that is scored elsewhere; one that
    cannot be read may hold some.
    """
    files, unreadable = list_readable(masks)
    return not files and not unreadable


def layout(root: Path) -> tuple[list[Sides], list[Issue]]:
    """Folders of images and masks by split, and issues; those that are not split count as train."""
    top = sides(root)
    if top is None:
        return _layout_of_splits(root)
    images, image_issues = named_splits(top[0])
    masks, mask_issues = named_splits(top[1])
    if not images and not masks:
        return [(_FLAT, *top)], []
    named = {split for split, _ in (*images, *masks)}
    places: list[Sides] = []
    for split in sorted(named, key=SPLIT_ORDER.index):
        # A folder that one side lacks is named all the same: its absence becomes an issue.
        image_folders = [path for name, path in images if name == split] or [top[0] / split]
        mask_folders = [path for name, path in masks if name == split] or [top[1] / split]
        # Folders that claim one split are paired in order; what has no partner is not read.
        for image_folder, mask_folder in zip(image_folders, mask_folders, strict=False):
            places.append((split, image_folder, mask_folder))
    # Both sides mostly have the same doubled split, which is one issue.
    return places, image_issues or mask_issues


def _layout_of_splits(root: Path) -> tuple[list[Sides], list[Issue]]:
    """The layout of train/images/ and train/masks/."""
    named, issues = named_splits(root)
    places: list[Sides] = []
    for split, folder in named:
        inside = sides(folder)
        if inside:
            places.append((split, *inside))
    return places, issues


def sides(folder: Path) -> tuple[Path, Path] | None:
    """The folders of images and of masks in `folder`, None where one is missing."""
    folders = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    by_name = {path.name.lower(): path for path in folders}
    images = [by_name[name] for name in IMAGE_FOLDERS if name in by_name]
    masks = [by_name[name] for name in MASK_FOLDERS if name in by_name]
    # The order of the names decides where several are there: annotations/ may hold XML.
    return (images[0], masks[0]) if images and masks else None
