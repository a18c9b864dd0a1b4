"""Pictures too large for memory, and georeferenced ones, read by window.

Needs rasterio (extra `raster`), which reads what GDAL reads.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.errors import ConfigError, ImageError
from pixelwise.inference.bands import Bands, choose_bands
from pixelwise.inference.georeference import is_georeferenced
from pixelwise.inference.raster_depth import find_raster_range, is_deep, read_bits
from pixelwise.io.bit_depth import ValueRange
from pixelwise.io.channels import RGB, ReadingRule
from pixelwise.io.frames import note_of_pages
from pixelwise.io.gdal import open_dataset, quiet_rasterio, unreadable
from pixelwise.io.images import (
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    Array,
    Picture,
)
from pixelwise.io.open_images import check_pixel_count
from pixelwise.io.reading_notes import ReadingNote, ReadingNotes

_SPARE_CACHE = 16 * 2**20
_SETTINGS = {"GDAL_CACHEMAX": _SPARE_CACHE, "GDAL_NUM_THREADS": "1"}  # the cache in bytes


@dataclass
class RasterPicture:
    """An open raster as RGB pixels by window, of the `bands` that are its colours, by a rule."""

    path: Path
    dataset: Any
    bands: Bands
    rule: ReadingRule = RGB

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.dataset.height)

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.dataset.width)

    def __getitem__(self, window: tuple[slice, slice]) -> Array:
        """RGB (h, w, 3) uint8 of a window of rows and columns. Raises ImageError where the file
        breaks off.
        """
        rows, columns = window
        place = ((rows.start, rows.stop), (columns.start, columns.stop))
        with self._translated_errors(rows.start):
            values = self.dataset.read(list(self.bands.colours), window=place)  # (bands, h, w)
        rgb: Array
        if self._range is not None:
            values = self._range.to_8_bits(values)
        if self._colours is not None:
            rgb = self._colours[values[0]]
        else:
            rgb = np.broadcast_to(values, (3, *values.shape[1:])).transpose(1, 2, 0)
        return rgb

    def valid(self, top: int, left: int, height: int, width: int) -> NDArray[np.bool_]:
        """Where a window has data, (h, w): by the file's nodata value, alpha band or mask. Raises
        as indexing does.
        """
        window = ((top, top + height), (left, left + width))
        with self._translated_errors(top):
            if self.bands.alpha is not None:
                mask = self.dataset.read(self.bands.alpha, window=window)
            elif self.bands.false_alpha is not None:  # of which GDAL would make the mask
                mask = self._without_nodata(window)
            else:
                mask = self.dataset.dataset_mask(window=window)
        valid: NDArray[np.bool_] = mask > 0
        return valid

    def _without_nodata(self, window: tuple[tuple[int, int], tuple[int, int]]) -> NDArray[np.bool_]:
        """Where any band has another value than its nodata value."""
        valid = np.zeros([last - first for first, last in window], bool)
        for band, nodata in zip(self.dataset.indexes, self.dataset.nodatavals, strict=True):
            valid |= True if nodata is None else self.dataset.read(band, window=window) != nodata
        return valid

    @contextmanager
    def cache_rows(self, rows: int) -> Iterator[None]:
        """A block in which GDAL keeps what it decodes for windows of so many rows, side by side.

        With less, each window of a PNG or JPEG decodes the file from its top again.
        """
        with quiet_rasterio().Env(GDAL_CACHEMAX=self.cache_bytes(rows)):
            yield

    def cache_bytes(self, rows: int) -> int:
        """What `cache_rows` lets GDAL keep, for what it writes as well."""
        block = int(self.dataset.block_shapes[0][0])
        value_bytes = int(np.dtype(self.dataset.dtypes[0]).itemsize)
        row_bytes = self.width * int(self.dataset.count) * value_bytes
        held = (math.ceil(rows / block) + 1) * block * row_bytes
        return _SPARE_CACHE + math.ceil(1.1 * held)

    def window_bytes(self, height: int, width: int) -> int:
        """What indexing needs for a window beside GDAL's cache: the values of the file, and twice
        what becomes of them.
        """
        value_bytes = int(np.dtype(self.dataset.dtypes[0]).itemsize)
        return height * width * (len(self.bands.colours) * value_bytes + 2 * self.channel_count)

    @property
    def channel_count(self) -> int:
        """Channels that indexing gives."""
        return 3

    def to_rgb(self, pixels: Array) -> Array:
        """(H, W, 3) to look at, of pixels as indexing gives them."""
        return pixels

    @property
    def bytes_per_pixel(self) -> int:
        """Of a row of tiles as GDAL keeps it."""
        return 3

    @property
    def notes(self) -> ReadingNotes:
        """What reading does to it. Raises as indexing does."""
        notes = [self._deep_reading[1], note_of_pages(self.path)]
        if not self.bands.is_plain:
            what = f"with {self.dataset.count} bands"
            notes.append(ReadingNote("image-bands", what, str(self.bands)))
        return tuple(note for note in notes if note)

    @property
    def _range(self) -> ValueRange | None:
        return self._deep_reading[0]

    @cached_property
    def _deep_reading(self) -> tuple[ValueRange | None, ReadingNote | None]:
        """How values of more than 8 bits are brought to 8, and what is said of it."""
        if not is_deep(self.dataset, self.path, self.bands):
            return None, None
        with self._translated_errors(0):
            return find_raster_range(self.dataset, self.path, self.bands, self.rule.common_bits)

    @cached_property
    def _colours(self) -> Array | None:
        """RGB (256, 3) by the value of a pixel: of a palette, or of grey in fewer than 8 bits."""
        if len(self.bands.colours) > 1:
            return None
        (band,) = self.bands.colours
        bits = read_bits(self.dataset, band) or 8
        if self.dataset.colorinterp[band - 1].name == "palette":
            colours = np.zeros((256, 3), np.uint8)
            for value, colour in self.dataset.colormap(band).items():
                if value < len(colours):
                    colours[value] = colour[:3]
            return colours
        if bits >= 8:
            return None
        grey = np.arange(256) * 255 // (2**bits - 1)
        return np.repeat(grey.clip(0, 255).astype(np.uint8)[:, None], 3, axis=1)

    @contextmanager
    def _translated_errors(self, row: int) -> Iterator[None]:
        try:
            yield
        except ImageError:
            raise
        except Exception as error:  # rasterio's errors share no base class but Exception
            raise unreadable(self.path, error, row) from error


@contextmanager
def open_raster(path: Path, rule: ReadingRule = RGB) -> Iterator[RasterPicture]:
    """The raster at `path`, by a rule. Raises ConfigError without rasterio, ImageError for what it
    cannot open, for one that lacks a network's bands, or, of RGB, whose bands `choose_bands` does
    not know or that hold no whole numbers, and for a photo that lies on its side in its file.
    """
    with quiet_rasterio().Env(**_SETTINGS), open_dataset(path) as dataset:
        picture = _open_bands(path, dataset, rule)
        orientation = dataset.tags().get("EXIF_Orientation", "1")
        if not is_georeferenced(dataset) and orientation not in ("0", "1"):
            raise ImageError(
                f"{path}: lies on its side or its head in the file (EXIF orientation "
                f"{orientation}), and so large a picture is read as it lies; turn it first, as "
                "with ImageMagick's `magick IN -auto-orient OUT`"
            )
        yield picture


def _open_bands(path: Path, dataset: Any, rule: ReadingRule) -> RasterPicture:
    """Refuses now what would be refused at the first window."""
    if rule.channels is not None:
        from pixelwise.inference.band_raster import BandRaster

        raster = BandRaster(path, dataset, Bands(()), rule)
        raster.check()
        return raster
    bands = choose_bands(dataset, path)
    is_deep(dataset, path, bands)
    return RasterPicture(path, dataset, bands, rule)


def read_raster(path: Path, rule: ReadingRule = RGB) -> Picture:
    """A raster as a picture in memory. Raises as `open_raster`, and ImageError for one of more than
    MAX_PIXELS.
    """
    with open_raster(path, rule) as picture:
        size = (picture.height, picture.width)
        check_pixel_count((picture.width, picture.height), str(path))
        pixels = np.ascontiguousarray(picture[0 : size[0], 0 : size[1]])
        is_banded = rule.channels is not None
        return Picture(
            Image.fromarray(picture.to_rgb(pixels)),
            picture.notes,
            picture.dataset.driver,
            "RGB",
            size,
            1,
            1,
            is_raster=True,
            channels=pixels if is_banded else None,
            valid=picture.valid(0, 0, *size) if is_banded else None,
        )


def reads_by_window(path: Path, pixels: int | None) -> bool:
    """Whether an image is to be labelled by `predict_raster`: it has a georeference, or too many
    pixels for memory.

    So is one that GDAL alone can open, of which `pixels`, by its header, are None. Raises
    ImageError for one of too many pixels where rasterio is not installed. A file that cannot be
    opened is not one of these: reading it will say what is wrong.
    """
    is_large = pixels is not None and pixels > MAX_PIXELS
    if not is_large and not _may_be_placed(path):
        return False
    try:
        rasterio = quiet_rasterio()
    except ConfigError as error:
        if is_large:
            raise ImageError(
                f"{path}: {pixels} pixels are too many to read at once, and {error}"
            ) from error
        return False
    try:
        with rasterio.open(path) as dataset:
            is_large = is_large or dataset.height * dataset.width > MAX_PIXELS
            return is_large or pixels is None or is_georeferenced(dataset)
    except UnicodeError as error:
        raise ImageError(f"{path}: rasterio opens only names in UTF-8; rename it") from error
    except Exception:  # rasterio's errors share no base class but Exception
        return False


def _may_be_placed(path: Path) -> bool:
    """Whether it is worth opening with GDAL: by its name, or by a file beside it that says where
    the picture lies.
    """
    suffix = path.suffix.lower()
    if suffix in (".tif", ".tiff", ".jp2", ".vrt"):
        return True
    if suffix not in IMAGE_SUFFIXES:
        return path.is_file()
    world_file = f"{path.stem}.{suffix[1]}{suffix[-1]}w"  # .jgw beside .jpg
    names = (f"{path.name}.aux.xml", world_file, f"{path.name}w", f"{path.stem}.wld")
    shouted = (path.stem + name.removeprefix(path.stem).upper() for name in names)
    return any(path.with_name(name).is_file() for name in (*names, *shouted))
