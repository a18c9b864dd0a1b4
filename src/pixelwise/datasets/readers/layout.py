"""Where the images and the masks of a data set lie, by the names of its folders."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

from pixelwise.datasets.folder_names import FolderName, Role, parse_folder_name
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_names import NameLookup, has_mask_name, is_companion
from pixelwise.datasets.readers.truth_folders import (
    belong_together,
    find_rivals,
    holds_few_values,
    list_subfolders,
)
from pixelwise.datasets.splits import SPLIT_ORDER, named_splits, split_of
from pixelwise.datasets.types import images_in
from pixelwise.io.image_formats import STREAMED_SUFFIXES
from pixelwise.io.images import IMAGE_SUFFIXES
from pixelwise.io.text import is_side_file

FLAT = "train"
"""The split of images that are not split."""

# Folders without a telling name are looked into, up to so many.
_MAX_UNNAMED = 8
_PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg"})


@dataclass(frozen=True)
class Place:
    """Images and masks of a split, and the folder that holds both; one folder may be both."""

    split: str
    images: Path
    masks: Path
    base: Path


@dataclass(frozen=True)
class Layout:
    """Where images and masks lie, by split, and issues."""

    places: tuple[Place, ...] = ()
    issues: tuple[Issue, ...] = ()


def find_layout(root: Path, mask_folder: str = "") -> Layout:
    """Folders of images and masks by split; those that are not split count as train.

    `mask_folder` names the folder of masks beside that of images. Where another folder beside may
    hold the masks just as well, an issue refuses the set.
    """
    ways: tuple[Callable[[Path, str], Layout], ...] = (
        _find_at_top,
        _find_in_splits,
        _find_by_split_names,
        _find_in_one_folder,
        _find_unnamed,
        _find_unnamed_in_splits,
    )
    for find in ways:
        layout = find(root, mask_folder)
        if layout.places:
            rivals = [] if mask_folder else list(find_rivals(layout.places))
            return replace(layout, issues=(*layout.issues, *rivals))
    return Layout()


def _find_at_top(root: Path, mask_folder: str) -> Layout:
    """images/ and masks/, flat or with splits inside."""
    top = find_sides(root, mask_folder)
    return _split_sides(*top) if top else Layout()


def _split_sides(top_images: Path, top_masks: Path) -> Layout:
    base = top_images.parent
    images, image_issues = named_splits(top_images)
    masks, mask_issues = named_splits(top_masks)
    if not images and not masks:
        return Layout((Place(FLAT, _enter(top_images), _enter(top_masks), base),))
    named = {split for split, _ in (*images, *masks)}
    places: list[Place] = []
    for split in sorted(named, key=SPLIT_ORDER.index):
        # A folder that one side lacks is named all the same: its absence becomes an issue.
        image_folders = [path for name, path in images if name == split] or [top_images / split]
        mask_folders = [path for name, path in masks if name == split] or [top_masks / split]
        # Folders that claim one split are paired in order; what has no partner is not read.
        for image_folder, mask_folder in zip(image_folders, mask_folders, strict=False):
            places.append(Place(split, image_folder, mask_folder, base))
    # Both sides mostly have the same doubled split, which is one issue.
    return Layout(tuple(places), tuple(image_issues or mask_issues))


def _enter(folder: Path) -> Path:
    """The one folder with pictures in a folder that holds none itself, as annotations/trimaps
    beside annotations/xmls, or png_masks/MASKS; else the folder. In masks/leaf, the one folder of
    masks, leaf may be a class.
    """
    if any(_scan_for_pictures(folder, deep=False)):
        return folder
    subfolders = list_subfolders(folder)
    inner = [path for path in subfolders if any(_scan_for_pictures(path, deep=False))]
    if len(inner) != 1:
        return folder
    others = [path for path in subfolders if path != inner[0] and any(path.iterdir())]
    return inner[0] if others or parse_folder_name(inner[0].name).role else folder


def _find_in_splits(root: Path, mask_folder: str) -> Layout:
    """train/images/ and train/masks/."""
    named, issues = named_splits(root)
    places: list[Place] = []
    for split, folder in named:
        inside = find_sides(folder, mask_folder, split)
        if inside:
            images, masks = inside
            places.append(Place(split, _enter(images), _enter(masks), folder))
    return Layout(tuple(places), tuple(issues))


def _find_unnamed_in_splits(root: Path, mask_folder: str) -> Layout:
    """train/rgb/ and train/classes/."""
    named, issues = named_splits(root)
    inside = [(split, _find_unnamed(folder, mask_folder)) for split, folder in named]
    places = [
        replace(place, split=split)
        for split, layout in inside
        for place in layout.places
        if len(layout.places) == 1
    ]
    return Layout(tuple(places), tuple(issues))


def _find_by_split_names(root: Path, mask_folder: str) -> Layout:
    """train/ and train_labels/, or train_images/ and train_masks/."""
    folders = {path: parse_folder_name(path.name) for path in list_subfolders(root)}
    places = []
    has_masks = False
    for split in SPLIT_ORDER:
        of_split = {path: name for path, name in folders.items() if name.split == split}
        masks = _named(of_split, mask_folder) or _best(of_split, "masks")
        rest = {path: name for path, name in of_split.items() if path != masks}
        images = _best(rest, "images") or next(
            (p for p, name in rest.items() if not name.role), None
        )
        if images is None:
            continue
        has_masks = has_masks or masks is not None
        places.append(Place(split, images, masks or root / f"{split}_masks", root))
    return Layout(tuple(places)) if has_masks else Layout()


def _find_in_one_folder(root: Path, mask_folder: str) -> Layout:
    """x.jpg beside x_mask.png, in folders of splits or at the top."""
    del mask_folder
    named, issues = named_splits(root)
    places = [Place(split, folder, folder, root) for split, folder in named]
    if any(_is_mixed(folder) for _, folder in named):
        return Layout(tuple(places), tuple(issues))
    return Layout((Place(FLAT, root, root, root),)) if _is_mixed(root) else Layout()


def _is_mixed(folder: Path) -> bool:
    images, masks = split_mixed(images_in(folder))
    return belong_together(images, masks)


def split_mixed(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Images and masks that lie in one folder: masks are called so, or are the PNG of a JPEG."""
    lookup = NameLookup(path.stem for path in files)
    drawn = {path for path in files if lookup.find_shorter(path.stem)}
    # An image may be called as a mask: cat_l.
    drawn = drawn or {path for path in files if has_mask_name(path.stem)}
    if drawn:
        masks = [path for path in files if path in drawn or _is_called_companion(path)]
        return [path for path in files if path not in set(masks)], masks
    photos = [path for path in files if path.suffix.lower() in _PHOTO_SUFFIXES]
    others = [path for path in files if path.suffix.lower() not in _PHOTO_SUFFIXES]
    return photos, others


def _is_called_companion(path: Path) -> bool:
    return is_companion(path.stem) and path.suffix.lower() not in _PHOTO_SUFFIXES


def _find_unnamed(root: Path, mask_folder: str) -> Layout:
    """Two folders of like names of which one alone holds masks by its pixels, where the folders'
    names do not say so.
    """
    folders = [path for path in list_subfolders(root) if not split_of(path.name)]
    pictures = {path: _pictures_of(path) for path in folders[:_MAX_UNNAMED]}
    pictures = {path: files for path, files in pictures.items() if files}
    roles = {path: parse_folder_name(path.name).role for path in pictures}
    drawn = {
        path
        for path, files in pictures.items()
        if roles[path] == "masks"
        or path.name == mask_folder
        or (not roles[path] and holds_few_values(files))
    }
    pairs = [
        (images, masks)
        for images in pictures
        for masks in drawn
        if images not in drawn
        and mask_folder in ("", masks.name)
        and belong_together(pictures[images], pictures[masks])
    ]
    pairs.sort(key=lambda pair: (roles[pair[0]] != "images", pair))
    return _split_sides(*pairs[0]) if pairs else Layout()


def _pictures_of(folder: Path) -> list[Path]:
    """The pictures in a folder, or in its first folder of a split."""
    try:
        return images_in(folder) or next(
            (images_in(path) for _, path in named_splits(folder)[0]), []
        )
    except OSError:
        return []


def find_sides(folder: Path, mask_folder: str = "", split: str = "") -> tuple[Path, Path] | None:
    """The folders of images and of masks in `folder`, which is that of a `split` if it has one;
    None where one is missing.
    """
    names = {path: parse_folder_name(path.name) for path in list_subfolders(folder)}
    names = {path: name for path, name in names.items() if name.split in ("", split)}
    masks = _named(names, mask_folder) if mask_folder else _best(names, "masks")
    rest = {path: name for path, name in names.items() if path != masks}
    images = _best(rest, "images")
    return (images, masks) if images and masks else None


def _named(folders: Iterable[Path], name: str) -> Path | None:
    return next((path for path in folders if name and path.name == name), None)


def _best(folders: dict[Path, FolderName], role: Role) -> Path | None:
    """The folder of a role that holds pictures, if any does, and has the most usual name."""

    def key(path: Path) -> tuple[bool, bool, bool, int, str]:
        name = folders[path]
        return (not _holds_pictures(path), name.companion, not name.exact, name.rank, path.name)

    candidates = [path for path, name in folders.items() if name.role == role]
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    return min(candidates, key=key)


def _holds_pictures(folder: Path) -> bool:
    """Whether pictures, and not arrays alone, lie in a folder or in a folder of it: masks/ may be
    empty beside others, or hold arrays of what others show.
    """
    return any(_scan_for_pictures(folder, deep=True, suffixes=STREAMED_SUFFIXES))


def _scan_for_pictures(
    folder: Path | str, *, deep: bool, suffixes: AbstractSet[str] = IMAGE_SUFFIXES
) -> Iterator[bool]:
    try:
        with os.scandir(folder) as entries:
            subfolders = []
            for entry in entries:
                if is_side_file(Path(entry.name)):
                    continue
                if Path(entry.name).suffix.lower() in suffixes:
                    yield True
                elif deep and entry.is_dir():
                    subfolders.append(entry.path)
    except OSError:
        return
    for path in subfolders:
        yield from _scan_for_pictures(path, deep=False, suffixes=suffixes)


def describe_place(root: Path, place: Place) -> str:
    """The folders of a place, for the user."""
    if place.images == place.masks:
        name = f"{place.images.relative_to(root)}/" if place.images != root else "one folder"
        return f"images and masks in {name}"
    return f"{place.images.relative_to(root)}/ and {place.masks.relative_to(root)}/"
