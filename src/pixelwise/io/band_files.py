"""The values of files whose bands are no grey or RGB of 8 bits, as they stand there.

TIFF files are read by rasterio (extra `raster`), stacks of ImageJ and OME by tifffile (extra
`stacks`), DICOM by pydicom (extra `medical`), NumPy arrays by NumPy.
"""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ImageError
from pixelwise.io.arrays import NPY, open_array
from pixelwise.io.atomic import atomic
from pixelwise.io.band_layout import (
    PNG,
    BandSource,
    channels_of_stack,
    clean_name,
    data_bands,
    describe_page,
    first_page,
    kind_of,
    name_of,
)
from pixelwise.io.channels import Mask, valid_everywhere
from pixelwise.io.deep_pixels import read_deep_pixels
from pixelwise.io.dicom import DICOM, read_dicom
from pixelwise.io.gdal import open_dataset, quiet_rasterio
from pixelwise.io.open_images import check_pixel_count, open_header, translate_errors
from pixelwise.io.tiff import Page
from pixelwise.optional import require_package

_OME_CHANNEL = re.compile(r'<Channel [^>]*?Name="([^"]*)"')


@dataclass(frozen=True)
class BandValues:
    """Values (bands, H, W) as a file holds them, where they are valid (None: everywhere), and the
    bands' names, '' for those without one.
    """

    values: NDArray[Any]
    valid: Mask | None
    names: tuple[str, ...]

    def cut(self, rows: slice, columns: slice) -> "BandValues":
        """A window of them."""
        valid = None if self.valid is None else self.valid[:, rows, columns]
        return BandValues(self.values[:, rows, columns], valid, self.names)


def read_bands(source: BandSource, *, numbers: Sequence[int] = ()) -> BandValues:
    """The values of a file that `read_layout` knows; of the bands `numbers`, from 1, or of all but
    alpha. Raises ImageError for what cannot be read, ConfigError where a package is missing.
    """
    kind = kind_of(source)
    if kind == DICOM and isinstance(source, Path):
        slice_values, valid = read_dicom(source)
        check_pixel_count(slice_values.shape[:0:-1], name_of(source))
        return BandValues(slice_values, valid, ("",))
    if kind == NPY and isinstance(source, Path):
        values = open_array(source)
        names = ("",) * len(values)
    elif kind == PNG:
        values, names = _read_deep_png(source)
    else:
        page = first_page(source)
        if page is None or not channels_of_stack(page):
            return _read_raster_bands(source, page, numbers)
        values, names = _read_stack(source, describe_page(page))
    _, height, width = values.shape
    check_pixel_count((width, height), name_of(source))
    chosen = _choose(values, numbers, name_of(source))
    finite = np.isfinite(chosen) if chosen.dtype.kind == "f" else None
    return BandValues(chosen, None if finite is None or finite.all() else finite, names)


def write_bands(path: Path, bands: BandValues) -> None:
    """Write a TIFF file that `read_bands` reads the same of, but that a pixel is valid in all bands
    or in none. Raises ConfigError without rasterio, OutputError.
    """
    rasterio = quiet_rasterio()
    count, height, width = bands.values.shape
    with (
        atomic(path) as draft,
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            draft,
            mode="w",
            driver="GTiff",
            count=count,
            height=height,
            width=width,
            dtype=bands.values.dtype.name,
            compress="deflate",
            # of three bands of 8 bits GDAL would make red, green and blue
            photometric="minisblack",
        ) as dataset,
    ):
        dataset.write(bands.values)
        for number, name in enumerate(bands.names, 1):
            if name:
                dataset.set_band_description(number, name)
        if bands.valid is not None:
            dataset.write_mask(valid_everywhere(bands.valid))


def valid_values(dataset: Any, bands: Sequence[int], values: NDArray[Any], window: Any) -> Mask:
    """Where values (bands, h, w) that were read from a window of an open raster stand for
    something, (bands, h, w): not nodata, transparent, masked, infinite or no number.
    """
    valid: Mask = dataset.read_masks(list(bands), window=window) > 0
    if values.dtype.kind == "f":
        valid &= np.isfinite(values)
    return valid


def band_names(dataset: Any) -> tuple[str, ...]:
    """The names of an open raster's bands but alpha: as they are described, else red, green and
    blue where they are of these colours.
    """
    numbers = data_bands(dataset)
    kinds = [dataset.colorinterp[number - 1].name for number in numbers]
    texts = [clean_name(dataset.descriptions[number - 1]) for number in numbers]
    return tuple(text or _colour(kind) for text, kind in zip(texts, kinds, strict=True))


def _colour(kind: str) -> str:
    return kind if kind in ("red", "green", "blue") else ""


def _read_raster_bands(source: BandSource, page: Page | None, numbers: Sequence[int]) -> BandValues:
    name = name_of(source)
    if page is not None and page.orientation != 1:
        reason = f"lies on its side or its head in the file (orientation {page.orientation})"
        raise ImageError.of_file(name, reason, "turn it first; bands are read as they lie")
    with open_dataset(source) as dataset:
        check_pixel_count((dataset.width, dataset.height), name)
        own = data_bands(dataset)
        chosen = [own[number - 1] for number in numbers] if numbers else list(own)
        values = dataset.read(chosen)
        valid = valid_values(dataset, chosen, values, None)
        if values.dtype.kind == "c":
            raise ImageError.of_file(name, "holds complex numbers", "save their magnitude")
        return BandValues(values, None if valid.all() else valid, band_names(dataset))


def _choose(values: NDArray[Any], numbers: Sequence[int], name: str) -> NDArray[Any]:
    if values.dtype.kind not in "uifb":
        raise ImageError.of_file(name, f"holds {values.dtype}", "save it as numbers")
    return np.asarray(values[[number - 1 for number in numbers]] if numbers else values)


def _read_deep_png(source: BandSource) -> tuple[NDArray[Any], tuple[str, ...]]:
    with translate_errors(source):
        data = source if isinstance(source, bytes) else source.read_bytes()
        with open_header(data) as image:
            deep = read_deep_pixels(image, None, data, name_of(source))
    names = ("red", "green", "blue") if deep.colours == 3 else ("",)
    return deep.values.transpose(2, 0, 1), names


def _read_stack(source: BandSource, description: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """(channels, H, W) of a stack of ImageJ or OME, and the channels' names."""
    tifffile = require_package("tifffile")
    try:
        opened = io.BytesIO(source) if isinstance(source, bytes) else source
        with tifffile.TiffFile(opened) as file:
            series = file.series[0]
            axes = str(series.axes)
            values = np.asarray(series.asarray())
    except Exception as error:  # the package's errors have no common class
        reason = f"cannot be read as a stack of ImageJ or OME ({error})"
        raise ImageError.of_file(name_of(source), reason, "save it again") from error
    keep = [number for number, axis in enumerate(axes) if axis in "CSYX"]
    axes = "".join(axes[number] for number in keep)
    values = values.reshape([values.shape[number] for number in keep])
    order = [axes.index(axis) for axis in "CSYX" if axis in axes]
    values = values.transpose(order)
    values = values.reshape(-1, *values.shape[-2:])
    names = _OME_CHANNEL.findall(description)
    fitting = names if len(names) == len(values) else [""] * len(values)
    return values, tuple(map(clean_name, fitting))
