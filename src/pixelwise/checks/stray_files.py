"""Layouts that stand in one folder, and names and links among the pictures that lead astray."""

from collections.abc import Iterator
from pathlib import Path

from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.open_dataset import LAYOUTS, matching_formats
from pixelwise.datasets.readers.layout import find_layout

# Formats that are recognised by their folders alone, so that two of them may stand in one folder.
# The others have an annotation file, which says what belongs to them.
_PLAIN = ("voc", "camvid", "matte", "folder")


def find_stray_files(index: Index) -> Iterator[Issue]:
    """Other layouts in the same folder, names that are not UTF-8, and links that lead nowhere."""
    yield from _find_other_layouts(index)
    for folder in index.folders:
        yield from _check_folder(folder)


def _find_other_layouts(index: Index) -> Iterator[Issue]:
    if index.format not in _PLAIN:
        return
    for format in matching_formats(index.root):
        if format not in _PLAIN or format == index.format:
            continue
        if format == "folder" and _is_read(index):
            continue  # the folders of voc and camvid make a plain folder as well
        text = f"read as {index.format}, but {format} is here as well ({LAYOUTS[format]})"
        yield Issue("layouts-mixed", index.root, text)


def _is_read(index: Index) -> bool:
    """Whether what a plain folder would be made of is read."""
    places = find_layout(index.root).places
    return {folder for place in places for folder in (place.images, place.masks)} <= {
        *index.folders
    }


def _check_folder(folder: Path) -> Iterator[Issue]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return  # an issue of the index already
    for path in entries:
        if not _is_utf8(path.name):
            yield Issue("name-not-utf8", path, "bytes that are not UTF-8")
        if path.is_symlink() and not path.exists():
            yield _dangling_link(path)
        elif path.is_symlink() and path.is_dir() and _leads_up(path, folder):
            yield Issue("link-loop", path, f"leads back to {path.resolve().name}/")


def _is_utf8(name: str) -> bool:
    # Python holds bytes that are not UTF-8 as lone surrogates, which do not come back.
    return name == name.encode("utf-8", "replace").decode("utf-8")


def _leads_up(link: Path, folder: Path) -> bool:
    return folder.resolve().is_relative_to(link.resolve())


def _dangling_link(path: Path) -> Issue:
    try:
        path.resolve(strict=True)
    except FileNotFoundError:
        return Issue("link-broken", path, f"leads to {path.readlink()}, which is not there")
    except (OSError, RuntimeError):
        pass  # a loop: RuntimeError up to Python 3.12, OSError from 3.13 on
    return Issue("link-loop", path, "leads to itself")
