"""Pictures of more than 8 bits: their samples, before anything is cut off, and their 8 bits."""

import struct
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.errors import ImageError
from pixelwise.io.bit_depth import CONTAINER, describe_range, find_range
from pixelwise.io.open_images import open_header
from pixelwise.io.reading_notes import ReadingNote, ReadingNotes
from pixelwise.io.tiff import Page, is_misread, read_samples, why_unreadable

_ADVICE = "save it as 8 or 16 bit"
_ALLOWED = "give 1 band (grey) or 3 (RGB) of 8 or 16 bits"
_CHOOSE = "`gdal_translate -b 1 -b 2 -b 3 IN OUT`"
_PNG_START = 8


@dataclass(frozen=True)
class DeepPixels:
    """Whole numbers (H, W, colours + extra); `colours` are 1 or 3, `bits` those of the file.

    alpha: whether the first extra band is alpha. opaque: (H, W), where a colour stands for
    transparency. declared: the greatest value that the file promises, None where its container is
    all it says; at_least: one that its values may fall short of.
    """

    values: NDArray[Any]
    colours: int
    bits: int = 16
    alpha: bool = False
    opaque: NDArray[np.bool_] | None = None
    declared: int | None = None
    at_least: int = 0
    inverted: bool = False


def is_deep(image: Image.Image, page: Page | None) -> bool:
    """Whether an opened image, not decoded yet, has more than 8 bits a sample, or is a `page` of a
    TIFF file that PIL misreads.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return True
    if page is not None:
        return is_misread(page, len(image.getbands()))
    return ";16" in _raw_mode(image) or _ppm_maximum(image) > 255


def read_deep_pixels(image: Image.Image, page: Page | None, data: bytes, name: str) -> DeepPixels:
    """The samples of an image that `is_deep`, whose file is `data` and is called `name`. Raises
    ImageError for floats, and as `read_deep_tiff`.
    """
    if page is not None and is_misread(page, len(image.getbands())):
        return read_deep_tiff(page, data, name)
    if image.mode == "F":
        raise ImageError.of_file(name, f"holds floating point numbers (mode F); {_ADVICE}")
    if _ppm_maximum(image) > 255:
        return _read_ppm(image, data)
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _read_grey(image, page, data)
    if image.format == "PNG":
        return _read_png(image, data)
    raise ImageError.of_file(name, f"holds 16-bit colours in {image.format}; save it as PNG")


def read_deep_tiff(page: Page, data: bytes, name: str) -> DeepPixels:
    """The samples of a page of the TIFF file `data`. Raises ImageError for one that is no picture
    of grey or RGB.
    """
    reason = why_unreadable(page)
    if reason:
        way = f", as with {_CHOOSE}" if page.bands > 4 else ""
        raise ImageError.of_file(name, f"{reason}; {_ALLOWED}{way}")
    values = read_samples(data, page)
    if page.has_premultiplied_alpha:
        values = _divide_by_alpha(values, page.colours)
    return DeepPixels(
        values,
        page.colours,
        page.bits,
        alpha=page.has_alpha,
        at_least=page.greatest_value,
        inverted=page.white_is_zero,
    )


def _divide_by_alpha(values: NDArray[Any], colours: int) -> NDArray[Any]:
    """Samples whose colours were multiplied with their alpha, as they were before."""
    alpha = values[..., colours : colours + 1].astype(np.float64)
    divided = values.copy()
    colour = values[..., :colours] * (alpha.max() / np.maximum(alpha, 1))
    divided[..., :colours] = np.minimum(np.rint(colour), np.iinfo(values.dtype).max)
    return divided


def to_8_bits(
    deep: DeepPixels, name: str, *, gamma: float = 1.0, common_bits: int = 0
) -> tuple[Image.Image, Image.Image | None, ReadingNotes]:
    """The colours as an image of mode L or RGB, the alpha (mode L) if there is one that is not all
    opaque, and what is said of both.

    gamma: an exponent for values as shares of their range. common_bits: as in `find_range`. Raises
    ImageError for numbers below 0 or above CONTAINER, which no rule brings to 8 bits.
    """
    colours = deep.values[..., : deep.colours]  # (H, W, 1 or 3)
    low = int(colours.min())
    high = int(colours.max())
    if low < 0 or high > CONTAINER:
        reason = f"holds {deep.bits}-bit integers from {low} to {high}"
        raise ImageError.of_file(name, f"{reason}; {_ADVICE}, from 0 to {CONTAINER} at most")
    promised = max(high, deep.at_least if deep.at_least < CONTAINER else 0)
    values = find_range(low, promised, declared=deep.declared, common_bits=common_bits)
    notes = list[ReadingNote]()
    if deep.declared is None and deep.bits > 8:
        notes.append(describe_range(values, deep.bits, high))
    values = replace(values, inverted=deep.inverted, gamma=gamma)
    pixels = values.to_8_bits(colours)
    image = Image.fromarray(pixels[..., 0] if deep.colours == 1 else pixels)
    bands = deep.values.shape[2]
    if bands > deep.colours + deep.alpha:
        notes.append(bands_note(bands, deep.colours))
    return image, _alpha_of(deep), tuple(notes)


def bands_note(bands: int, colours: int) -> ReadingNote:
    """What is said of bands that are not read."""
    done = "read by the first three" if colours == 3 else "read by the first"
    return ReadingNote("image-bands", f"with {bands} bands", done)


def _alpha_of(deep: DeepPixels) -> Image.Image | None:
    if deep.alpha:
        alpha = deep.values[..., deep.colours]
        eight = find_range(0, int(alpha.max())).to_8_bits(alpha)
    elif deep.opaque is not None:
        eight = np.where(deep.opaque, 255, 0).astype(np.uint8)
    else:
        return None
    return None if eight.min() == 255 else Image.fromarray(eight)


def _raw_mode(image: Image.Image) -> str:
    """How PIL would unpack an opened image's samples; empty where nothing is left to unpack."""
    tiles = getattr(image, "tile", ())
    if not tiles:
        return ""
    arguments = tiles[0][3]
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return str(first)


def _ppm_maximum(image: Image.Image) -> int:
    """The greatest value that a PGM or PPM file declares; 0 for other formats."""
    tiles = getattr(image, "tile", ())
    if image.format != "PPM" or not tiles:
        return 0
    arguments = tiles[0][3]
    if isinstance(arguments, tuple):
        return int(arguments[1]) if len(arguments) == 2 else 0
    return CONTAINER if arguments == "I;16B" else 255


def _read_ppm(image: Image.Image, data: bytes) -> DeepPixels:
    colours = len(image.getbands())
    maximum = _ppm_maximum(image)
    codec, _, start, _ = image.tile[0]  # type: ignore[attr-defined]
    count = image.width * image.height * colours
    if codec == "ppm_plain":
        lines = (line.partition(b"#")[0] for line in data[start:].splitlines())
        values = np.array(b" ".join(lines).split()[:count], np.int64)
    else:
        values = np.frombuffer(data, ">u2", min(count, (len(data) - start) // 2), start)
    if len(values) < count:
        raise OSError("image file is truncated")
    shape = (image.height, image.width, colours)
    declared = maximum if maximum < CONTAINER else None
    return DeepPixels(values.reshape(shape), colours, declared=declared)


def _read_png(image: Image.Image, data: bytes) -> DeepPixels:
    """Samples of several channels of 16 bits, of which PIL gives one byte at a time."""
    if _raw_mode(image).startswith("LA"):
        # four bytes of a pixel: two of grey, two of alpha
        pairs = _unpack(data, "RGBA").reshape(image.height, image.width, 2, 2)
        values = pairs[..., 0].astype(np.uint16) << 8 | pairs[..., 1]
    else:
        mode = image.mode
        upper = _unpack(data, f"{mode};16B")
        # taken for little-endian samples, what counts as their upper byte is the lower one
        values = upper.astype(np.uint16) << 8 | _unpack(data, f"{mode};16L")
    transparent = image.info.get("transparency")
    opaque = None if transparent is None else (values != np.array(transparent)).any(axis=2)
    return DeepPixels(
        values,
        3 if values.shape[2] >= 3 else 1,
        alpha=values.shape[2] in (2, 4),
        opaque=opaque,
        declared=_significant_maximum(data, int(values.max())),
    )


def _unpack(data: bytes, raw_mode: str) -> NDArray[np.uint8]:
    """The pixels of a PNG file with its bytes taken for those of another raw mode of PIL."""
    with open_header(data) as image:
        tile = image.tile[0]  # type: ignore[attr-defined]
        image.tile = [tile._replace(args=raw_mode)]  # type: ignore[attr-defined]
        return np.asarray(image)


def _read_grey(image: Image.Image, page: Page | None, data: bytes) -> DeepPixels:
    values = np.asarray(image)[..., None]
    if image.format == "PNG":
        transparent = image.info.get("transparency")
        opaque = None if transparent is None else values[..., 0] != transparent
        declared = _significant_maximum(data, int(values.max()))
        return DeepPixels(values, 1, opaque=opaque, declared=declared)
    if image.format == "JPEG2000":
        bits = jpeg2000_bits(data)
        # PIL shifts values up to fill 16 bits
        declared = 2**bits - 1 if bits < 16 else None
        return DeepPixels(values >> max(0, 16 - bits), 1, bits, declared=declared)
    if page is None:
        return DeepPixels(values, 1, 32 if image.mode == "I" else 16)
    if page.bits == 32 and not page.kind:
        values = values.astype(np.uint32)
    return DeepPixels(
        values,
        1,
        page.bits,
        declared=2**page.bits - 1 if page.bits < 16 else None,
        at_least=page.greatest_value,
        inverted=page.white_is_zero,
    )


def _significant_maximum(data: bytes, highest: int) -> int | None:
    """The greatest value of the bits that a PNG file's sBIT chunk declares; None where there is
    none, or values are scaled up to 16 bits as the standard demands.
    """
    position = _PNG_START
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        if kind == b"sBIT":
            declared = int(2 ** max(data[position + 8 : position + 8 + length], default=16) - 1)
            return declared if highest <= declared < CONTAINER else None
        if kind in (b"IDAT", b"IEND"):
            break
        position += 12 + length
    return None


def jpeg2000_bits(data: bytes) -> int:
    """Bits of a sample by the codestream's header; 8 where it is not found."""
    start = data.find(b"\xff\x4f\xff\x51", 0, 65_536)
    place = start + 42
    return (data[place] & 0x7F) + 1 if start >= 0 and place < len(data) else 8
