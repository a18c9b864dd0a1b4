"""Pictures to (H, W, 3) RGB of 8 bits: upright, opaque and in sRGB, with what was done to them."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from pixelwise.errors import ImageError
from pixelwise.io.colour_profiles import GAMMA, apply_gamma, find_gamma, to_srgb
from pixelwise.io.deep_pixels import (
    bands_note,
    is_deep,
    jpeg2000_bits,
    read_deep_pixels,
    read_deep_tiff,
    to_8_bits,
)
from pixelwise.io.image_formats import IMAGE_SUFFIXES, list_images
from pixelwise.io.open_images import (
    MAX_PIXELS,
    Array,
    Formats,
    Source,
    apply_orientation,
    check_pixel_count,
    describe,
    find_orientation,
    open_header,
    open_image,
    oriented_size,
    pixel_count,
    read_header_size,
    silence_warnings,
    translate_errors,
    turn,
)
from pixelwise.io.reading_notes import ReadingNote, ReadingNotes
from pixelwise.io.tiff import Page, count_pages, first_page, is_raw_photo, why_unreadable
from pixelwise.io.transparency import ON_WHITE, is_band, put_on_white, split_alpha
from pixelwise.io.write_images import (
    Palette,
    encode_image,
    encode_labels,
    jpeg_round_trip,
    write_image,
    write_labels,
)

# All of pictures that other rooms use is found here.
__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "Array",
    "Formats",
    "ImageFile",
    "Palette",
    "Picture",
    "ReadingNote",
    "ReadingNotes",
    "Source",
    "apply_orientation",
    "encode_image",
    "encode_labels",
    "jpeg_round_trip",
    "list_images",
    "open_image",
    "oriented_size",
    "pixel_count",
    "read_header_size",
    "read_picture",
    "read_rgb",
    "silence_warnings",
    "write_image",
    "write_labels",
]

T = TypeVar("T")

# Formats whose files may hold several pictures that are all meant. The further pictures of an MPO
# are previews, those of a PSD layers.
_MULTI_FRAME = frozenset({"GIF", "WEBP", "PNG", "AVIF", "HEIF"})
_FRAMES = ReadingNote(
    "image-frames", "of several frames or pages", "read by the first of them alone"
)
_END_MISSING = ReadingNote(
    "image-end", "without the end marker of JPEG", "read whole, as all pixels are there"
)
_JPEG_END = b"\xff\xd9"
# Bytes in the place of those that a cut file may lack: where they change pixels, some are missing.
_FILLER = b"\x55" * 4096
# A picture of 16 bits of which this is the most in 8 is dark because its range is not used.
_DARK = 128


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as networks see it.

    image: upright, of mode L or RGB, without alpha, in sRGB. notes: what was done to it beyond
    decoding. format, mode, stored (height, width), orientation and frames are those of its file,
    by PIL's names.
    """

    image: Image.Image
    notes: ReadingNotes
    format: str
    mode: str
    stored: tuple[int, int]
    orientation: int
    frames: int

    @property
    def rgb(self) -> Array:
        """(H, W, 3) uint8; grey is repeated."""
        return np.asarray(self.image.convert("RGB"))


class ImageFile:
    """An image file that is opened once: its header now, its pixels when asked for.

    pixels: what its header promises, MAX_PIXELS + 1 for far too many, None where nobody can tell;
    `read` then says why. formats: PIL's names of those allowed, all of them if None.
    """

    def __init__(self, source: str | Path | bytes, *, formats: Formats | None = None) -> None:
        self.source = source
        self.pixels: int | None = None
        self._image: Image.Image | None = None
        self._page: Page | None = None
        self._error: Exception | None = None
        try:
            self._image = open_header(source, formats)
            self.pixels = self._image.width * self._image.height
        except Image.DecompressionBombError as error:
            self._error = error
            self.pixels = MAX_PIXELS + 1
        except (OSError, SyntaxError, ValueError) as error:
            self._error = error
            if isinstance(error, UnidentifiedImageError) and (not formats or "TIFF" in formats):
                self._find_page()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._image is not None:
            # as `close` of PIL, but for the pixels, which a picture may still hold
            self._image.__exit__(*exc_info)

    @property
    def path(self) -> Path:
        """The file's path."""
        return Path(str(self.source))

    def read(self, *, common_bits: int = 0) -> Picture:
        """The picture. Raises ImageError as `read_picture`."""
        with translate_errors(self.source):
            if self._image is not None:
                return _read_opened(self._image, self.source, common_bits)
            if self._page is None:
                raise self._error or EOFError
            height, width = self._page.size
            check_pixel_count((width, height), describe(self.source))
            return _read_tiff_page(self._page, self._bytes(), describe(self.source), common_bits)

    def _find_page(self) -> None:
        """The first page of a TIFF file that PIL does not know how to unpack."""
        with translate_errors(self.source):
            self._page = first_page(io.BytesIO(self._bytes()))
        if self._page is not None and not why_unreadable(self._page):
            self.pixels = self._page.size[0] * self._page.size[1]

    def _bytes(self) -> bytes:
        return self.source if isinstance(self.source, bytes) else Path(self.source).read_bytes()


def read_picture(
    source: Source, *, formats: Formats | None = None, common_bits: int = 0
) -> Picture:
    """Read a picture of a file, of its bytes or of an image of PIL; `formats` as in `ImageFile`,
    `common_bits` as in `find_range`.

    It is turned as its EXIF orientation says. Values of more than 8 bits are scaled by the depth
    that they use, transparent parts are seen on white, colours are converted by the file's profile
    to sRGB, CMYK and palettes too; of several frames the first is read. The notes say so. Raises
    ImageError for a missing, empty, truncated or unknown file, for one of more than MAX_PIXELS
    pixels, and for numbers without a fixed range: floats, negative ones, those above 16 bits.
    """
    if isinstance(source, Image.Image):
        with translate_errors(source):
            return _read_opened(source, source, common_bits)
    with ImageFile(source, formats=formats) as file:
        return file.read(common_bits=common_bits)


def read_rgb(source: Source, *, formats: Formats | None = None, common_bits: int = 0) -> Array:
    """(H, W, 3) uint8 of a picture, as `read_picture` reads it."""
    return read_picture(source, formats=formats, common_bits=common_bits).rgb


def _read_opened(image: Image.Image, source: Source, common_bits: int) -> Picture:
    """The picture of an image that is opened. Raises what PIL raises, and ImageError."""
    name = describe(source)
    check_pixel_count(image.size, name)
    mode = image.mode
    notes = list[ReadingNote]()
    frames = _count_frames(image)
    if frames > 1:
        notes.append(_FRAMES)
    _check_raw_photo(image, name)
    gamma = find_gamma(image)
    format = image.format or ""
    stored = (image.height, image.width)
    is_cut_blindly = _is_cut_blindly(image)
    alpha = None
    if is_deep(image):
        deep = read_deep_pixels(image, _file_of(image), name)
        colours, alpha, deep_notes = to_8_bits(deep, name, gamma=gamma, common_bits=common_bits)
        notes += deep_notes
        orientation = find_orientation(image)
        colours = turn(colours, orientation)
        alpha = alpha and turn(alpha, orientation)
    else:
        colours = _load(image, source, notes)
        orientation = find_orientation(colours)
        stored = (colours.height, colours.width)
        colours, alpha = _split(turn(colours, orientation), image, notes)
        if gamma != 1:
            colours = apply_gamma(colours, gamma)
    if gamma != 1:
        notes.append(GAMMA)
    with silence_warnings():
        colours, colour_notes = to_srgb(colours, image.info.get("icc_profile"))
    notes += colour_notes
    if is_cut_blindly and int(np.asarray(colours).max()) < _DARK:
        reason = "holds 16-bit colours that use little of their range"
        raise ImageError.of_file(name, reason, "save it as TIFF or PNG of 16 bits")
    if alpha is not None:
        colours = put_on_white(colours, alpha)
        notes.append(ON_WHITE)
    return Picture(colours, tuple(notes), format, mode, stored, orientation, frames)


def _read_tiff_page(page: Page, data: bytes, name: str, common_bits: int) -> Picture:
    """The picture of a page of a TIFF file that PIL does not know how to unpack."""
    deep = read_deep_tiff(page, data, name)
    colours, alpha, deep_notes = to_8_bits(deep, name, common_bits=common_bits)
    notes = list(deep_notes)
    frames = count_pages(io.BytesIO(data))
    if frames > 1:
        notes.append(_FRAMES)
    if alpha is not None and not is_band(alpha):
        colours = put_on_white(colours, alpha)
        notes.append(ON_WHITE)
    upright = turn(colours, page.orientation)
    mode = f"{page.bands} bands of {page.bits} bits"
    return Picture(upright, tuple(notes), "TIFF", mode, page.size, page.orientation, frames)


def _load(image: Image.Image, source: Source, notes: list[ReadingNote]) -> Image.Image:
    """The image, decoded; of a JPEG that lacks its end marker alone, all the same."""
    try:
        image.load()
    except OSError as error:
        is_jpeg = image.format in ("JPEG", "MPO")
        if not is_jpeg or "truncated" not in str(error) or isinstance(source, Image.Image):
            raise
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        whole = open_header(data + _JPEG_END)
        filled = open_header(data + _FILLER + _JPEG_END)
        if whole.tobytes() != filled.tobytes():
            raise
        notes.append(_END_MISSING)
        return whole
    return image


def _split(
    turned: Image.Image, image: Image.Image, notes: list[ReadingNote]
) -> tuple[Image.Image, Image.Image | None]:
    """A decoded image in a mode that has a profile (L, RGB, CMYK or LAB), and its alpha; what of
    `image`, as it was opened, is not read is noted.
    """
    with silence_warnings():
        colours, alpha = split_alpha(turned)
    bands = len(turned.getbands())
    if image.format == "TIFF":
        page_bands = int(image.tag_v2.get(277, bands))  # type: ignore[attr-defined]
        if alpha is not None and is_band(alpha):
            notes.append(bands_note(page_bands, bands - 1))
            alpha = None
        elif page_bands > bands:
            notes.append(bands_note(page_bands, min(bands, 3)))
    if colours.mode in ("1", "L"):
        return colours.convert("L"), alpha
    keeps = colours.mode in ("RGB", "CMYK", "LAB")
    return colours if keeps else colours.convert("RGB"), alpha


def _count_frames(image: Image.Image) -> int:
    """Frames or pages that are pictures of their own."""
    if image.format == "TIFF":
        return _with_file(image, count_pages, 1) if getattr(image, "is_animated", False) else 1
    return int(getattr(image, "n_frames", 1)) if image.format in _MULTI_FRAME else 1


def _check_raw_photo(image: Image.Image, name: str) -> None:
    """Raise ImageError for a camera's raw file, of which PIL reads a small preview."""
    if image.format == "TIFF" and _with_file(image, is_raw_photo, False):
        reason = "is a camera's raw file, of which only a preview can be read"
        raise ImageError.of_file(name, reason, "export it as JPEG, PNG or TIFF")


def _is_cut_blindly(image: Image.Image) -> bool:
    """Whether PIL cuts colours of 16 bits to 8 though they may use but a part of these."""
    is_colour = image.format == "JPEG2000" and image.mode == "RGB"
    return is_colour and jpeg2000_bits(_file_of(image)) == 16


def _file_of(image: Image.Image) -> bytes:
    """The bytes of the file of an opened image; none where it is closed."""
    return _with_file(image, lambda file: file.read(), b"")


def _with_file(image: Image.Image, look: Callable[[BinaryIO], T], otherwise: T) -> T:
    """What `look` finds in an opened image's file, whose position stays; `otherwise` where the
    file is closed.
    """
    file = getattr(image, "fp", None)
    if file is None:
        return otherwise
    position = file.tell()
    file.seek(0)
    try:
        return look(file)
    finally:
        file.seek(position)
