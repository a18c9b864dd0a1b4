"""Folders beside those of a data set that may hold its masks as well."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from pixelwise.datasets.folder_names import parse_folder_name
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_names import match_names
from pixelwise.datasets.splits import split_of
from pixelwise.datasets.types import images_in, pictures_in
from pixelwise.errors import DataError
from pixelwise.io.images import MAX_PIXELS, open_image
from pixelwise.io.text import is_side_file

# Masks hold few values; photographs and maps of distances hold hundreds.
_FEW_VALUES = 64
# So large a part of the images, or of the masks, has a partner in folders that belong together.
_MOST = 0.5


class Sides(Protocol):
    """Images and masks of a split, and the folder that holds both."""

    @property
    def images(self) -> Path:
        """The folder of images."""

    @property
    def masks(self) -> Path:
        """The folder of masks."""

    @property
    def base(self) -> Path:
        """The folder in which both lie."""


def list_subfolders(folder: Path) -> list[Path]:
    """The folders in a folder by name, without those of systems; none where it cannot be read."""
    try:
        # Not iterdir: a folder of ten thousand pictures would be asked for each.
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _is_folder(entry)]
    except OSError:
        return []
    paths = (folder / name for name in names)
    return sorted(path for path in paths if not is_side_file(path))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads to itself


def belong_together(images: Sequence[Path], masks: Sequence[Path]) -> bool:
    """Whether files are called as images and their masks."""
    fewer = min(len(images), len(masks))
    if not fewer:
        return False
    match = match_names([path.stem for path in images], [path.stem for path in masks])
    return len(set(match.images.values())) > _MOST * fewer


def find_rivals(places: Sequence[Sides]) -> Iterator[Issue]:
    """An issue for the first place beside whose masks another folder holds as many, by names and
    pixels.
    """
    for place in places:
        rivals = _list_rivals(place)
        if not rivals:
            continue
        chosen = _top(place.masks, place.base)
        names = [f"{path.name}/" for path in (chosen, *rivals)]
        text = f"{' and '.join(names)} each hold a picture for every image"
        ways = " or ".join(f"--masks {path.name}" for path in (chosen, *rivals))
        refusal = (
            f"{place.base}: {text}; say which holds the masks with {ways}, or move the others away"
        )
        yield Issue("masks-doubtful", place.base, text, refusal=refusal)
        return


def _top(folder: Path, base: Path) -> Path:
    """The folder in `base` at or beneath which `folder` lies."""
    return base / folder.relative_to(base).parts[0] if folder != base else base


def _list_rivals(place: Sides) -> list[Path]:
    if place.images == place.masks:
        return []
    top_masks = _top(place.masks, place.base)
    top_images = _top(place.images, place.base)
    chosen = parse_folder_name(top_masks.name)
    others = []
    for path in list_subfolders(place.base):
        name = parse_folder_name(path.name)
        # labels_color/ and masks_coarse/ are made from labels/ and masks/, which are there.
        derived = chosen.exact and chosen.words < name.words
        if path in (top_masks, top_images) or name.companion or derived or name.role == "images":
            continue
        if split_of(path.name) or name.split != chosen.split:
            continue
        others.append(path)
    if not others:
        return []
    images = images_in(place.images)
    inside = place.masks.relative_to(top_masks)
    rivals = []
    for path in others:
        files = pictures_in(path / inside)
        if belong_together(images, files) and holds_few_values(files):
            rivals.append(path)
    return rivals


def holds_few_values(files: Sequence[Path]) -> bool:
    """Whether the first and the middle of some pictures hold so few values as masks do."""
    samples = [files[0], files[len(files) // 2]]
    return all(count_values(path) <= _FEW_VALUES for path in samples)


def count_values(path: Path) -> int:
    """How many values or colours a picture holds; very many for one that cannot be read."""
    try:
        values = np.asarray(open_image(path))
    except DataError:
        return MAX_PIXELS
    if values.ndim == 3:
        packed = np.zeros(values.shape[:2], np.int64)
        for channel in range(values.shape[2]):
            packed = packed << 8 | values[..., channel]
        values = packed
    return len(np.unique(values))
