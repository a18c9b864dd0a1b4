"""How much of each picture every class covers, as a table."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.classes import VOID
from pixelwise.inference.regions import metres
from pixelwise.io.atomic import atomic
from pixelwise.optional import require_package

COLUMNS = ("mask", "class", "pixels", "share", "square_metres")
_ROWS = 512


def write_areas(path: Path, masks: Iterable[Path], names: tuple[str, ...]) -> None:
    """Write a CSV table with a line for each class that occurs in each of `masks`, PNG or TIFF
    files of class ids.

    share is that of all pixels, void ones too. square_metres is given where the mask has a
    coordinate system in metres or feet, and is that of its projection. Rows of other masks that
    still exist stay, in front. Bytes of a name that are no UTF-8 stand there as
    escapes.
    """
    masks = list(masks)
    earlier_rows = _rows_of_others(path, {mask.name for mask in masks})
    with (
        atomic(path) as temp_path,
        temp_path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(earlier_rows)
        for mask in masks:
            table.writerows(_measure_mask(mask, names))


def _measure_mask(mask: Path, names: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    """A row for each class that occurs."""
    counts, pixel = _of_raster(mask) if mask.suffix == ".tif" else _of_image(mask)
    total = counts.sum()
    for label in np.flatnonzero(counts):
        count = counts[label]
        name = "void" if label == VOID else names[label]
        area = "" if pixel is None else f"{count * pixel:.3f}"
        yield mask.name, name, count, f"{count / total:.6f}", area


def remove_areas(path: Path) -> None:
    """Remove a table that `write_areas` wrote; any other file is left."""
    if _rows(path) is not None:
        path.unlink()


def _rows_of_others(path: Path, names: set[str]) -> list[list[str]]:
    """The rows of an earlier table whose masks exist and are not among `names`."""
    rows = _rows(path)
    if not rows:
        return []
    files = {_escape(file.name) for file in path.parent.iterdir() if file.name not in names}
    return [row for row in rows if row[0] in files]


def _rows(path: Path) -> list[list[str]] | None:
    """Those of a table that `write_areas` wrote, without its header; None where there is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error):  # no file, somebody else's, or an empty one
        return None
    if tuple(header) != COLUMNS:
        return None
    return [row for row in rows if len(row) == len(COLUMNS)]


def _escape(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()


def _of_image(mask: Path) -> tuple[NDArray[np.int64], None]:
    with Image.open(mask) as image:
        labels = np.asarray(image)
        counts = np.zeros(256, np.int64)
        # In strips: bincount makes 64-bit numbers of its input.
        for top, bottom in _strips(len(labels)):
            counts += np.bincount(labels[top:bottom].ravel(), minlength=256)
        return counts, None


def _of_raster(mask: Path) -> tuple[NDArray[np.int64], float | None]:
    """Pixels by label, and the square metres of one."""
    with require_package("rasterio").open(mask) as dataset:
        counts = np.zeros(256, np.int64)
        for top, bottom in _strips(dataset.height):
            window = ((top, bottom), (0, dataset.width))
            labels = dataset.read(1, window=window)
            counts += np.bincount(labels.ravel(), minlength=256)
        factor = metres(dataset)
        if factor is None:
            return counts, None
        # The determinant is a pixel's area, also of a raster that is turned.
        return counts, abs(dataset.transform.determinant) * factor**2


def _strips(height: int) -> Iterator[tuple[int, int]]:
    for top in range(0, height, _ROWS):
        yield top, min(top + _ROWS, height)
