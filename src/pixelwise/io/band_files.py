"""Files whose bands are no grey or RGB of 8 or 16 bits: what their headers say, and their values as
they stand there.

TIFF files are read by rasterio (extra `raster`), stacks of ImageJ and OME by tifffile (extra
`stacks`), NumPy arrays by NumPy.
"""

import io
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from defusedxml import ElementTree
from numpy.typing import NDArray

from pixelwise.errors import ImageError
from pixelwise.io.atomic import atomic
from pixelwise.io.channels import Mask, valid_everywhere
from pixelwise.io.deep_pixels import read_deep_pixels
from pixelwise.io.gdal import open_dataset, quiet_rasterio
from pixelwise.io.open_images import check_pixel_count, open_header, translate_errors
from pixelwise.io.tiff import Page, find_pages
from pixelwise.optional import require_package

BandSource = Path | bytes
"""A file, or its bytes where it is a TIFF or PNG file."""

TIFF = ".tif"
NPY = ".npy"
PNG = ".png"
_TIFF_SUFFIXES = (TIFF, ".tiff")
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_START = b"\x89PNG\r\n\x1a\n"
# Bytes up to the kind of its colours.
_PNG_HEAD = 26

_ALPHA = "alpha"
# Tags of GDAL, and that of a description.
_METADATA = 42112
_NODATA = 42113
_DESCRIPTION = 270
_SAMPLE_FORMAT = 339
_PHOTOMETRIC = 262
# Grey of both kinds and RGB: bands of other kinds, as CMYK, are colours of another space.
_PLAIN_COLOURS = (0, 1, 2)
_KINDS = {1: "uint", 2: "int", 3: "float", 4: "uint", 5: "complex", 6: "complex"}
_OME_PIXELS = re.compile(r"<Pixels [^>]*>")
_OME_CHANNEL = re.compile(r'<Channel [^>]*?Name="([^"]*)"')
# A file without a colour that it names is one of these.
_PLAIN_COUNTS = (1, 3)


@dataclass(frozen=True)
class BandLayout:
    """What a file's header says: size (height, width), the names of its bands but alpha, '' for
    those without one, NumPy's name of their type, whether some value stands for none, and whether
    its bands are pages of a stack of ImageJ or OME.
    """

    size: tuple[int, int]
    names: tuple[str, ...]
    kind: str
    has_nodata: bool = False
    is_stack: bool = False

    @property
    def is_photo(self) -> bool:
        """Whether it is grey or RGB of unsigned numbers up to 16 bits, as cameras write."""
        has_odd_values = self.kind not in ("uint8", "uint16", "bool") or (
            self.has_nodata and self.kind != "uint8"
        )
        return len(self.names) in _PLAIN_COUNTS and not has_odd_values and not self.is_stack

    def describe(self) -> str:
        """In words, as in "4 bands of uint16"."""
        count = len(self.names)
        return f"{count} {'band' if count == 1 else 'bands'} of {self.kind}"


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


def read_layout(source: BandSource) -> BandLayout | None:
    """What the header of a TIFF file, a NumPy array or a PNG file of 16 bits says of its bands;
    None for other files, those that cannot be read and those of colours that are no grey or RGB.
    """
    kind = _kind_of(source)
    try:
        if kind == NPY and isinstance(source, Path):
            array = _open_array(source)
            _, height, width = array.shape
            return BandLayout((height, width), ("",) * len(array), array.dtype.name)
        if kind == PNG:
            return _read_png_layout(source)
        if kind == TIFF:
            page = _first_page(source)
            return None if page is None else _layout_of_page(page)
    except (OSError, ValueError, ImageError):
        return None  # reading it says what is wrong
    return None


def is_banded(source: BandSource) -> bool:
    """Whether a file is none that is read as a photo."""
    layout = read_layout(source)
    return layout is not None and not layout.is_photo


def read_bands(source: BandSource, *, numbers: Sequence[int] = ()) -> BandValues:
    """The values of a file that `read_layout` knows; of the bands `numbers`, from 1, or of all but
    alpha. Raises ImageError for what cannot be read, ConfigError where a package is missing.
    """
    kind = _kind_of(source)
    if kind == NPY and isinstance(source, Path):
        values = _open_array(source)
        names = ("",) * len(values)
    elif kind == PNG:
        values, names = _read_deep_png(source)
    else:
        page = _first_page(source)
        if page is None or not _channels_of_stack(page):
            return _read_raster_bands(source, page, numbers)
        values, names = _read_stack(source, _description(page))
    _, height, width = values.shape
    check_pixel_count((width, height), _name(source))
    chosen = _choose(values, numbers, _name(source))
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
            "w",
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


def data_bands(dataset: Any) -> tuple[int, ...]:
    """The numbers of an open raster's bands but alpha."""
    kinds = [kind.name for kind in dataset.colorinterp]
    return tuple(
        number for number, kind in zip(dataset.indexes, kinds, strict=True) if kind != _ALPHA
    )


def band_names(dataset: Any) -> tuple[str, ...]:
    """The names of an open raster's bands but alpha: as they are described, else red, green and
    blue where they are of these colours.
    """
    numbers = data_bands(dataset)
    kinds = [dataset.colorinterp[number - 1].name for number in numbers]
    texts = [_clean(dataset.descriptions[number - 1]) for number in numbers]
    return tuple(text or _colour(kind) for text, kind in zip(texts, kinds, strict=True))


def _clean(text: str | None) -> str:
    return (text or "").strip().lower()


def _colour(kind: str) -> str:
    return kind if kind in ("red", "green", "blue") else ""


def _kind_of(source: BandSource) -> str:
    """Which kind of file it is that may hold bands; empty for others."""
    if isinstance(source, bytes):
        if source.startswith(_PNG_START):
            return PNG
        return TIFF if source.startswith(_TIFF_STARTS) else ""
    suffix = source.suffix.lower()
    if suffix in (NPY, PNG):
        return suffix
    return TIFF if suffix in _TIFF_SUFFIXES else ""


def _name(source: BandSource) -> str:
    return "the image" if isinstance(source, bytes) else str(source)


def _first_page(source: BandSource) -> Page | None:
    if isinstance(source, bytes):
        return next(find_pages(io.BytesIO(source)), None)
    try:
        with source.open("rb") as file:
            return next(find_pages(file), None)
    except OSError as error:
        raise ImageError.of_file(source, str(error.strerror), "make it readable") from error


def _read_raster_bands(source: BandSource, page: Page | None, numbers: Sequence[int]) -> BandValues:
    name = _name(source)
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


def _open_array(path: Path) -> NDArray[Any]:
    """(bands, H, W) of a NumPy file, not read yet. Raises ImageError."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ImageError.of_file(path, f"cannot be read as a NumPy array ({error})") from error
    if not isinstance(array, np.ndarray) or array.ndim not in (2, 3) or not array.size:
        shape = getattr(array, "shape", "")
        reason = f"is an array of the shape {shape}"
        raise ImageError.of_file(path, reason, "save (height, width) or (height, width, bands)")
    if array.ndim == 2:
        return array[None]
    first, middle, last = array.shape
    if last < min(first, middle):
        return array.transpose(2, 0, 1)
    if first < min(middle, last):
        return array
    reason = f"is an array of the shape {array.shape}, of which no axis is sure to be the bands"
    raise ImageError.of_file(path, reason, "save it as TIFF, or (height, width, bands)")


def _read_png_layout(source: BandSource) -> BandLayout | None:
    """That of a PNG file of 16 bits without alpha; None for others."""
    if isinstance(source, bytes):
        head = source[:_PNG_HEAD]
    else:
        with source.open("rb") as file:
            head = file.read(_PNG_HEAD)
    if len(head) < _PNG_HEAD or not head.startswith(_PNG_START):
        return None
    width, height, bits, colour = struct.unpack(">IIBB", head[16:])
    names = {0: ("",), 2: ("red", "green", "blue")}.get(colour)
    return BandLayout((height, width), names, "uint16") if names and bits == 16 else None


def _read_deep_png(source: BandSource) -> tuple[NDArray[Any], tuple[str, ...]]:
    with translate_errors(source):
        data = source if isinstance(source, bytes) else source.read_bytes()
        with open_header(data) as image:
            deep = read_deep_pixels(image, None, data, _name(source))
    names = ("red", "green", "blue") if deep.colours == 3 else ("",)
    return deep.values.transpose(2, 0, 1), names


def _layout_of_page(page: Page) -> BandLayout | None:
    """That of a TIFF file's first page; None for colours that are no grey or RGB."""
    if page.number(_PHOTOMETRIC, 1) not in _PLAIN_COLOURS:
        return None
    channels = _channels_of_stack(page)
    count = channels or page.bands - page.has_alpha
    word = _KINDS.get(page.number(_SAMPLE_FORMAT, 1), "uint")
    bits = next((bits for bits in (8, 16, 32, 64) if page.bits <= bits), page.bits)
    names = _names_of_page(page, count)
    if not any(names) and page.colours == len(names) == 3:
        names = ("red", "green", "blue")
    kind = "bool" if page.bits == 1 else f"{word}{bits}"
    return BandLayout(page.size, names, kind, _NODATA in page.tags, is_stack=channels > 0)


def _names_of_page(page: Page, count: int) -> tuple[str, ...]:
    """The descriptions that GDAL has written."""
    names = [""] * count
    text = page.tags.get(_METADATA)
    if not isinstance(text, str):
        return tuple(names)
    try:
        items = ElementTree.fromstring(text.strip("\0 \n")).iter("Item")
    except ElementTree.ParseError:
        return tuple(names)
    for item in items:
        sample = item.get("sample", "")
        is_name = item.get("role") == "description" and sample.isdigit()
        if is_name and int(sample) < count:
            names[int(sample)] = _clean(item.text)
    return tuple(names)


def _description(page: Page) -> str:
    text = page.tags.get(_DESCRIPTION, "")
    return text if isinstance(text, str) else ""


def _channels_of_stack(page: Page) -> int:
    """The channels of a stack that ImageJ or a program of OME describes as one picture of several,
    a page for each; 0 for others, and for one of several planes or times.
    """
    if page.bands > 1:
        return 0
    description = _description(page)
    if description.startswith("ImageJ="):
        fields = dict(re.findall(r"^(\w+)=(\d+)\s*$", description, re.MULTILINE))
        channels = int(fields.get("channels", 1))
        return channels if channels > 1 and int(fields.get("images", 1)) == channels else 0
    pixels = _OME_PIXELS.search(description)
    if pixels is None:
        return 0
    sizes = dict(re.findall(r'Size([CZT])="(\d+)"', pixels[0]))
    if any(int(sizes.get(axis, 1)) > 1 for axis in "ZT"):
        return 0
    channels = int(sizes.get("C", 1))
    return channels if channels > 1 else 0


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
        raise ImageError.of_file(_name(source), reason, "save it again") from error
    keep = [number for number, axis in enumerate(axes) if axis in "CSYX"]
    axes = "".join(axes[number] for number in keep)
    values = values.reshape([values.shape[number] for number in keep])
    order = [axes.index(axis) for axis in "CSYX" if axis in axes]
    values = values.transpose(order)
    values = values.reshape(-1, *values.shape[-2:])
    names = _OME_CHANNEL.findall(description)
    fitting = names if len(names) == len(values) else [""] * len(values)
    return values, tuple(map(_clean, fitting))
