"""What headers say of a file's bands, where these are no grey or RGB of 8 bits."""

import io
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defusedxml import ElementTree

from pixelwise.errors import ImageError
from pixelwise.io.arrays import NPY, is_photo_array, open_array
from pixelwise.io.dicom import DICOM, read_dicom_size
from pixelwise.io.dicom import KIND as DICOM_KIND
from pixelwise.io.gdal import holds_opacity, open_dataset
from pixelwise.io.open_images import TIFF_STARTS
from pixelwise.io.tiff import Page, find_pages
from pixelwise.optional import is_installed

BandSource = Path | bytes
"""A file, or its bytes where it is a TIFF or PNG file."""

TIFF = ".tif"
PNG = ".png"
_TIFF_SUFFIXES = (TIFF, ".tiff")
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
# A file without a colour that it names is one of these.
_PLAIN_COUNTS = (1, 3)
_RGB_COUNTS = (1, 3, 4)


@dataclass(frozen=True)
class BandLayout:
    """What a file's header says: size (height, width), the names of its bands but alpha, '' for
    those without one, NumPy's name of their type, whether some value stands for none, whether its
    bands are pages of a stack of ImageJ or OME, and whether it is a NumPy array.
    """

    size: tuple[int, int]
    names: tuple[str, ...]
    kind: str
    has_nodata: bool = False
    is_stack: bool = False
    is_array: bool = False

    @property
    def is_photo(self) -> bool:
        """Whether it is grey or RGB of unsigned numbers up to 16 bits, as cameras write."""
        if self.is_array:
            return is_photo_array(self.kind, len(self.names))
        has_odd_values = self.kind not in ("uint8", "uint16", "bool") or (
            self.has_nodata and self.kind != "uint8"
        )
        return len(self.names) in _PLAIN_COUNTS and not has_odd_values and not self.is_stack

    @property
    def has_rgb(self) -> bool:
        """Whether red, green and blue, or grey, can be read of it as of a photo, whatever else it
        holds.
        """
        if self.is_array:
            return self.is_photo
        is_whole = self.kind in ("uint8", "uint16", "bool")
        return is_whole and len(self.names) in _RGB_COUNTS and not self.is_stack

    def describe(self) -> str:
        """In words, as in "4 bands of uint16"."""
        count = len(self.names)
        return f"{count} {'band' if count == 1 else 'bands'} of {self.kind}"


def read_layout(source: BandSource) -> BandLayout | None:
    """What the header of a TIFF file, a NumPy array, a grey DICOM file or a PNG file of 16 bits
    says of its bands; None for other files, those that cannot be read and those of colours that
    are no grey or RGB.
    """
    kind = kind_of(source)
    try:
        if kind == NPY and isinstance(source, Path):
            array = open_array(source)
            _, height, width = array.shape
            return BandLayout((height, width), ("",) * len(array), array.dtype.name, is_array=True)
        if kind == DICOM and isinstance(source, Path):
            size = read_dicom_size(source)
            return None if size is None else BandLayout(size, ("",), DICOM_KIND)
        if kind == PNG:
            return _read_png_layout(source)
        if kind == TIFF:
            page = first_page(source)
            return None if page is None else _layout_of_page(page, source)
    except (OSError, ValueError, ImageError):
        return None  # reading it says what is wrong
    return None


def is_banded(source: BandSource) -> bool:
    """Whether a file is none that is read as a photo."""
    layout = read_layout(source)
    return layout is not None and not layout.is_photo


def data_bands(dataset: Any) -> tuple[int, ...]:
    """The numbers of an open raster's bands but alpha. One that is only called so, as GDAL calls
    the fourth of four bands of 8 bits, is a band.
    """
    kinds = [kind.name for kind in dataset.colorinterp]
    return tuple(
        number
        for number, kind in zip(dataset.indexes, kinds, strict=True)
        if kind != _ALPHA or not holds_opacity(dataset, number)
    )


def kind_of(source: BandSource) -> str:
    """Which kind of file it is that may hold bands; empty for others."""
    if isinstance(source, bytes):
        if source.startswith(_PNG_START):
            return PNG
        return TIFF if source.startswith(TIFF_STARTS) else ""
    suffix = source.suffix.lower()
    if suffix in (NPY, PNG, DICOM):
        return suffix
    return TIFF if suffix in _TIFF_SUFFIXES else ""


def name_of(source: BandSource) -> str:
    """What errors call it."""
    return "the image" if isinstance(source, bytes) else str(source)


def first_page(source: BandSource) -> Page | None:
    """The first page of a TIFF file; None where it is damaged. Raises ImageError."""
    if isinstance(source, bytes):
        return next(find_pages(io.BytesIO(source)), None)
    try:
        with source.open("rb") as file:
            return next(find_pages(file), None)
    except OSError as error:
        raise ImageError.of_file(source, str(error.strerror), "make it readable") from error


def channels_of_stack(page: Page) -> int:
    """The channels of a stack that ImageJ or a program of OME describes as one picture of several,
    a page for each; 0 for others, and for one of several planes or times.
    """
    if page.bands > 1:
        return 0
    description = describe_page(page)
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


def describe_page(page: Page) -> str:
    """A page's description, empty where it has none."""
    text = page.tags.get(_DESCRIPTION, "")
    return text if isinstance(text, str) else ""


def clean_name(text: str | None) -> str:
    """A band's name as it is compared."""
    return (text or "").strip().lower()


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


def _layout_of_page(page: Page, source: BandSource) -> BandLayout | None:
    """That of a TIFF file's first page; None for colours that are no grey or RGB."""
    if page.number(_PHOTOMETRIC, 1) not in _PLAIN_COLOURS:
        return None
    channels = channels_of_stack(page)
    count = channels or page.bands - _has_opacity(page, source)
    word = _KINDS.get(page.number(_SAMPLE_FORMAT, 1), "uint")
    bits = next((bits for bits in (8, 16, 32, 64) if page.bits <= bits), page.bits)
    names = _names_of_page(page, count)
    if not any(names) and page.colours == len(names) == 3:
        names = ("red", "green", "blue")
    kind = "bool" if page.bits == 1 else f"{word}{bits}"
    return BandLayout(page.size, names, kind, _NODATA in page.tags, is_stack=channels > 0)


def _has_opacity(page: Page, source: BandSource) -> bool:
    """Whether a page has a band of opacity, and none that is only called so."""
    if not page.has_alpha:
        return False
    if not is_installed("rasterio"):
        return True
    with open_dataset(source) as dataset:
        return bool(len(data_bands(dataset)) < dataset.count)


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
            names[int(sample)] = clean_name(item.text)
    return tuple(names)
