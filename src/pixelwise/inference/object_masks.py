"""Masks on disk whose objects are measured, strip by strip, and the maps of their numbers."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.inference.georeference import is_georeferenced
from pixelwise.inference.pixel_areas import PixelAreas, read_pixel_areas
from pixelwise.io.atomic import atomic
from pixelwise.io.gdal import open_dataset
from pixelwise.io.images import Array, silence_warnings
from pixelwise.optional import require_package

# Beside each mask, with the object's number of every pixel, 0 for none.
MAP_ENDING = "_objects"
# Numbers that a PNG of 16 bits can hold.
MAX_IN_PNG = 2**16 - 1

Strips = Iterable[NDArray[np.int64]]


def map_path(mask: Path, suffix: str = "") -> Path:
    """Where the map of a mask's objects lies; of a PNG with more objects than its bits can number
    with the suffix .tif.
    """
    return mask.with_name(f"{mask.stem}{MAP_ENDING}{suffix or mask.suffix}")


def open_mask(mask: Path, stack: ExitStack) -> "MaskFile":
    """A PNG or TIFF file of class ids, open as long as the stack. Raises ImageError."""
    return RasterMaskFile(mask, stack) if mask.suffix == ".tif" else MaskFile(mask, stack)


class MaskFile:
    """The rows of a mask in a PNG file, and of the confidence beside it."""

    areas: PixelAreas | None = None
    has_place = False

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

    def write_map(self, strips: Strips, count: int) -> Path:
        """A PNG of 16 bits, or a TIFF of 32 where these cannot tell all objects apart; one of the
        other kind that lies there is removed.
        """
        kinds = (".png", ".tif")
        suffix, other = kinds if count <= MAX_IN_PNG else reversed(kinds)
        path = map_path(self.mask, suffix)
        dtype = np.uint16 if suffix == ".png" else np.int32
        ids = np.concatenate([strip.astype(dtype) for strip in strips])
        with atomic(path) as temp_path:
            if suffix == ".png":
                Image.fromarray(ids).save(temp_path, format="PNG")
            else:
                Image.fromarray(ids).save(temp_path, "TIFF", compression="tiff_adobe_deflate")
        map_path(self.mask, other).unlink(missing_ok=True)
        return path


class RasterMaskFile(MaskFile):
    """The same of TIFF files that `predict_raster` wrote, a strip at a time."""

    def __init__(self, mask: Path, stack: ExitStack) -> None:
        self.mask = mask
        self._dataset = stack.enter_context(open_dataset(mask))
        self.height = self._dataset.height
        self.width = self._dataset.width
        self.areas = read_pixel_areas(self._dataset)
        self.has_place = is_georeferenced(self._dataset)
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

    def write_map(self, strips: Strips, count: int) -> Path:
        """A TIFF of 32 bits in the mask's place."""
        profile = {**self._dataset.profile, "dtype": "int32", "nodata": 0}
        profile.pop("photometric", None)
        if profile.get("compress") == "deflate":
            profile["zlevel"] = 1  # half of the time, and numbers are easy to compress
        rasterio = require_package("rasterio")
        path = map_path(self.mask)
        with atomic(path) as temp_path, rasterio.open(temp_path, "w", **profile) as target:
            top = 0
            for strip in strips:
                window = ((top, top + len(strip)), (0, self.width))
                target.write(strip.astype(np.int32), 1, window=window)
                top += len(strip)
        return path
