"""Data sets whose pictures lie in archives: unpacked to the cache, and read as a plain folder."""

import hashlib
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from pixelwise.datasets.annotations.picture_files import list_folders
from pixelwise.datasets.class_files import CLASS_FILES
from pixelwise.datasets.index import Index
from pixelwise.datasets.readers import folder
from pixelwise.datasets.splits import SPLITS
from pixelwise.datasets.types import DataOptions, first
from pixelwise.errors import DataError, OutputError
from pixelwise.io.atomic import atomic_folder
from pixelwise.io.cache import cache_folder
from pixelwise.io.text import list_files

_DEPTH = 2
_IMAGE_WORDS = frozenset({"image", "img", "picture", "photo", "rgb", "input"})
_MASK_WORDS = frozenset(
    {"mask", "annotation", "label", "labels", "seg", "segmentation", "semantic", "gt", "target"}
)
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif", "WEBP": ".webp", "BMP": ".bmp"}


@dataclass(frozen=True)
class Sample:
    """A picture and its mask, as the bytes of their files."""

    name: str
    image: bytes
    mask: bytes


@dataclass(frozen=True)
class Archives:
    """How archives of a format are read: its name and layout, the endings of their names, and what
    yields their samples.
    """

    format: str
    layout: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Iterator[Sample]]

    def list(self, root: Path) -> list[Path]:
        """The archives at `root` and in folders beneath it."""
        folders = list_folders(root, _DEPTH)
        return [path for place in folders for path in list_files(place, self.suffixes)]

    def index(self, root: Path, options: DataOptions) -> Index:
        """The pictures of the archives, unpacked to the cache unless they are there already.

        Raises DataError for an archive that cannot be read or shows no pairs.
        """
        files = self.list(root)
        if not files:
            raise DataError(f"{root}: no {self.format} files; it needs {self.layout}")
        place = _unpack(root, files, self)
        index = folder.index(place, options)
        names = first(path.relative_to(root).as_posix() for path in files)
        note = f"format {self.format}: {names}, unpacked to {place}"
        return replace(index, format=self.format, notes=(note, *index.notes[1:]))


def _unpack(root: Path, files: Sequence[Path], archives: Archives) -> Path:
    """The folder of the pictures."""
    lists = [path for path in root.iterdir() if path.name.lower() in CLASS_FILES]
    states = [(str(path.absolute()), path.stat()) for path in sorted([*files, *lists])]
    rows = [(name, state.st_size, state.st_mtime_ns) for name, state in states]
    digest = hashlib.sha256(json.dumps([archives.format, rows]).encode()).hexdigest()[:32]
    place = cache_folder() / "unpacked" / digest
    if place.is_dir():
        return place
    try:
        with atomic_folder(place, None) as stage:
            for path in files:
                _unpack_file(path, _split_of(root, path), stage, archives)
            for path in lists:
                shutil.copyfile(path, stage / path.name)
    except OutputError as error:
        if not place.is_dir():  # else another process has written it at the same time
            raise OutputError(f"{error}; XDG_CACHE_HOME names the folder of the cache") from error
    return place


def _unpack_file(path: Path, split: str, stage: Path, archives: Archives) -> None:
    count = 0
    stem = path.name.partition(".")[0]
    for sample in archives.read(path):
        name = f"{stem}_{sample.name}"
        for part, data in (("images", sample.image), ("masks", sample.mask)):
            suffix = _suffix_of(data, f"{path}: {part[:-1]} of {sample.name}")
            picture = stage / part / split / f"{name}{suffix}"
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_bytes(data)
        count += 1
    if not count:
        raise DataError(f"{path}: holds no pair of image and mask; give a whole file")


def _split_of(root: Path, path: Path) -> str:
    """By a word of the file's name or of its folders; else train."""
    words = re.split(r"[^a-z]+", path.relative_to(root).as_posix().lower())
    return next((SPLITS[word] for word in words if word in SPLITS), "train")


def _suffix_of(data: bytes, where: str) -> str:
    try:
        with Image.open(io.BytesIO(data)) as image:
            suffix = _SUFFIXES.get(image.format or "")
    except OSError as error:
        raise DataError(f"{where} is no picture; export it again") from error
    if suffix is None:
        raise DataError(f"{where} is a picture of a kind that is not read here; save it as PNG")
    return suffix


def choose_pair(names: Sequence[str]) -> tuple[str, str] | None:
    """Which of some pictures is the image and which its mask, by the words of their names; a JPEG
    beside a PNG is the image. None where that is doubtful.
    """
    masks = [name for name in names if _words(name) & _MASK_WORDS]
    others = [name for name in names if name not in masks]
    images = [name for name in others if _words(name) & _IMAGE_WORDS] or others
    if not masks and len(others) == 2 and "png" in others:
        masks = ["png"]
        images = [name for name in others if name in ("jpg", "jpeg")]
    return (images[0], masks[0]) if len(images) == len(masks) == 1 else None


def _words(name: str) -> AbstractSet[str]:
    return set(re.split(r"[^a-z]+", name.lower()))
