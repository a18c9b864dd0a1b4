"""Opening a data set whose format may not be known."""

from collections.abc import Callable
from pathlib import Path

from pixelwise.datasets.annotations import (
    ade20k,
    cityscapes,
    coco,
    cvat,
    labelme,
    supervisely,
    yolo,
)
from pixelwise.datasets.annotations import mask_per_class as layers
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
    "yolo": yolo,
    "layers": layers,
    "folder": folder,
}
DATASETS: dict[str, Callable[[Path, DataOptions], DataSet]] = {
    **{name: module.read for name, module in _MODULES.items()},
    "cityscapes-all": cityscapes.read_all,
}
"""Readers by format; `auto` tries those that can be told apart in this order."""

MATCHES = {name: module.matches for name, module in _MODULES.items()}
"""Whether a folder is laid out in a format, by format."""
_LAYOUTS = {name: module.LAYOUT for name, module in _MODULES.items()}
_DEFAULTS = DataOptions()


def open_dataset(root: str | Path, options: DataOptions = _DEFAULTS) -> DataSet:
    """Find the data set at `root`: its format (unless `options` names it), classes and pairs by
    split.

    No image is decoded, and masks only where a plain folder must show how its classes are written.
    Raises ConfigError for an unknown format and DataError for a folder that is missing, unreadable,
    empty or laid out in no known way.
    """
    if options.format not in ("auto", *DATASETS):
        raise unknown_choice_error("format", options.format, ("auto", *DATASETS))
    path = Path(root)
    try:
        _check(path)
        name = _found(path) if options.format == "auto" else options.format
        return DATASETS[name](path, options)
    except OSError as error:
        place = error.filename or path
        raise DataError(
            f"{place}: {error.strerror or error}; make the folder readable and try again"
        ) from error


def _check(path: Path) -> None:
    if not path.exists():
        raise DataError(f"{path}: no such folder; give the folder that holds the images and masks")
    if not path.is_dir():
        raise DataError(f"{path}: is a file; give the folder that holds the images and masks")
    if not any(path.iterdir()):
        raise DataError(
            f"{path}: the folder is empty; put images and masks in, laid out as "
            f"{_LAYOUTS['folder']}"
        )


def _found(path: Path) -> str:
    for name, matches in MATCHES.items():
        if matches(path):
            return name
    needs = "; ".join(f"{name}: {layout}" for name, layout in _LAYOUTS.items())
    raise DataError(
        f"{path}: no known layout of images and masks here; what each format needs: {needs}"
    )
