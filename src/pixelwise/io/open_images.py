"""Picture files to PIL's images: headers, decoding, and errors that say what is wrong."""

import io
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pixelwise.errors import ImageError
from pixelwise.io.arrays import NPY, array_to_photo, open_array
from pixelwise.io.image_formats import describe_contents, register_heif

Array = NDArray[np.uint8]
Source = str | Path | bytes | Image.Image
Formats = tuple[str, ...]

# Larger pictures, above 300 MB as RGB, are read by window or not at all.
MAX_PIXELS = 100_000_000

# The tag of Exif that says how a camera was held.
_ORIENTATION = 0x0112
_HEAD = 512
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""The first bytes of TIFF files, and of large ones."""
_ADDRESS = re.compile(r"(https?|ftp|s3|gs):/+")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by its EXIF orientation."""
_FILTERS = threading.Lock()
_QUIET = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
_QUIET_BLOCKS = set[object]()


@contextmanager
def silence_warnings() -> Iterator[None]:
    """A block in which PIL's warnings (odd metadata, large sizes) are not shown: what is odd is
    measured or refused.

    Blocks of several threads may overlap in any way: one filter serves all and goes with the last.
    With `warnings.catch_warnings` each would put back the filters that it found, those of another
    thread's block too.
    """
    block = object()
    with _FILTERS:
        _QUIET_BLOCKS.add(block)
        if _QUIET not in warnings.filters:
            warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        yield
    finally:
        with _FILTERS:
            _QUIET_BLOCKS.discard(block)
            if not _QUIET_BLOCKS and _QUIET in warnings.filters:
                warnings.filters.remove(_QUIET)  # type: ignore[attr-defined]


def describe(source: Source) -> str:
    """A name for `source` that an error message can carry."""
    return str(source) if isinstance(source, str | Path) else "the image"


def open_image(source: Source, *, formats: Formats | None = None) -> Image.Image:
    """Open a picture and decode it whole; `formats` are PIL's names of those allowed, all of them
    if None.

    Raises ImageError for a missing, empty, truncated or unknown file and for one of more than
    MAX_PIXELS pixels.
    """
    if isinstance(source, Image.Image):
        return source
    with translate_errors(source), open_header(source, formats) as image:
        check_pixel_count(image.size, describe(source))
        image.load()
        return image


def open_header(
    source: str | Path | bytes | BinaryIO, formats: Formats | None = None
) -> Image.Image:
    """A picture with its header read. Raises what PIL raises, and ImageError for a NumPy file that
    is no photo.
    """
    if _is_array(source):
        return array_to_photo(Path(str(source)))
    register_heif()
    with silence_warnings():
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        return Image.open(file, formats=formats)


@contextmanager
def translate_errors(source: Source) -> Iterator[None]:
    """A block whose errors of reading `source` become ImageErrors."""
    name = describe(source)
    try:
        yield
    except FileNotFoundError as error:
        if _ADDRESS.match(name):
            address = _ADDRESS.sub(r"\1://", name, count=1)  # a path has lost one of the slashes
            reason = "is an address, and no file"
            raise ImageError.of_file(address, reason, "download it first") from error
        raise ImageError.of_file(name, "no such file") from error
    except Image.DecompressionBombError as error:
        advice = f"cut it into parts of at most {MAX_PIXELS // 1_000_000} megapixels"
        raise ImageError.of_file(name, str(error), advice) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise _unreadable(source, error) from error


def pixel_count(source: Path | BinaryIO) -> int | None:
    """Pixels that a picture's header promises, without decoding it; None where PIL cannot tell."""
    try:
        if _is_array(source):
            _, height, width = open_array(Path(str(source))).shape
            return int(height * width)
        with open_header(source) as image:
            return image.size[0] * image.size[1]
    except Image.DecompressionBombError:
        return MAX_PIXELS + 1
    except (OSError, SyntaxError, ValueError, ImageError):
        return None


def read_header_size(data: bytes, *, formats: Formats) -> tuple[int, int] | None:
    """(height, width) as a file's header has them, without decoding it; None where it is of none of
    PIL's `formats`.

    Raises ImageError for one of far more than MAX_PIXELS, as PIL does not open such at all.
    """
    try:
        with open_header(data, formats) as image:
            return image.height, image.width
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"the image: more than the {MAX_PIXELS // 1_000_000} megapixels read at once"
        ) from error
    except Exception:  # what the parsers of a format raise on damaged headers is no closed list
        return None


def size_of_photo(path: Path) -> tuple[int, int]:
    """(height, width) by a picture's header, EXIF orientation applied. Raises ImageError for what
    is no picture.
    """
    try:
        with open_header(path) as image:
            # PIL turns TIFF files by itself, and their size with them
            is_turned = image.format != "TIFF" and find_orientation(image) in (5, 6, 7, 8)
            return (image.width, image.height) if is_turned else (image.height, image.width)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error


def _is_array(source: object) -> bool:
    return isinstance(source, str | Path) and Path(source).suffix.lower() == NPY


def find_orientation(image: Image.Image) -> int:
    """That of EXIF, 1 to 8; 1 where it is damaged or says nothing."""
    try:
        with silence_warnings():
            orientation = int(image.getexif().get(_ORIENTATION, 1) or 1)
    # a damaged EXIF block raises what its parser comes upon
    except Exception:
        return 1
    return orientation if orientation in range(1, 9) else 1


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned upright, by its EXIF orientation."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def apply_orientation(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF orientation says; as it is stored where that is damaged."""
    return turn(image, find_orientation(image))


def check_pixel_count(size: tuple[int, int], name: str) -> None:
    """Raise ImageError for a picture, (width, height), of more than MAX_PIXELS."""
    if size[0] * size[1] > MAX_PIXELS:
        reason = (
            f"{size[1]} x {size[0]} pixels (height x width) are more than the "
            f"{MAX_PIXELS // 1_000_000} megapixels read at once"
        )
        raise ImageError.of_file(name, reason, "cut it into parts")


def _unreadable(source: Source, error: Exception) -> ImageError:
    kind, advice = describe_contents(_head_of(source))
    if kind:
        return ImageError.of_file(describe(source), f"is {kind}", advice)
    reason = f"cannot be read as an image ({_reason(source, error)})"
    return ImageError.of_file(describe(source), reason, "replace or remove it")


def _head_of(source: Source) -> bytes:
    if isinstance(source, bytes):
        return source[:_HEAD]
    if isinstance(source, Image.Image):
        return b""
    try:
        with Path(source).open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _reason(source: Source, error: Exception) -> str:
    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_dir():
            return "it is a folder"
        if path.is_file() and path.stat().st_size == 0:
            return "the file is empty"
    if source == b"":
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        is_tiff = _head_of(source).startswith(TIFF_STARTS)
        return "a TIFF file that breaks off or is damaged" if is_tiff else "unknown format"
    return str(error)
