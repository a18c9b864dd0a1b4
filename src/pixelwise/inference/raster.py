"""Pictures too large for memory, and georeferenced ones, read by window.

Needs rasterio (extra `raster`), which reads what GDAL reads.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ConfigError, ImageError
from pixelwise.io.images import IMAGE_SUFFIXES, MAX_PIXELS, Array
from pixelwise.optional import require_package

_FILTERS = Lock()
_SPARE_CACHE = 16 * 2**20
_SETTINGS = {"GDAL_CACHEMAX": _SPARE_CACHE, "GDAL_NUM_THREADS": "1"}  # the cache in bytes


@dataclass
class RasterPicture:
    """An open raster as RGB pixels by window. One band is grey, or has a palette; of four the last
    one, alpha, says where it is valid.
    """

    path: Path
    dataset: Any

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
        bands = [1, 2, 3] if self.dataset.count >= 3 else [1]
        place = ((rows.start, rows.stop), (columns.start, columns.stop))
        with self._translated_errors(rows.start):
            values = self.dataset.read(bands, window=place)  # (bands, h, w)
        rgb: Array
        if self._palette is not None:
            rgb = self._palette[values[0]]
        else:
            rgb = np.broadcast_to(values, (3, *values.shape[1:])).transpose(1, 2, 0)
        return rgb

    def valid(self, top: int, left: int, height: int, width: int) -> NDArray[np.bool_]:
        """Where a window has data, (h, w): by the file's nodata value, alpha band or mask. Raises
        as indexing does.
        """
        with self._translated_errors(top):
            mask = self.dataset.dataset_mask(window=((top, top + height), (left, left + width)))
        valid: NDArray[np.bool_] = mask > 0
        return valid

    @contextmanager
    def cache_rows(self, rows: int) -> Iterator[None]:
        """A block in which GDAL keeps what it decodes for windows of so many rows, side by side.

        With less, each window of a PNG or JPEG decodes the file from its top again.
        """
        block = self.dataset.block_shapes[0][0]
        held = (math.ceil(rows / block) + 1) * block * self.width * self.dataset.count
        with quiet_rasterio().Env(GDAL_CACHEMAX=_SPARE_CACHE + math.ceil(1.1 * held)):
            yield

    @cached_property
    def _palette(self) -> Array | None:
        """RGB (256, 3) by the value of a pixel, where the only band is one of such values."""
        if self.dataset.count > 1 or self.dataset.colorinterp[0].name != "palette":
            return None
        colours = np.zeros((256, 3), np.uint8)
        for value, colour in self.dataset.colormap(1).items():
            if value < len(colours):
                colours[value] = colour[:3]
        return colours

    @contextmanager
    def _translated_errors(self, row: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # rasterio's errors share no base class but Exception
            raise ImageError(
                f"{self.path}: cannot be read from row {row} on ({error}); replace it"
            ) from error


@contextmanager
def open_raster(path: Path) -> Iterator[RasterPicture]:
    """The raster at `path`. Raises ConfigError without rasterio, ImageError for what it cannot
    open, for bands that are not 1, 3 or 4 of 8 bit, or are CMYK that GDAL does not convert, and for
    a photo that lies on its side in its file.
    """
    rasterio = quiet_rasterio()
    with rasterio.Env(**_SETTINGS), ExitStack() as stack:
        try:
            dataset = stack.enter_context(rasterio.open(path))
        except Exception as error:
            raise ImageError(
                f"{path}: cannot be opened as a raster ({error}); replace or remove it"
            ) from error
        if dataset.count not in (1, 3, 4):
            raise ImageError(
                f"{path}: has {dataset.count} bands; give 1 (grey), 3 (RGB) or 4 (RGB and alpha)"
            )
        if set(dataset.dtypes) != {"uint8"}:
            raise ImageError(
                f"{path}: holds {dataset.dtypes[0]}; scale it to 8 bit, as with "
                "`gdal_translate -ot Byte -scale`"
            )
        orientation = dataset.tags().get("EXIF_Orientation", "1")
        if not _is_placed(dataset) and orientation not in ("0", "1"):
            raise ImageError(
                f"{path}: lies on its side or its head in the file (EXIF orientation "
                f"{orientation}), and so large a picture is read as it lies; turn it first, as "
                "with ImageMagick's `magick IN -auto-orient OUT`"
            )
        # GDAL converts that of TIFF and JPEG files by itself
        if dataset.colorinterp[0].name == "cyan":
            raise ImageError(
                f"{path}: holds CMYK; convert it to RGB, as with `magick IN -colorspace sRGB OUT`"
            )
        yield RasterPicture(path, dataset)


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
            return is_large or pixels is None or _is_placed(dataset)
    except UnicodeError as error:
        raise ImageError(f"{path}: rasterio opens only names in UTF-8; rename it") from error
    except rasterio.errors.RasterioIOError:
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
    return any(path.with_name(name).is_file() for name in names)


def _is_placed(dataset: Any) -> bool:
    return dataset.crs is not None or not dataset.transform.is_identity or bool(dataset.gcps[0])


def quiet_rasterio() -> Any:
    """rasterio, which warns of no raster without a georeference from now on.

    The filter stays: `warnings.catch_warnings` puts back the filters of the whole process, those of
    other threads too.
    """
    rasterio = require_package("rasterio")
    quiet = ("ignore", None, rasterio.errors.NotGeoreferencedWarning, None, 0)
    with _FILTERS:
        if quiet not in warnings.filters:
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
    return rasterio
