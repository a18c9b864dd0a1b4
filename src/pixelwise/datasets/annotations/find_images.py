"""Finding the image files that annotations name, as tools on other systems wrote the names."""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from pixelwise.io.images import IMAGE_SUFFIXES
from pixelwise.io.text import is_side_file

_DRIVE = re.compile(r"^[A-Za-z]:/")
# Two letters at least: one is a drive.
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
# Label Studio names files of its own disk so: /data/local-files/?d=images/0.png.
_LOCAL_FILE = "d="
# Folders whose pictures are drawn from annotations, and called as the images.
_DRAWN = frozenset({"masks", "mask", "segmentationclass", "segmentationobject", "visualization"})


class ImageFinder:
    """Finds images of a data set by the names in its annotations.

    `folders` are where the format has them, in order. `by_name_alone` lists the names whose folder
    is not here, and which the only file of that name serves: for a note to the user.
    """

    def __init__(self, root: Path, folders: Iterable[Path]) -> None:
        self.root = root
        self.folders = tuple(dict.fromkeys(folders))
        self.by_name_alone: list[str] = []

    def find(self, name: str, folders: Iterable[Path] = ()) -> Path | None:
        """The file that `name` means, None where there is none, or several and nothing to choose
        by. `folders` are looked in before the others.

        A name may have `\\` between its parts, a drive or an absolute path of another machine, an
        address, folders that are not here, and another Unicode form. Nothing outside the root is
        taken.
        """
        path = self.find_exact(name, folders)
        if path is None:
            path = self.find_alike(name, folders)
            if path is not None and names_other_folders(name, path):
                self.by_name_alone.append(name)
        return path

    def find_exact(self, name: str, folders: Iterable[Path] = ()) -> Path | None:
        """The file at `name` in one of the folders."""
        searched = (*folders, *self.folders)
        for parts in _spellings(name):
            for folder in searched:
                path = self._file_at(folder, parts)
                if path is not None:
                    return path
        return None

    def find_alike(self, name: str, folders: Iterable[Path] = ()) -> Path | None:
        """The only file anywhere that is called as the last part of `name`, or that shares more
        last parts with it than any other; of several, the only one in the first of the folders that
        has one. A name without suffix means the picture with that stem.
        """
        searched = (*folders, *self.folders)
        for parts in _spellings(name):
            by_key = self._by_name if _has_image_suffix(parts[-1]) else self._by_stem
            candidates = _best_matches(by_key.get(_key(parts[-1]), []), parts)
            if len(candidates) > 1:
                by_folder = ([p for p in candidates if p.parent == folder] for folder in searched)
                candidates = next(filter(None, by_folder), [])
            if len(candidates) == 1:
                return candidates[0]
        return None

    def _file_at(self, folder: Path, parts: list[str]) -> Path | None:
        path = folder.joinpath(*parts)
        if ".." in parts:
            plain = Path(os.path.normpath(path))
            root = os.path.normpath(self.root)
            if not plain.is_relative_to(root):
                return None
            path = self.root / plain.relative_to(root)
        try:
            return path if path.is_file() else None
        except OSError:
            return None  # a name too long for a file, such as a picture in base64

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """All pictures at or beneath the root, by the key of their file names."""
        files: dict[str, list[Path]] = defaultdict(list)
        for folder, folder_names, file_names in os.walk(self.root):
            folder_names[:] = [name for name in folder_names if _may_hold_images(name)]
            for file_name in file_names:
                path = Path(folder, file_name)
                if _has_image_suffix(file_name) and not is_side_file(path):
                    files[_key(file_name)].append(path)
        return files

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        files: dict[str, list[Path]] = defaultdict(list)
        for paths in self._by_name.values():
            for path in paths:
                files[_key(path.stem)].append(path)
        return files


def names_other_folders(name: str, path: Path) -> bool:
    """Whether `name` has folders that `path` does not lie in."""
    return all(_shared_parts(path, parts) < len(parts) for parts in _spellings(name))


def split_name(name: str) -> list[str]:
    """The parts of a path as any system writes it; a drive and the root are dropped."""
    path = _DRIVE.sub("", name.strip().replace("\\", "/"))
    return [part for part in path.split("/") if part not in ("", ".")]


def _spellings(name: str) -> list[list[str]]:
    """The parts of a name as it stands, then without the scheme and the query of an address, then
    with its %20 and the like decoded.
    """
    address = _SCHEME.sub("", name.strip())
    path, _, query = address.partition("?")
    texts = [name, address, path]
    if query.startswith(_LOCAL_FILE):
        texts.append(query.removeprefix(_LOCAL_FILE))
    texts += [unquote(text) for text in texts]
    spellings = [split_name(text) for text in dict.fromkeys(texts)]
    return [parts for parts in spellings if parts]


def _has_image_suffix(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def _key(name: str) -> str:
    """What file names are compared by: macOS stores accents apart, Windows ignores case."""
    return unicodedata.normalize("NFC", name).casefold()


def _may_hold_images(folder_name: str) -> bool:
    return folder_name.lower() not in _DRAWN and not is_side_file(Path(folder_name))


def _best_matches(candidates: list[Path], parts: list[str]) -> list[Path]:
    """The candidates that share the most last parts with a name."""
    shared = [_shared_parts(path, parts) for path in candidates]
    most = max(shared, default=0)
    return [path for path, count in zip(candidates, shared, strict=True) if count == most]


def _shared_parts(path: Path, parts: list[str]) -> int:
    last = path.name if _has_image_suffix(parts[-1]) else path.stem
    shared = 0
    for own, other in zip((last, *path.parts[-2::-1]), reversed(parts), strict=False):
        if _key(own) != _key(other):
            break
        shared += 1
    return shared
