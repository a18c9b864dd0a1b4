"""The connected objects of each mask: a table of all, and beside each mask a map of their ids."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.classes import VOID
from pixelwise.errors import ImageError
from pixelwise.inference.areas import continue_table
from pixelwise.inference.object_sums import Ids, Objects, ObjectSums, label_strip
from pixelwise.inference.pixel_areas import PixelAreas, read_pixel_areas
from pixelwise.inference.pixel_size import PixelSize
from pixelwise.inference.split_objects import split_touching
from pixelwise.io.atomic import atomic
from pixelwise.io.gdal import open_dataset
from pixelwise.io.images import MAX_PIXELS, Array, silence_warnings
from pixelwise.optional import require_package

COLUMNS = (
    "mask",
    "object",
    "class",
    "pixels",
    "area",
    "row",
    "column",
    "top",
    "left",
    "bottom",
    "right",
    "perimeter",
    "major_axis",
    "minor_axis",
    "orientation",
    "unit",
    "square_metres",
    "confidence",
    "touches_border",
)
# Beside each mask, with the object's number of every pixel, 0 for none.
MAP_ENDING = "_objects"
# Names of the class that things stand on.
BACKGROUND = frozenset({"background", "_background_", "bg", "ground"})

PIXELS = PixelSize(1.0, "px")

_ROWS = 512
# Numbers that a PNG of 16 bits can hold.
_MAX_IN_PNG = 2**16 - 1


def write_objects(
    path: Path,
    masks: Iterable[Path],
    names: tuple[str, ...],
    *,
    size: PixelSize | None = None,
    split: bool = False,
) -> Counter[str]:
    """Write a CSV table with a line for each object in each of `masks`, PNG or TIFF files of class
    ids in the table's folder or beneath it, and a map of their ids beside each; returns how many
    there are of each class.

    Lengths and areas are in `size`'s unit; rows, columns and boxes in pixels. Confidence is that of
    the file beside the mask, where there is one. Void and a class called background are no
    objects. `split` parts those that touch. Rows of other masks that still exist stay, in front.
    Raises ImageError for a mask that cannot be read, has too many objects for its map, or is too
    large to be split.
    """
    counts = Counter[str]()
    with continue_table(path, masks, COLUMNS) as (write_rows, names_of_masks):
        for mask, name in names_of_masks.items():
            objects = _measure(mask, names, split=split)
            counts.update(names[label] for label in objects.label)
            write_rows((name, *row) for row in _rows(objects, names, size or PIXELS))
    return counts


def object_classes(names: Sequence[str]) -> NDArray[np.bool_]:
    """(256,) which labels are of objects: neither void nor a class called background."""
    classes = np.zeros(256, bool)
    for label, name in enumerate(names):
        classes[label] = label != VOID and name.casefold() not in BACKGROUND
    return classes


def describe_objects(counts: Counter[str]) -> str:
    """How many there are of each class, most first: `cell 132, debris 4`."""
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def map_path(mask: Path) -> Path:
    """Where the map of a mask's objects lies."""
    return mask.with_name(f"{mask.stem}{MAP_ENDING}{mask.suffix}")


def _rows(objects: Objects, names: Sequence[str], size: PixelSize) -> Iterator[tuple[object, ...]]:
    scale = size.length
    for index in range(len(objects)):
        metres = objects.square_metres[index]
        confidence = objects.confidence[index]
        yield (
            index + 1,
            names[objects.label[index]],
            objects.pixels[index],
            f"{objects.pixels[index] * scale**2:.6g}",
            f"{objects.row[index]:.2f}",
            f"{objects.column[index]:.2f}",
            *objects.box[index].tolist(),
            f"{objects.perimeter[index] * scale:.6g}",
            f"{objects.major_axis[index] * scale:.6g}",
            f"{objects.minor_axis[index] * scale:.6g}",
            f"{objects.orientation[index]:.1f}",
            size.unit,
            "" if math.isnan(metres) else f"{metres:.3f}",
            "" if math.isnan(confidence) else f"{confidence:.4f}",
            "yes" if objects.touches_border[index] else "no",
        )


def _measure(mask: Path, names: Sequence[str], *, split: bool) -> Objects:
    """The objects of a mask, whose map is written."""
    classes = object_classes(names)
    with ExitStack() as stack:
        reader = _open(mask, stack)
        if split and reader.height * reader.width > MAX_PIXELS:
            raise ImageError(
                f"{mask}: {reader.height} x {reader.width} pixels are too many to split touching "
                "objects in; leave out --split-touching, or cut the picture into parts"
            )
        strips = _split_strips(reader, classes) if split else _strips(reader, classes)
        sums = ObjectSums(reader.width, reader.height)
        for top, labels, ids in strips:
            bottom = top + len(labels)
            sums.add(
                labels,
                ids,
                confidence=reader.confidence(top, bottom),
                areas=None if reader.areas is None else reader.areas.of_rows(top, bottom),
                keys=ids if split else None,
            )
        objects, numbers = sums.finish()
        again = _split_strips(reader, classes) if split else _strips(reader, classes)
        reader.write_map(
            (part[ids] for (_, _, ids), part in zip(again, numbers, strict=True)), len(objects)
        )
    return objects


class _Reader:
    """The rows of a mask in a PNG file, and of the confidence beside it."""

    areas: PixelAreas | None = None

    def __init__(self, mask: Path, stack: ExitStack) -> None:
        self.mask = mask
        with silence_warnings(), Image.open(mask) as image:
            self._labels = np.asarray(image)
        self.height, self.width = self._labels.shape
        beside = mask.with_name(f"{mask.stem}_confidence{mask.suffix}")
        self._confidence: Array | None = None
        if beside.is_file():
            with silence_warnings(), Image.open(beside) as image:
                self._confidence = np.asarray(image)

    def labels(self, top: int, bottom: int) -> Array:
        """(bottom - top, width) uint8."""
        return self._labels[top:bottom]

    def confidence(self, top: int, bottom: int) -> Array | None:
        """The same of the confidence, 255 for sure; None where there is none."""
        return None if self._confidence is None else self._confidence[top:bottom]

    def write_map(self, strips: Iterable[NDArray[np.int64]], count: int) -> None:
        """A PNG of 16 bits. Raises ImageError for more objects than that can tell apart."""
        if count > _MAX_IN_PNG:
            raise ImageError(
                f"{self.mask}: {count:,} objects are more than a PNG of 16 bits can number; join "
                "the small ones to their surroundings with --smallest-area"
            )
        ids = np.concatenate([strip.astype(np.uint16) for strip in strips])
        with atomic(map_path(self.mask)) as temp_path:
            Image.fromarray(ids).save(temp_path, format="PNG")


class _RasterReader(_Reader):
    """The same of TIFF files that `predict_raster` wrote, a strip at a time."""

    def __init__(self, mask: Path, stack: ExitStack) -> None:
        self.mask = mask
        self._dataset = stack.enter_context(open_dataset(mask))
        self.height = self._dataset.height
        self.width = self._dataset.width
        self.areas = read_pixel_areas(self._dataset)
        beside = mask.with_name(f"{mask.stem}_confidence{mask.suffix}")
        self._beside: Any = None
        if beside.is_file():
            self._beside = stack.enter_context(open_dataset(beside))

    def labels(self, top: int, bottom: int) -> Array:
        """(bottom - top, width) uint8."""
        return self._read(self._dataset, top, bottom)

    def confidence(self, top: int, bottom: int) -> Array | None:
        """The same of the confidence, 255 for sure; None where there is none."""
        return None if self._beside is None else self._read(self._beside, top, bottom)

    def _read(self, dataset: Any, top: int, bottom: int) -> Array:
        rows: Array = dataset.read(1, window=((top, bottom), (0, self.width)))
        return rows

    def write_map(self, strips: Iterable[NDArray[np.int64]], count: int) -> None:
        """A TIFF of 32 bits in the mask's place."""
        profile = {**self._dataset.profile, "dtype": "uint32", "nodata": 0}
        profile.pop("photometric", None)
        rasterio = require_package("rasterio")
        with (
            atomic(map_path(self.mask)) as temp_path,
            rasterio.open(temp_path, "w", **profile) as target,
        ):
            top = 0
            for strip in strips:
                window = ((top, top + len(strip)), (0, self.width))
                target.write(strip.astype(np.uint32), 1, window=window)
                top += len(strip)


def _open(mask: Path, stack: ExitStack) -> _Reader:
    return _RasterReader(mask, stack) if mask.suffix == ".tif" else _Reader(mask, stack)


def _strips(reader: _Reader, classes: NDArray[np.bool_]) -> Iterator[tuple[int, Array, Ids]]:
    """(top, labels, ids) of all rows."""
    for top in range(0, reader.height, _ROWS):
        labels = reader.labels(top, min(top + _ROWS, reader.height))
        yield top, labels, label_strip(labels, classes)


def _split_strips(reader: _Reader, classes: NDArray[np.bool_]) -> Iterator[tuple[int, Array, Ids]]:
    """The same as one strip, in which objects that touch are parted."""
    labels = reader.labels(0, reader.height)
    yield 0, labels, split_touching(label_strip(labels, classes))
