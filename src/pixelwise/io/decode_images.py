"""An opened image to its colours and its alpha: what PIL decodes, and what it leaves out."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from PIL import Image

from pixelwise.errors import ImageError
from pixelwise.io.deep_pixels import bands_note, jpeg2000_bits
from pixelwise.io.open_images import Source, open_header, silence_warnings
from pixelwise.io.reading_notes import ReadingNote
from pixelwise.io.tiff import (
    Page,
    count_pages,
    find_page,
    is_raw_photo,
    list_page_numbers,
)
from pixelwise.io.transparency import split_alpha

T = TypeVar("T")

# Formats whose files may hold several pictures that are all meant. The further pictures of an MPO
# are previews, those of a PSD layers.
_MULTI_FRAME = frozenset({"GIF", "WEBP", "PNG", "AVIF", "HEIF"})
_END_MISSING = ReadingNote(
    "image-end", "without the end marker of JPEG", "read whole, as all pixels are there"
)
_JPEG_END = b"\xff\xd9"
# Bytes in the place of those that a cut file may lack: where they change pixels, some are missing.
_FILLER = b"\x55" * 4096


def current_tiff_page(image: Image.Image, name: str) -> Page | None:
    """The page of a TIFF file that PIL stands at, None of another format. Raises ImageError for a
    camera's raw file, of which PIL reads a small preview.
    """
    page = None
    if image.format == "TIFF":
        page = _with_file(image, partial(find_page, number=image.tell()), None)
    if page is not None and is_raw_photo(page):
        reason = "is a camera's raw file, of which only a preview can be read"
        raise ImageError.of_file(name, reason, "export it as JPEG, PNG or TIFF")
    return page


def load_whole(image: Image.Image, source: Source, notes: list[ReadingNote]) -> Image.Image:
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


def split_bands(
    image: Image.Image, page: Page | None, notes: list[ReadingNote]
) -> tuple[Image.Image, Image.Image | None]:
    """A decoded image in a mode that has a profile (L, RGB, CMYK or LAB), and its alpha; bands of
    `page` that PIL leaves out are noted.
    """
    with silence_warnings():
        colours, alpha = split_alpha(image)
    bands = len(image.getbands())
    if page is not None and page.bands > bands:
        notes.append(bands_note(page.bands, min(bands, 3)))
    if colours.mode in ("1", "L"):
        return colours.convert("L"), alpha
    keeps = colours.mode in ("RGB", "CMYK", "LAB")
    return colours if keeps else colours.convert("RGB"), alpha


def count_frames(image: Image.Image) -> int:
    """Frames or pages that are pictures of their own."""
    if image.format == "TIFF":
        return _with_file(image, count_pages, 1) if getattr(image, "is_animated", False) else 1
    return int(getattr(image, "n_frames", 1)) if image.format in _MULTI_FRAME else 1


def list_frames(image: Image.Image) -> list[int]:
    """The numbers, from 0, of the frames or pages that are pictures of their own."""
    if image.format == "TIFF":
        return _with_file(image, list_page_numbers, [0])
    return list(range(count_frames(image)))


def is_cut_blindly(image: Image.Image) -> bool:
    """Whether PIL cuts colours of 16 bits to 8 though they may use but a part of these."""
    is_colour = image.format == "JPEG2000" and image.mode == "RGB"
    return is_colour and jpeg2000_bits(file_bytes(image)) == 16


def file_bytes(image: Image.Image) -> bytes:
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
