"""A plain folder of images and masks; how its classes are written is judged from all masks
together.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from pixelwise.datasets.class_files import find_declared_classes
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.name_hints import describe_other_formats
from pixelwise.datasets.pairing import Pairing, list_readable, pair_files
from pixelwise.datasets.readers.cityscapes_names import declare_cityscapes
from pixelwise.datasets.readers.layout import (
    FLAT,
    Layout,
    Place,
    describe_place,
    find_layout,
    split_mixed,
)
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.errors import DataError

LAYOUT = (
    "images/ and masks/ with files of like names (also images/train/ and masks/train/, "
    "train/images/ and so on, train/ and train_labels/), or x.jpg beside x_mask.png"
)


def matches(root: Path) -> bool:
    """Whether a folder of images stands beside one of masks, at `root` or in a folder named as a
    split, or masks lie among the images.
    """
    return bool(find_layout(root).places)


def read(root: Path, options: DataOptions) -> DataSet:
    """Open a plain folder; its classes come from a classes file, or are numbered.

    Raises DataError for another layout, what `pair_files` refuses, masks that show no way to read
    them, and a classes file that cannot be read or does not fit.
    """
    return open_index(index(root, options), options)


@dataclass
class _Contents:
    """What the folders of a layout hold."""

    splits: dict[str, tuple[Pair, ...]] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)


def index(root: Path, options: DataOptions) -> Index:
    """The files of a plain folder. Raises DataError for another layout."""
    layout = find_layout(root, options.mask_folder or "")
    if not layout.places and options.mask_folder:
        raise DataError(
            f"{root}: no folder {options.mask_folder}/ of masks beside one of images; --masks is "
            "the name of a folder, without the path to it"
        )
    if not layout.places:
        raise DataError(f"{root}: not a folder of images and masks; it needs {LAYOUT}")
    contents = pair_places(root, layout, options)
    declared, class_issues = find_declared_classes(root, contents.folders)
    masks = [pair.mask for pairs in contents.splits.values() for pair in pairs]
    return Index(
        "folder",
        root,
        contents.splits,
        (*layout.issues, *contents.issues, *class_issues),
        (f"format folder: {_describe_folders(root, layout)}", *contents.notes),
        declared=declared if declared.classes else declare_cityscapes(masks) or declared,
        folders=tuple(dict.fromkeys(contents.folders)),
        hold_test=set(contents.splits) == {FLAT},
    )


def pair_places(root: Path, layout: Layout, options: DataOptions) -> _Contents:
    """Pair the files of every place; a split to score on that has no masks is left out."""
    contents = _Contents()
    for place in layout.places:
        text = _why_left_out(root, place)
        if text:
            contents.issues.append(Issue("split-without-masks", place.images, text))
            contents.notes.append(f"{place.split}: left out, as {text}")
            continue
        pairing = _pair(place, options)
        contents.splits[place.split] = contents.splits.get(place.split, ()) + pairing.pairs
        contents.issues += pairing.issues
        contents.notes += pairing.notes
        contents.folders += [place.images, place.masks]
    return contents


def _pair(place: Place, options: DataOptions) -> Pairing:
    files, unreadable = list_readable(place.images)
    if place.images == place.masks:
        images, masks = split_mixed(files)
    else:
        images = files
        masks, unreadable_masks = list_readable(place.masks)
        unreadable += unreadable_masks
    pairing = pair_files(images, masks, options, where=place.images, masks_in=place.masks)
    return replace(pairing, issues=(*unreadable, *pairing.issues))


def _why_left_out(root: Path, place: Place) -> str:
    """Why a split is left out: one that is scored elsewhere has no masks. Empty where it is read,
    as is one whose folders cannot be listed.
    """
    if place.split == FLAT:
        return ""
    images, unreadable = list_readable(place.images)
    mixed = place.images == place.masks
    masks = split_mixed(images)[1] if mixed else list_readable(place.masks)[0]
    if masks or unreadable or list_readable(place.masks)[1]:
        return ""
    if describe_other_formats(place.masks, images):
        return ""
    if not images:
        return f"{place.images.relative_to(root)}/ is empty"
    return f"there are no masks in {place.masks.relative_to(root)}/"


def _describe_folders(root: Path, layout: Layout) -> str:
    """The folders of train where there are some, else of the first split."""
    trained = [place for place in layout.places if place.split == FLAT]
    return describe_place(root, (*trained, *layout.places)[0])
