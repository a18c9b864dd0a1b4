"""The pictures and folders of a data set, and what paths of another machine mean in it."""

import os
import re
import unicodedata
from pathlib import Path

from pixelwise.datasets.annotations.match_images import split_of_folders
from pixelwise.datasets.splits import SPLITS
from pixelwise.io.images import IMAGE_SUFFIXES
from pixelwise.io.text import is_side_file

_DRIVE = re.compile(r"^[A-Za-z]:")


def find_inside(root: Path, name: str) -> Path | None:
    """What a path of another machine means inside `root`: the longest end of it that is here."""
    text = _DRIVE.sub("", name.strip().replace("\\", "/"))
    parts = [part for part in text.split("/") if part not in ("", ".", "..")]
    if not parts:
        return root
    for start in range(len(parts)):
        # Without its split, train/images would mean the images of all splits.
        if start and parts[start - 1].lower() in SPLITS:
            break
        path = root.joinpath(*parts[start:])
        if path.exists():
            return path
    return None


def list_pictures(folder: Path) -> list[Path]:
    """The pictures in `folder` and beneath."""
    pictures = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_side_file(Path(name))]
        paths = (Path(place, name) for name in names)
        pictures += [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES]
    return sorted(path for path in pictures if not is_side_file(path))


def list_folders(root: Path, depth: int) -> list[Path]:
    """`root` and the folders at most `depth` beneath it, by name; those of systems are left out."""
    if depth == 0:
        return [root]
    # Entries know what they are: no look at each file of a folder that may hold a million.
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir())
    inner = [root / name for name in names if not is_side_file(Path(name))]
    return [root, *(path for folder in inner for path in list_folders(folder, depth - 1))]


def split_of(root: Path, *paths: Path) -> str:
    """The split that a folder of the first path, or else of the next, is named as; else train."""
    folders = (path.relative_to(root).parts[:-1] for path in paths)
    return next(filter(None, map(split_of_folders, folders)), "train")


def name_key(name: str) -> str:
    """What names are compared by: macOS stores accents apart."""
    return unicodedata.normalize("NFC", name)
