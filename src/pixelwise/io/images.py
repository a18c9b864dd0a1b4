"""Pictures on disk to arrays and back. The only place that knows PIL and its (width, height)."""

import io
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pixelwise.classes import VOID_COLOUR
from pixelwise.errors import ImageError
from pixelwise.io.atomic import atomic

Array = NDArray[np.uint8]
Source = str | Path | bytes | Image.Image
Formats = tuple[str, ...]
Palette = tuple[tuple[int, int, int], ...]

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm", ".jp2"}
)
# Larger pictures are read by window, never whole: 300 MB as RGB.
MAX_PIXELS = 100_000_000

# The tag of Exif that says how a camera was held.
_ORIENTATION = 0x0112
_FILTERS = threading.Lock()
_QUIET = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
_QUIET_BLOCKS = set[object]()
_REFUSED = {"I": "32-bit integers", "F": "floating point numbers"}


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
    with _translated_errors(source):
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with _opened(file, formats) as image:
            _check_pixel_count(image.size, describe(source))
            image.load()
            return image


class ImageFile:
    """An image file that is opened once: its header now, its pixels when asked for.

    path: the file. pixels: what its header promises, MAX_PIXELS + 1 for far too many, None where
    PIL cannot tell; `read_rgb` then says why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pixels: int | None = None
        self._image: Image.Image | None = None
        self._error: Exception | None = None
        try:
            self._image = _opened(path)
            self.pixels = self._image.width * self._image.height
        except Image.DecompressionBombError as error:
            self._error = error
            self.pixels = MAX_PIXELS + 1
        except (OSError, SyntaxError, ValueError) as error:
            self._error = error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._image is not None:
            self._image.close()

    def read_rgb(self) -> Array:
        """As the function `read_rgb`, from the file that is open."""
        with _translated_errors(self.path):
            if self._image is None:
                raise self._error or EOFError
            _check_pixel_count(self._image.size, describe(self.path))
            self._image.load()
        return _to_rgb(self._image, self.path)


@contextmanager
def _translated_errors(source: Source) -> Iterator[None]:
    """A block whose errors of reading `source` become ImageErrors."""
    name = describe(source)
    try:
        yield
    except FileNotFoundError as error:
        raise ImageError.of_file(name, "no such file") from error
    except Image.DecompressionBombError as error:
        advice = f"cut it into parts of at most {MAX_PIXELS // 1_000_000} megapixels"
        raise ImageError.of_file(name, str(error), advice) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise _unreadable(source, error) from error


def apply_orientation(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF orientation says; as it is stored where that is damaged."""
    try:
        return ImageOps.exif_transpose(image)
    except (SyntaxError, ValueError, KeyError, TypeError, OSError, struct.error, OverflowError):
        return image


def pixel_count(source: Path | BinaryIO) -> int | None:
    """Pixels that a picture's header promises, without decoding it; None where PIL cannot tell."""
    try:
        with _opened(source) as image:
            return image.size[0] * image.size[1]
    except Image.DecompressionBombError:
        return MAX_PIXELS + 1
    except (OSError, SyntaxError, ValueError):
        return None


def read_header_size(data: bytes, *, formats: Formats) -> tuple[int, int] | None:
    """(height, width) as a file's header has them, without decoding it; None where it is of none of
    PIL's `formats`.

    Raises ImageError for one of far more than MAX_PIXELS, as PIL does not open such at all.
    """
    try:
        with _opened(io.BytesIO(data), formats) as image:
            return image.height, image.width
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"the image: more than the {MAX_PIXELS // 1_000_000} megapixels read at once"
        ) from error
    except Exception:  # what the parsers of a format raise on damaged headers is no closed list
        return None


def oriented_size(path: Path) -> tuple[int, int]:
    """(height, width) by a picture's header, EXIF orientation applied. Raises ImageError for what
    is no picture.
    """
    try:
        with _opened(path) as image:
            turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
            return (image.width, image.height) if turned else (image.height, image.width)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error


def read_rgb(source: Source, *, formats: Formats | None = None) -> Array:
    """Read a picture as (H, W, 3) uint8 RGB with its EXIF orientation applied; `formats` as in
    `open_image`.

    Grey is repeated, palettes and CMYK are converted, 16-bit grey keeps its upper 8 bits, an alpha
    channel is dropped. Raises ImageError for what `open_image` refuses and for 32-bit integers and
    floats, which have no fixed range.
    """
    return _to_rgb(open_image(source, formats=formats), source)


def _to_rgb(stored: Image.Image, source: Source) -> Array:
    """A decoded picture as `read_rgb` gives it."""
    image = apply_orientation(stored)
    check_readable(image, source)
    if image.mode.startswith("I;16"):
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    return np.asarray(image.convert("RGB"))


def check_readable(image: Image.Image, source: Source) -> None:
    """Raise ImageError for 32-bit integers and floats, which have no fixed range."""
    if image.mode in _REFUSED:
        reason = f"holds {_REFUSED[image.mode]} (mode {image.mode})"
        raise ImageError.of_file(describe(source), reason, "save it as 8 or 16 bit")


def write_labels(path: Path, labels: Array, palette: Palette) -> None:
    """Write (H, W) uint8 class ids as a palette PNG; ids beyond `palette` (void) are shown in light
    grey.
    """
    with atomic(path) as temp_path:
        temp_path.write_bytes(encode_labels(labels, palette))


def encode_labels(labels: Array, palette: Palette) -> bytes:
    """The bytes of the file that `write_labels` writes."""
    image = Image.fromarray(np.ascontiguousarray(labels))
    colours = [*palette, *[VOID_COLOUR] * (256 - len(palette))]
    image.putpalette([channel for colour in colours for channel in colour])
    return _encoded(image, "PNG", compress_level=3)


def encode_image(array: Array, kind: str) -> bytes:
    """(H, W, 3) RGB or (H, W) grey uint8 as the bytes of a file of PIL's format `kind`, such as PNG
    or JPEG.
    """
    return _encoded(Image.fromarray(np.ascontiguousarray(array)), kind, quality=92)


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


def write_image(path: Path, array: Array) -> None:
    """Write (H, W, 3) RGB or (H, W) grey uint8 in the format that the suffix names."""
    with atomic(path) as temp_path:
        Image.fromarray(np.ascontiguousarray(array)).save(temp_path, quality=92)


def jpeg_round_trip(rgb: Array, quality: int) -> Array:
    """(H, W, 3) uint8 as JPEG of that quality (1 to 95) leaves it."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(file, format="JPEG", quality=quality)
    return np.asarray(Image.open(file))


def list_images(folder: Path) -> list[Path]:
    """The pictures directly in `folder`, by name; hidden files are left out."""
    return sorted(
        p
        for p in folder.iterdir()
        if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")
    )


def _opened(source: str | Path | BinaryIO, formats: Formats | None = None) -> Image.Image:
    """A picture with its header read."""
    with silence_warnings():
        return Image.open(source, formats=formats)


def _check_pixel_count(size: tuple[int, int], name: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        reason = (
            f"{size[1]} x {size[0]} pixels (height x width) are more than the "
            f"{MAX_PIXELS // 1_000_000} megapixels read at once"
        )
        raise ImageError.of_file(name, reason, "cut it into parts")


def _unreadable(source: Source, error: Exception) -> ImageError:
    reason = f"cannot be read as an image ({_reason(source, error)})"
    return ImageError.of_file(describe(source), reason, "replace or remove it")


def _reason(source: Source, error: Exception) -> str:
    if (
        isinstance(source, str | Path)
        and Path(source).is_file()
        and Path(source).stat().st_size == 0
    ):
        return "the file is empty"
    return (
        "unknown format"
        if isinstance(error, OSError) and "cannot identify" in str(error)
        else str(error)
    )
