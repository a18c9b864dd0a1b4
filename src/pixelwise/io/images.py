"""Pictures to (H, W, 3) RGB of 8 bits: upright, opaque and in sRGB, with what was done to them."""

import io
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from PIL import Image, UnidentifiedImageError

from pixelwise.errors import ImageError
from pixelwise.io.band_layout import read_layout
from pixelwise.io.band_pictures import channels_of_photo, read_channels, read_to_show
from pixelwise.io.channels import RGB, ReadingRule
from pixelwise.io.colour_profiles import GAMMA, apply_gamma, find_gamma, to_srgb
from pixelwise.io.decode_images import (
    count_frames,
    current_tiff_page,
    file_bytes,
    is_cut_blindly,
    load_whole,
    split_bands,
)
from pixelwise.io.deep_pixels import (
    bands_note,
    is_deep,
    read_deep_pixels,
    read_deep_tiff,
    to_8_bits,
)
from pixelwise.io.frames import frames_note, seek_frame
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
    pixel_count,
    read_header_size,
    silence_warnings,
    size_of_photo,
    translate_errors,
    turn,
)
from pixelwise.io.picture import Picture, void_invalid
from pixelwise.io.reading_notes import ReadingNote, ReadingNotes
from pixelwise.io.tiff import Page, count_pages, find_page, why_unreadable
from pixelwise.io.transparency import ON_WHITE, is_band, put_on_white
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
    "read_pixels",
    "read_rgb",
    "silence_warnings",
    "void_invalid",
    "write_image",
    "write_labels",
]


# A picture of 16 bits of which this is the most in 8 is dark because its range is not used.
_DARK = 128


class ImageFile:
    """An image file that is opened once: its header now, its pixels when asked for.

    pixels: what its header promises, MAX_PIXELS + 1 for far too many, None where nobody can tell;
    `read` then says why. formats: PIL's names of those allowed, all of them if None. frame: which
    of several frames or pages, from 0; None for the first, with a note where there are more.
    """

    def __init__(
        self,
        source: str | Path | bytes,
        *,
        formats: Formats | None = None,
        frame: int | None = None,
    ) -> None:
        self.source = source
        self.frame = frame
        self.pixels: int | None = None
        self._image: Image.Image | None = None
        self._page: Page | None = None
        self._error: Exception | None = None
        try:
            self._open(formats)
        except Image.DecompressionBombError as error:
            self._error = error
            self.pixels = MAX_PIXELS + 1
        except (OSError, SyntaxError, ValueError, ImageError) as error:
            self._error = error
            is_unknown = isinstance(error, UnidentifiedImageError) or frame
            if is_unknown and (not formats or "TIFF" in formats):
                self._find_page()

    def _open(self, formats: Formats | None) -> None:
        image = open_header(self.source, formats)
        try:
            seek_frame(image, self.frame or 0)
        except BaseException:
            image.close()
            raise
        self._image = image
        self.pixels = image.width * image.height

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

    def read(self, rule: ReadingRule = RGB) -> Picture:
        """The picture. Raises ImageError as `read_picture`."""
        with translate_errors(self.source):
            if rule.channels is not None or rule.shows_bands:
                picture = self._read_bands(rule)
                if picture is not None:
                    return picture
            if self._image is not None:
                return _read_opened(self._image, self.source, rule, self.frame)
            if self._page is None:
                raise self._error or EOFError
            height, width = self._page.size
            check_pixel_count((width, height), describe(self.source))
            with self._opened() as file:
                data = file.read()
            name = describe(self.source)
            return _read_tiff_page(self._page, data, name, rule.common_bits, self.frame)

    def _read_bands(self, rule: ReadingRule) -> Picture | None:
        """The picture of a file that is no photo, or that a network of other bands takes; None for
        a photo of another kind than TIFF.
        """
        source = self.source if isinstance(self.source, bytes) else self.path
        layout = read_layout(source)
        if layout is None:
            return None
        if rule.channels is not None:
            return read_channels(source, layout, rule.channels)
        return None if layout.is_photo or layout.has_rgb else read_to_show(source, layout)

    def _find_page(self) -> None:
        """The page of a TIFF file that PIL does not know how to unpack."""
        with translate_errors(self.source), self._opened() as file:
            self._page = find_page(file, self.frame or 0)
        if self._page is not None and not why_unreadable(self._page):
            self.pixels = self._page.size[0] * self._page.size[1]

    def _opened(self) -> BinaryIO:
        if isinstance(self.source, bytes):
            return io.BytesIO(self.source)
        return Path(self.source).open("rb")


def oriented_size(path: Path) -> tuple[int, int]:
    """(height, width) by a picture's header, EXIF orientation applied, of any bands. Raises
    ImageError for what is no picture.
    """
    layout = read_layout(path)
    if layout is not None and (layout.is_array or not layout.is_photo):
        return layout.size
    return size_of_photo(path)


def read_picture(
    source: Source, rule: ReadingRule = RGB, *, formats: Formats | None = None
) -> Picture:
    """Read a picture of a file, of its bytes or of an image of PIL, by a rule; `formats` as in
    `ImageFile`.

    It is turned as its EXIF orientation says. Values of more than 8 bits are scaled by the depth
    that they use, transparent parts are seen on white, colours are converted by the file's profile
    to sRGB, CMYK and palettes too; of several frames the first is read. The notes say so. Raises
    ImageError for a missing, empty, truncated or unknown file, for one of more than MAX_PIXELS
    pixels, and for numbers without a fixed range: floats, negative ones, those above 16 bits.
    """
    if isinstance(source, Image.Image):
        with translate_errors(source):
            return _read_opened(source, source, rule, None)
    with ImageFile(source, formats=formats) as file:
        return file.read(rule)


def read_rgb(source: Source, rule: ReadingRule = RGB, *, formats: Formats | None = None) -> Array:
    """(H, W, 3) uint8 of a picture, as `read_picture` reads it."""
    return read_picture(source, rule, formats=formats).rgb


def read_pixels(source: Source, rule: ReadingRule = RGB) -> Array:
    """(H, W, channels) uint8 of a picture, as a network of `rule` takes it."""
    return read_picture(source, rule).pixels


def _read_opened(
    image: Image.Image, source: Source, rule: ReadingRule, frame: int | None
) -> Picture:
    """The picture of an image that is opened; frame: as in `ImageFile`. Raises what PIL raises,
    and ImageError.
    """
    name = describe(source)
    check_pixel_count(image.size, name)
    page = current_tiff_page(image, name)
    mode = image.mode
    format = image.format or ""
    frames = count_frames(image) if frame is None else 1
    gamma = find_gamma(image)
    is_cut = is_cut_blindly(image)
    notes = [frames_note(frames)] if frames > 1 else []
    deep = None
    if is_deep(image, page):
        deep = read_deep_pixels(image, page, file_bytes(image), name)
        bits = rule.common_bits
        colours, alpha, deep_notes = to_8_bits(deep, name, gamma=gamma, common_bits=bits)
        notes += deep_notes
        orientation = find_orientation(image)
    else:
        loaded = load_whole(image, source, notes)
        orientation = find_orientation(loaded)
        colours, alpha = split_bands(loaded, page, notes)
        colours = apply_gamma(colours, gamma) if gamma != 1 else colours
    if gamma != 1:
        notes.append(GAMMA)
    stored = (colours.height, colours.width)
    with silence_warnings():
        colours, colour_notes = to_srgb(colours, image.info.get("icc_profile"))
    notes += colour_notes
    if is_cut and int(np.asarray(colours).max()) < _DARK:
        reason = "holds 16-bit colours that use little of their range"
        raise ImageError.of_file(name, reason, "save it as TIFF or PNG of 16 bits")
    upright = turn(_see_through(colours, alpha, page, notes), orientation)
    picture = Picture(upright, tuple(notes), format, mode, stored, orientation, frames)
    if rule.channels is None:
        return picture
    if deep is not None and orientation == 1:
        values = deep.values[..., : deep.colours]
    else:
        values = np.atleast_3d(np.asarray(upright))
    return channels_of_photo(picture, values, rule.channels, name)


def _read_tiff_page(
    page: Page, data: bytes, name: str, common_bits: int, frame: int | None
) -> Picture:
    """The picture of a page of a TIFF file that PIL does not know how to unpack."""
    deep = read_deep_tiff(page, data, name)
    colours, alpha, deep_notes = to_8_bits(deep, name, common_bits=common_bits)
    frames = count_pages(io.BytesIO(data)) if frame is None else 1
    notes = [*deep_notes, frames_note(frames)] if frames > 1 else [*deep_notes]
    upright = turn(_see_through(colours, alpha, page, notes), page.orientation)
    mode = f"{page.bands} bands of {page.bits} bits"
    return Picture(upright, tuple(notes), "TIFF", mode, page.size, page.orientation, frames)


def _see_through(
    colours: Image.Image, alpha: Image.Image | None, page: Page | None, notes: list[ReadingNote]
) -> Image.Image:
    """Colours on white where `alpha` is transparent; what is done is noted."""
    if alpha is None:
        return colours
    if page is not None and is_band(alpha):
        notes.append(bands_note(page.bands, page.colours))
        return colours
    notes.append(ON_WHITE)
    return put_on_white(colours, alpha)
