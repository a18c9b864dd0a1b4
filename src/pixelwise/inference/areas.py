"""How much of each picture every class covers, as a table."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.classes import VOID
from pixelwise.inference.pixel_areas import read_pixel_areas
from pixelwise.io.atomic import atomic
from pixelwise.io.gdal import open_dataset

COLUMNS = ("mask", "class", "pixels", "share", "square_metres")
_ROWS = 128

WriteRows = Callable[[Iterable[Iterable[object]]], object]

# Classes that a line names.
MAX_SHARES = 8


def write_areas(path: Path, masks: Iterable[Path], names: tuple[str, ...]) -> None:
    """Write a CSV table with a line for each class that occurs in each of `masks`, PNG or TIFF
    files of class ids in the table's folder or beneath it.

    share is that of all pixels, void ones too. square_metres, on the ground, is given where the
    mask lies on the earth (see PixelAreas). Rows of other masks that still exist stay, in front.
    Bytes of a name that are no UTF-8 stand there as escapes. Raises ImageError for a mask that
    cannot be read.
    """
    with continue_table(path, masks, COLUMNS) as (write_rows, names_of_masks):
        for mask, name in names_of_masks.items():
            write_rows((name, *row) for row in _measure_mask(mask, names))


@contextmanager
def continue_table(
    path: Path, masks: Iterable[Path], columns: tuple[str, ...]
) -> Iterator[tuple[WriteRows, dict[Path, str]]]:
    """A function that writes rows of a table of these columns, and the names of `masks` in it,
    which are paths from its folder. Rows of other masks that still exist stay, in front; the table
    takes the place of an earlier one at the end of the block.
    """
    names_of_masks = {mask: mask.relative_to(path.parent).as_posix() for mask in masks}
    earlier_rows = _rows_of_others(path, set(names_of_masks.values()), columns)
    with (
        atomic(path) as temp_path,
        temp_path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(earlier_rows)
        yield table.writerows, names_of_masks


def _measure_mask(mask: Path, names: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    """A row for each class that occurs."""
    counts, areas = _of_raster(mask) if mask.suffix == ".tif" else _of_image(mask)
    total = counts.sum()
    for label in np.flatnonzero(counts):
        count = counts[label]
        name = "void" if label == VOID else names[label]
        area = "" if areas is None else f"{areas[label]:.3f}"
        yield name, count, f"{count / total:.6f}", area


def count_labels(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The pixels (256,) of each label, void too, in labels (H, W)."""
    counts = np.zeros(256, np.int64)
    # In strips: bincount makes 64-bit numbers of its input.
    for top, bottom in _strips(len(labels)):
        counts += np.bincount(labels[top:bottom].ravel(), minlength=256)
    return counts


def describe_shares(counts: NDArray[np.int64], names: Sequence[str]) -> str:
    """Of what the pixels (256,) are, most first: `dog 28 %, cat 18 %`."""
    total = counts.sum()
    parts = []
    for label in np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]:
        name = "void" if label == VOID else names[label]
        share = 100 * counts[label] / total
        parts.append(f"{name} {share:.0f} %" if share >= 1 else f"{name} <1 %")
    if len(parts) > MAX_SHARES:
        parts[MAX_SHARES:] = [f"and {len(parts) - MAX_SHARES} more"]
    return ", ".join(parts)


def remove_table(path: Path, columns: tuple[str, ...] = COLUMNS) -> None:
    """Remove a table of these columns; any other file is left."""
    if _rows(path, columns) is not None:
        path.unlink()


def _rows_of_others(path: Path, names: set[str], columns: tuple[str, ...]) -> list[list[str]]:
    """The rows of an earlier table of these columns whose masks, in the first, exist and are not
    among `names`.
    """
    rows = _rows(path, columns)
    if not rows:
        return []
    own = {_escape(name) for name in names}
    others = {row[0] for row in rows} - own
    existing = {name for name in others if _exists(path.parent, name)}
    return [row for row in rows if row[0] in existing]


def _rows(path: Path, columns: tuple[str, ...]) -> list[list[str]] | None:
    """Those of a table of these columns, without its header; None where there is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error):  # no file, somebody else's, or an empty one
        return None
    if tuple(header) != columns:
        return None
    return [row for row in rows if len(row) == len(columns)]


def _escape(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()


def _exists(folder: Path, name: str) -> bool:
    """Whether there is a file that the table calls so."""
    if "\\" not in name:
        return (folder / name).is_file()
    place = (folder / name).parent
    return place.is_dir() and any(_escape(file.name) == Path(name).name for file in place.iterdir())


def _of_image(mask: Path) -> tuple[NDArray[np.int64], None]:
    with Image.open(mask) as image:
        return count_labels(np.asarray(image)), None


def _of_raster(mask: Path) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """Pixels and square metres by label; None where the mask has no place on the earth."""
    counts = np.zeros(256, np.int64)
    areas = np.zeros(256)
    with open_dataset(mask) as dataset:
        pixel_areas = read_pixel_areas(dataset)
        for top, bottom in _strips(dataset.height):
            labels = dataset.read(1, window=((top, bottom), (0, dataset.width))).ravel()
            counts += np.bincount(labels, minlength=256)
            if pixel_areas is not None and pixel_areas.constant is None:
                weights = pixel_areas.of_rows(top, bottom).ravel()
                areas += np.bincount(labels, weights, minlength=256)
    if pixel_areas is None:
        return counts, None
    if pixel_areas.constant is not None:
        areas += counts * pixel_areas.constant
    return counts, areas


def _strips(height: int) -> Iterator[tuple[int, int]]:
    for top in range(0, height, _ROWS):
        yield top, min(top + _ROWS, height)
