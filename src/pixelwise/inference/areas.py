"""How much of each picture every class covers, as a table."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.files import atomic
from pixelwise.inference.packages import demand
from pixelwise.inference.regions import metres
from pixelwise.tasks.labels import VOID

COLUMNS = ("mask", "class", "pixels", "share", "square_metres")
_ROWS = 512


def write_areas(path: Path, masks: Iterable[Path], names: tuple[str, ...]) -> None:
    """Write a CSV table with a line for each class that occurs in each of `masks`, PNG or TIFF files of class ids.

    share is that of all pixels, void ones too. square_metres is given where the mask has a coordinate system in metres
    or feet, and is that of its projection.
    """
    with atomic(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for mask in masks:
            counts, pixel = _of_raster(mask) if mask.suffix == ".tif" else _of_image(mask)
            for label in np.flatnonzero(counts):
                name = "void" if label == VOID else names[label]
                area = "" if pixel is None else f"{counts[label] * pixel:.3f}"
                table.writerow((mask.name, name, counts[label], f"{counts[label] / counts.sum():.6f}", area))


def _of_image(mask: Path) -> tuple[NDArray[np.int64], None]:
    with Image.open(mask) as image:
        return np.bincount(np.asarray(image).ravel(), minlength=256), None


def _of_raster(mask: Path) -> tuple[NDArray[np.int64], float | None]:
    """Pixels by label, and the square metres of one."""
    with demand("rasterio").open(mask) as dataset:
        counts = np.zeros(256, np.int64)
        for top, bottom in _bands(dataset.height):
            counts += np.bincount(dataset.read(1, window=((top, bottom), (0, dataset.width))).ravel(), minlength=256)
        factor = metres(dataset)
        return counts, None if factor is None else abs(dataset.transform.determinant) * factor**2


def _bands(height: int) -> Iterator[tuple[int, int]]:
    yield from ((top, min(top + _ROWS, height)) for top in range(0, height, _ROWS))
