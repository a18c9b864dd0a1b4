"""Files and folders that lie among the pictures of a data set and are not read."""

from collections.abc import Iterator
from pathlib import Path

from pixelwise.datasets.class_files import find_class_files
from pixelwise.datasets.index import Index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.open_dataset import LAYOUTS, matching_formats
from pixelwise.datasets.readers.layout import find_layout
from pixelwise.io.images import list_images
from pixelwise.io.text import is_side_file

# Formats that are recognised by their folders alone, so that two of them may stand in one folder.
# The others have an annotation file, which says what belongs to them.
_PLAIN = ("voc", "camvid", "matte", "folder")


def find_stray_files(index: Index) -> Iterator[Issue]:
    """Other layouts in the same folder, links that lead nowhere, and files that are no pictures."""
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
        pictures = set(list_images(folder))
        class_files = set(find_class_files(folder))
    except OSError:
        return  # an issue of the index already
    for path in entries:
        if not _is_utf8(path.name):
            yield Issue("name-not-utf8", path, "bytes that are not UTF-8")
        if path.is_symlink() and not path.exists():
            yield _dangling_link(path)
        elif path.is_dir():
            if path.is_symlink() and folder.resolve().is_relative_to(path.resolve()):
                yield Issue("link-loop", path, f"leads back to {path.resolve().name}/")
        elif path not in pictures and path not in class_files and not is_side_file(path):
            yield Issue("file-ignored", path, "is no picture by its name")


def _is_utf8(name: str) -> bool:
    # Python holds bytes that are not UTF-8 as lone surrogates, which do not come back.
    return name == name.encode("utf-8", "replace").decode("utf-8")


def _dangling_link(path: Path) -> Issue:
    try:
        path.resolve(strict=True)
    except FileNotFoundError:
        return Issue("link-broken", path, f"leads to {path.readlink()}, which is not there")
    except (OSError, RuntimeError):
        pass  # a loop: RuntimeError up to Python 3.12, OSError from 3.13 on
    return Issue("link-loop", path, "leads to itself")
