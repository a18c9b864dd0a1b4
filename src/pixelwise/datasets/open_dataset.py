"""Opening a data set whose format may not be known."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pixelwise.datasets.alpha import keep_alpha
from pixelwise.datasets.annotations import (
    ade20k,
    cityscapes,
    coco,
    cvat,
    geojson,
    kaggle_rle,
    labelme,
    labelstudio,
    mask_per_class,
    supervisely,
    via,
    yolo,
)
from pixelwise.datasets.annotations.coco_files import describe_results
from pixelwise.datasets.beside import find_above, find_unused
from pixelwise.datasets.index import Index, open_index
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.layers import NEEDS_ONE_CLASS, open_layers
from pixelwise.datasets.list_rows import list_row
from pixelwise.datasets.nearest_format import describe_nearest, list_candidates
from pixelwise.datasets.readers import (
    camvid,
    folder,
    lists,
    matte,
    nnunet,
    parquet,
    voc,
    webdataset,
)
from pixelwise.datasets.types import DataOptions, DataSet, first
from pixelwise.errors import ConfigError, DataError, unknown_choice_error

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
    "geojson": geojson,
    "via": via,
    "yolo": yolo,
    "nnunet": nnunet,
    "layers": mask_per_class,
    "lists": lists,
    "folder": folder,
    "rle": kaggle_rle,
    "parquet": parquet,
    "webdataset": webdataset,
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
_WITH_MASK_FOLDER = ("folder", "layers", "lists")


def open_dataset(
    root: str | Path, options: DataOptions = _DEFAULTS, *, layers: bool = False
) -> DataSet:
    """Find the data set at `root`: its format (unless `options` names it), classes and pairs by
    split. `layers` says that the caller takes classes that overlap.

    No image is decoded, and masks only where a plain folder must show how its classes are written.
    Raises ConfigError for an unknown format and for `multilabel` without `layers`, DataError for a
    folder that is missing, unreadable, empty or laid out in no known way, and for the first issue
    that a training cannot go on with.
    """
    path = Path(root)
    _check_format(options)
    if options.multilabel and not layers:
        raise ConfigError(NEEDS_ONE_CLASS)
    try:
        _check_folder(path)
        index = read_index(path, options)
        if options.multilabel:
            return open_layers(index, options)
        dataset = open_index(index, options)
        return keep_alpha(dataset) if options.matte else dataset
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
    base, format = _find(root, options)
    index = INDEXES[format](base, options)
    unused = list(find_unused(index))
    if base != root:
        place = base.relative_to(root).as_posix()
        text = f"the data is that of {place}/, the one folder here that is laid out as a set"
        unused.insert(0, Issue("data-beneath", root, text))
        unused += find_above(root, index)
    return replace(index, issues=(*index.issues, *unused))


def matching_formats(root: Path) -> list[str]:
    """The formats as which a folder is laid out, in the order of MATCHES."""
    return [name for name, matches in MATCHES.items() if _safely(matches, root)]


def _check_format(options: DataOptions) -> None:
    if options.format not in ("auto", *INDEXES):
        raise unknown_choice_error("format", options.format, ("auto", *INDEXES))


def _find(root: Path, options: DataOptions) -> tuple[Path, str]:
    """The folder of the data set, `root` or the one in it that is laid out as one, and its
    format.
    """
    if options.mask_folder and options.format not in ("auto", *_WITH_MASK_FOLDER):
        raise DataError(
            f"--masks goes with the formats {', '.join(_WITH_MASK_FOLDER)}; {options.format} knows "
            "its folder of masks"
        )
    if options.format != "auto":
        return root, options.format
    if options.mask_folder:
        return root, "folder"
    formats = matching_formats(root)
    if formats:
        return root, formats[0]
    for candidates in list_candidates(root):
        beneath = {folder: matching_formats(folder) for folder in candidates}
        sets = [folder for folder, formats in beneath.items() if formats]
        if len(sets) == 1:
            return sets[0], beneath[sets[0]][0]
        if sets:
            names = first(folder.relative_to(root).as_posix() for folder in sets)
            example = _example_row(root, sets[0], beneath[sets[0]][0])
            join = f", or list the pairs of all in train.txt, a line each: {example}"
            raise DataError(
                f"{root}: holds {len(sets)} data sets, {names}; give the folder of one"
                f"{join if example else ''}"
            )
    raise DataError(describe_results(root) or describe_nearest(root))


def _example_row(root: Path, folder: Path, format: str) -> str:
    """A line of a list for the first pair of a set of pictures beneath `root`; empty for a set of
    annotations, which no list can name.
    """
    try:
        index = INDEXES[format](folder, _DEFAULTS)
    except (DataError, OSError):
        return ""
    pairs = index.pairs() if index.folders else []
    return list_row(root, pairs[0][1].image, pairs[0][1].mask) if pairs else ""


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
