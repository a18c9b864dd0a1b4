"""The data set that a project leaves: images by reference or as copies, masks, classes.json."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from pixelwise.classes import Labels
from pixelwise.datasets.class_json import encode_json
from pixelwise.errors import OutputError
from pixelwise.io.atomic import atomic, write_text
from pixelwise.io.images import write_labels
from pixelwise.labelling.class_list import ClassList


def image_path(folder: Path, name: str) -> Path:
    """Where the data set in `folder` has the photo."""
    return folder / "images" / name


def mask_path(folder: Path, name: str) -> Path:
    """Where it has the photo's mask."""
    return folder / "masks" / Path(name).with_suffix(".png")


def write_photo(
    folder: Path, name: str, source: Path, labels: Labels, classes: ClassList, *, copy: bool = False
) -> None:
    """Write the mask of a photo, (H, W) of class keys as `ClassList.ids` translates them, and put
    the photo beside it.
    """
    write_labels(mask_path(folder, name), classes.ids()[labels], classes.as_classes().palette)
    _place_image(image_path(folder, name), source, copy=copy)


def remove_photo(folder: Path, name: str) -> None:
    """Take a photo out of the data set; its own file is not touched."""
    for path in (image_path(folder, name), mask_path(folder, name)):
        with suppress(FileNotFoundError):
            path.unlink()


def write_classes(folder: Path, classes: ClassList) -> None:
    """Write classes.json; masks hold void wherever nobody labelled."""
    write_text(folder / "classes.json", encode_json(classes.as_classes(), void=True))


def _place_image(target: Path, source: Path, *, copy: bool) -> None:
    """A link to the photo, or a copy where links cannot be or are not wanted."""
    source = source.resolve()
    if target.is_symlink() and not copy and target.resolve() == source:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if not copy:
        try:
            target.unlink(missing_ok=True)
            target.symlink_to(os.path.relpath(source, target.parent.resolve()))
            return
        except (OSError, ValueError):  # no links there, or none across drives of Windows
            pass
    if target.is_file() and not target.is_symlink():
        old = target.stat()
        new = source.stat()
        if (old.st_size, old.st_mtime_ns) == (new.st_size, new.st_mtime_ns):
            return
    with atomic(target) as temp_path:
        try:
            shutil.copyfile(source, temp_path)
        except OSError as error:
            raise OutputError(f"{target}: cannot be copied from {source} ({error})") from error
    with suppress(OSError):
        shutil.copystat(source, target)
