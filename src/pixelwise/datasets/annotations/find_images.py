"""Finding the image files that annotations name, as tools on other systems wrote the names."""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from pixelwise.io.images import IMAGE_SUFFIXES
from pixelwise.io.text import is_side_file

_DRIVE = re.compile(r"^[A-Za-z]:/")


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

        A name may have `\\` between its parts, a drive or an absolute path of another machine,
        folders that are not here, and another Unicode form. Nothing outside the root is taken.
        """
        parts = _parts(name)
        if not parts:
            return None
        for folder in (*folders, *self.folders):
            path = self._file_at(folder, parts)
            if path is not None:
                return path
        candidates = self._files_by_name.get(_key(parts[-1]), [])
        path = _best_match(candidates, parts)
        if path is not None:
            self.by_name_alone.append(name)
        return path

    def _file_at(self, folder: Path, parts: list[str]) -> Path | None:
        path = Path(os.path.normpath(folder.joinpath(*parts)))
        root = Path(os.path.normpath(self.root))
        return path if path.is_relative_to(root) and path.is_file() else None

    @cached_property
    def _files_by_name(self) -> dict[str, list[Path]]:
        """All pictures at or beneath the root, by the key of their file names."""
        files: dict[str, list[Path]] = defaultdict(list)
        for folder, folder_names, file_names in os.walk(self.root):
            folder_names[:] = [name for name in folder_names if not is_side_file(Path(name))]
            for file_name in file_names:
                path = Path(folder, file_name)
                if path.suffix.lower() in IMAGE_SUFFIXES and not is_side_file(path):
                    files[_key(file_name)].append(path)
        return files


def _parts(name: str) -> list[str]:
    """The parts of a path as any system writes it; a drive and the root are dropped."""
    path = _DRIVE.sub("", name.strip().replace("\\", "/"))
    return [part for part in path.split("/") if part not in ("", ".")]


def _key(name: str) -> str:
    """What file names are compared by: macOS stores accents apart, Windows ignores case."""
    return unicodedata.normalize("NFC", name).casefold()


def _best_match(candidates: list[Path], parts: list[str]) -> Path | None:
    """The one candidate that shares the most last parts with a name; None where two do."""
    ranked = sorted(candidates, key=lambda path: _shared_parts(path, parts), reverse=True)
    if not ranked:
        return None
    best = [
        path for path in ranked if _shared_parts(path, parts) == _shared_parts(ranked[0], parts)
    ]
    return best[0] if len(best) == 1 else None


def _shared_parts(path: Path, parts: list[str]) -> int:
    shared = 0
    for own, other in zip(reversed(path.parts), reversed(parts), strict=False):
        if _key(own) != _key(other):
            break
        shared += 1
    return shared
