"""Files and folders that lie among the pictures of a data set and are not read."""

from collections.abc import Iterator
from pathlib import Path

from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.open_dataset import LAYOUTS, matching_formats
from pixelwise.datasets.splits import SPLITS
from pixelwise.io.images import list_images

# Formats that are told by folders alone, so that two of them may stand in one folder.
_PLAIN = ("voc", "camvid", "matte", "folder")


def find_stray_files(index: Index) -> Iterator[Issue]:
    """Other layouts in the same folder, links that lead nowhere, files that are no pictures, and
    folders with pictures that are not read.
    """
    layered = index.format == "layers"
    chosen = "folder" if layered else index.format
    if chosen in _PLAIN:
        for other in matching_formats(index.root):
            if other in _PLAIN and other != chosen:
                text = f"read as {chosen}, but {other} is here as well ({LAYOUTS[other]})"
                yield Issue("layouts-mixed", index.root, text)
    for folder in index.folders:
        yield from _in_folder(folder, deep=not layered)


def _in_folder(folder: Path, *, deep: bool) -> Iterator[Issue]:
    try:
        entries = sorted(folder.iterdir())
        pictures = set(list_images(folder))
    except OSError:
        return  # an issue of the index already
    for path in entries:
        if path.name != path.name.encode("utf-8", "replace").decode("utf-8"):
            yield Issue("name-not-utf8", path, "bytes that are not UTF-8")
        if path.is_symlink() and not path.exists():
            yield _dangling_link(path)
        elif path.is_dir():
            if path.is_symlink() and folder.resolve().is_relative_to(path.resolve()):
                yield Issue("link-loop", path, f"leads back to {path.resolve().name}/")
            elif deep:
                yield from _unread_folder(path)
        elif path not in pictures and not path.name.startswith("."):
            yield Issue("file-ignored", path, "is no picture by its name")


def _dangling_link(path: Path) -> Issue:
    try:
        path.resolve(strict=True)
    except FileNotFoundError:
        return Issue("link-broken", path, f"leads to {path.readlink()}, which is not there")
    except (OSError, RuntimeError):
        pass
    return Issue("link-loop", path, "leads to itself")


def _unread_folder(folder: Path) -> Iterator[Issue]:
    if folder.name.lower() in SPLITS:
        return
    try:
        inside = list_images(folder)
    except OSError as error:
        yield Issue("folder-unreadable", folder, error.strerror or str(error))
        return
    if inside:
        text = f"{len(inside)} pictures, such as {inside[0].name}"
        yield Issue("subfolder-ignored", folder, text, count=len(inside))
