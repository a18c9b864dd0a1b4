"""Opening a data set whose format may not be known."""

from collections.abc import Callable
from pathlib import Path

from pixelwise.datasets.annotations import (
    ade20k,
    cityscapes,
    coco,
    cvat,
    labelme,
    labelstudio,
    mask_per_class,
    supervisely,
    yolo,
)
from pixelwise.datasets.annotations.coco_files import describe_results
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.readers import camvid, folder, matte, voc
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError, unknown_choice_error

_MODULES = {
    "voc": voc,
    "camvid": camvid,
    "matte": matte,
    "coco": coco,
    "cvat": cvat,
    "supervisely": supervisely,
    "cityscapes": cityscapes,
    "ade20k": ade20k,
    "labelme": labelme,
    "labelstudio": labelstudio,
    "yolo": yolo,
    "layers": mask_per_class,
    "folder": folder,
}
MATCHES = {name: module.matches for name, module in _MODULES.items()}
"""Whether a folder is laid out in a format, by format."""
LAYOUTS = {name: module.LAYOUT for name, module in _MODULES.items()}
"""What a format needs, by format."""
INDEXES: dict[str, Callable[[Path, DataOptions], Index]] = {
    **{name: module.index for name, module in _MODULES.items()},
    "cityscapes-all": cityscapes.index_all,
}
"""Readers by format: they list pairs and issues without refusing any; `auto` tries those that can
be told apart in this order.
"""
_DEFAULTS = DataOptions()


def open_dataset(root: str | Path, options: DataOptions = _DEFAULTS) -> DataSet:
    """Find the data set at `root`: its format (unless `options` names it), classes and pairs by
    split.

    No image is decoded, and masks only where a plain folder must show how its classes are written.
    Raises ConfigError for an unknown format and DataError for a folder that is missing, unreadable,
    empty or laid out in no known way, and for the first issue that a training cannot go on with.
    """
    path = Path(root)
    _check_format(options)
    try:
        _check_folder(path)
        return open_index(INDEXES[_format(path, options)](path, options), options)
    except OSError as error:
        place = error.filename or path
        raise DataError(
            f"{place}: {error.strerror or error}; make the folder readable and try again"
        ) from error


def read_index(root: Path, options: DataOptions = _DEFAULTS) -> Index:
    """The files of the data set at `root` with all issues; nothing is held out.

    Raises DataError only where there is no data set, or annotations that cannot be read.
    """
    _check_format(options)
    return INDEXES[_format(root, options)](root, options)


def matching_formats(root: Path) -> list[str]:
    """The formats as which a folder is laid out, in the order of MATCHES."""
    return [name for name, matches in MATCHES.items() if _safely(matches, root)]


def _check_format(options: DataOptions) -> None:
    if options.format not in ("auto", *INDEXES):
        raise unknown_choice_error("format", options.format, ("auto", *INDEXES))


def _format(root: Path, options: DataOptions) -> str:
    if options.format != "auto":
        return options.format
    for name, matches in MATCHES.items():
        if _safely(matches, root):
            return name
    results = describe_results(root)
    if results:
        raise DataError(results)
    needs = "; ".join(f"{name}: {layout}" for name, layout in LAYOUTS.items())
    raise DataError(
        f"{root}: no known layout of images and masks here; what each format needs: {needs}"
    )


def _safely(matches: Callable[[Path], bool], root: Path) -> bool:
    """A reader's own test, where a doubled split or a folder that cannot be read does not end the
    search.
    """
    try:
        return matches(root)
    except DataError:
        return True  # a reader raises only for a layout that it has recognised
    except OSError:
        return False


def _check_folder(root: Path) -> None:
    if not root.exists():
        raise DataError(f"{root}: no such folder; give the folder that holds the images and masks")
    if not root.is_dir():
        raise DataError(f"{root}: is a file; give the folder that holds the images and masks")
    if not any(root.iterdir()):
        raise DataError(
            f"{root}: the folder is empty; put images and masks in, laid out as {LAYOUTS['folder']}"
        )
