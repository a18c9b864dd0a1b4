"""Masks on disk as raw values: whole numbers or packed colours, upright, with nothing yet known of
classes.
"""

import io
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.classes import Colour
from pixelwise.datasets.mask_numbers import NODATA, SAVE_IDS, Raw, nodata_of, read_numbers
from pixelwise.errors import ImageError
from pixelwise.io.arrays import NPY, array_to_mask
from pixelwise.io.decode_images import count_frames
from pixelwise.io.deep_pixels import read_deep_pixels
from pixelwise.io.open_images import (
    Array,
    apply_orientation,
    find_orientation,
    open_header,
    open_image,
    turn,
)
from pixelwise.io.tiff import find_page

Values = NDArray[np.int64]
# A grey level times this is its packed colour.
_GREY = 0x010101
# 255 * 257 is 65535: programs that save 8 bits as 16 multiply with that.
_WIDENED = 257
# Pillow's small letter means colours that are multiplied with their alpha.
_ALPHA_MODES = frozenset({"LA", "La", "RGBA", "RGBa", "PA"})
_BITS_TAG = 258
# Where a PNG's header says how many bits a channel has.
_PNG_BITS = 24
_COLOURED = frozenset({"RGB", "RGBA", "LA"})
_LOSSY = frozenset({"JPEG", "MPO"})
# Chunks of metadata may stand before that of the pixels.
_WEBP_HEADER = 4096


@dataclass(frozen=True)
class RawMask:
    """A mask's values, upright, and how they were stored.

    `rgb` says that it is a picture of colours; then `values` are packed, unless all are grey:
    then they are the grey levels and `coloured` is false. `in_alpha` says that the alpha channel
    was read, as nothing else is drawn. `alpha` is the alpha of a picture of one colour and one
    alpha. `widened` says that 8 bits were saved as 16, and are 8 again. `zero_is_nodata` says that
    the file calls 0 no data, `lossy` that its format changes values.
    """

    image: Image.Image
    values: Raw
    coloured: bool
    rgb: bool = False
    in_alpha: bool = False
    alpha: int | None = None
    widened: bool = False
    zero_is_nodata: bool = False
    lossy: bool = False

    def read_as(
        self,
        *,
        alpha: bool,
        grey_as_numbers: bool,
        by_palette: bool = False,
        instances: bool = False,
    ) -> tuple[Raw, bool]:
        """(values, whether they are packed colours) where a set's masks are drawn in alpha, hold
        colours of which some are greys, are read by the colours of their palettes, or hold an id
        for each object: then 1 for any of these.
        """
        if alpha and self.alpha is not None:
            return np.full(self.values.shape, self.alpha, np.uint8), False
        if instances:
            # What is below zero is no id.
            objects = self.values > 0
            narrow = self.values.dtype == np.uint8
            return objects.astype(np.uint8) if narrow else np.minimum(self.values, 1), False
        palette = palette_of(self.image) if by_palette else None
        if palette:
            return packed_palette(palette)[self.values], True
        grey_rgb = self.rgb and not self.coloured
        if grey_rgb and not grey_as_numbers:
            return self.values.astype(np.int64) * _GREY, True
        return self.values, self.coloured


def read_raw(path: Path) -> RawMask:
    """A mask as its numbers or packed colours, EXIF orientation applied.

    Grey stored as RGB counts as numbers; where only the alpha channel is drawn, it is read; 8 bits
    that were saved as 16 are 8 again; floating point numbers are read where they are whole; pixels
    of the file's own no-data value are NODATA unless that is 0. Raises ImageError for what cannot
    be read, for several pages, for fractions, and where transparent pixels hide a colour that
    others show.
    """
    image = _open(path)
    upright = _upright(image, path)
    nodata = nodata_of(image)
    raw = read_numbers(upright, path, nodata)
    rgb = raw is None
    coloured = False
    if raw is None:
        raw, coloured = _colours(upright)
    widened = image.mode.startswith("I;16") and _is_widened(raw)
    if widened:
        raw = np.where(raw == NODATA, NODATA, raw >> 8)
    mask = RawMask(
        image,
        _narrow(raw, coloured),
        coloured,
        rgb,
        widened=widened,
        zero_is_nodata=nodata == 0,
        lossy=_is_lossy(image, path),
    )
    alpha = _alpha(upright)
    return mask if alpha is None else _with_alpha(mask, alpha, path)


def _open(path: Path) -> Image.Image:
    """A mask's picture. Raises ImageError that tells what numbers it holds where these are why it
    cannot be read.
    """
    if path.suffix.lower() == NPY:
        return array_to_mask(path)
    try:
        image = open_image(path)
    except ImageError as error:
        samples = _describe_samples(path)
        if not samples:
            raise
        raise ImageError.of_file(path, f"holds {samples}, which are not read", SAVE_IDS) from error
    _check_pages(image, path)
    return image


def _describe_samples(path: Path) -> str:
    """The numbers of a TIFF in words, such as `64-bit whole numbers`; empty for any other file."""
    try:
        with path.open("rb") as file:
            page = find_page(file)
    except OSError:
        return ""
    if page is None:
        return ""
    kind = page.kind if "floating" in page.kind else "whole numbers"
    text = f"{page.bits}-bit {kind}"
    return text if page.bands == 1 else f"{text} in {page.bands} bands"


def _check_pages(image: Image.Image, path: Path) -> None:
    """Raise ImageError for several pages that are no smaller copies of the first."""
    # A GIF must be open to tell; the others know from their start.
    if image.format != "GIF" and not getattr(image, "is_animated", False):
        return
    with open_header(path) as header:
        pages = count_frames(header)
    if pages > 1:
        reason = f"holds {pages} pages, and nothing says which of them is the mask"
        raise ImageError.of_file(path, reason, "save the one that is, alone")


def _is_lossy(image: Image.Image, path: Path) -> bool:
    if image.format == "WEBP":
        with path.open("rb") as file:
            # The chunk of pictures without loss; those with it are called "VP8 ".
            return b"VP8L" not in file.read(_WEBP_HEADER)
    return image.format in _LOSSY


def _with_alpha(
    mask: RawMask,
    alpha: Array,
    path: Path,
) -> RawMask:
    # Labels in alpha lie below one colour everywhere; alpha beside several colours is only how
    # opaque they are.
    if not _is_uniform(mask.values):
        _check_hidden(mask, alpha, path)
        return mask
    if not _is_uniform(alpha):
        return replace(mask, values=alpha, coloured=False, rgb=False, in_alpha=True)
    # One colour and one alpha: the set's other masks say which of the two counts.
    return replace(mask, alpha=int(alpha.flat[0]))


def _check_hidden(
    mask: RawMask,
    alpha: Array,
    path: Path,
) -> None:
    """Raise ImageError where a colour is seen in some pixels and is wholly transparent in others:
    these are of another class, or of none.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return
    both = np.intersect1d(mask.values[hidden], mask.values[~hidden])
    if len(both):
        value = int(both[0])
        colour = f"colour {unpack(value)}" if mask.coloured else f"value {value}"
        reason = f"{colour} is seen in some pixels and transparent in others"
        advice = "give transparent pixels a colour of their own, and save it without alpha"
        raise ImageError.of_file(path, reason, advice)


def read_matte(path: Path) -> RawMask:
    """An alpha matte: its alpha channel unless that is opaque everywhere, else its grey levels; of
    16 bits the upper 8. Raises ImageError for 32-bit numbers.
    """
    image = open_image(path)
    upright = apply_orientation(image)
    if image.mode in ("I", "F"):
        advice = "save it as 8-bit grey, 0 outside and 255 inside"
        raise ImageError.of_file(path, f"a matte of mode {image.mode}", advice)
    if image.mode.startswith("I;16"):
        upper = np.asarray(upright) >> 8
        return RawMask(image, upper.astype(np.uint8), coloured=False)
    lossy = _is_lossy(image, path)
    alpha = _alpha(upright) if upright.mode != "PA" else None
    raw, coloured = _colours(upright)
    if alpha is not None and (coloured or alpha.min() < 255):
        return RawMask(image, alpha, coloured=False, lossy=lossy)
    rgb = upright.mode == "RGB"
    return RawMask(image, _narrow(raw, coloured), coloured, rgb, lossy=lossy)


def pack(colours: Array) -> Values:
    """Colours (..., 3) uint8 as whole numbers R * 65536 + G * 256 + B (...)."""
    wide = colours.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def pack_colour(colour: Colour) -> int:
    """One colour as a whole number."""
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def unpack(packed: int) -> Colour:
    """The colour of a packed number."""
    return packed >> 16, packed >> 8 & 255, packed & 255


def palette_of(image: Image.Image) -> tuple[Colour, ...] | None:
    """The colours of a picture of mode P."""
    flat = image.getpalette("RGB") if image.mode == "P" else None
    return _colours_of(bytes(flat)) if flat else None


# Cached: thousands of masks share one palette, and hold it once.
@lru_cache(maxsize=64)
def _colours_of(flat: bytes) -> tuple[Colour, ...]:
    colours = []
    for start in range(0, len(flat) - 2, 3):
        red, green, blue = flat[start : start + 3]
        colours.append((red, green, blue))
    return tuple(colours)


@lru_cache(maxsize=64)
def packed_palette(palette: tuple[Colour, ...]) -> Values:
    """(256,) the packed colour of each index; of those beyond the palette no colour, -1."""
    packed = np.full(256, -1, np.int64)
    packed[: len(palette)] = [pack_colour(colour) for colour in palette]
    return packed


def _upright(image: Image.Image, path: Path) -> Image.Image:
    """The picture turned upright; of colours of 16 bits, of which PIL keeps the upper 8, those that
    were widened from 8, or are no more than 8. Raises ImageError for others.
    """
    if image.mode not in _COLOURED or _bits(image, path) != 16:
        return apply_orientation(image)
    data = path.read_bytes()
    page = find_page(io.BytesIO(data)) if image.format == "TIFF" else None
    with open_header(data) as header:
        values = read_deep_pixels(header, page, data, str(path)).values  # (H, W, bands)
    if values.max() > 255:
        if (values % _WIDENED).any():
            reason = "holds colours of 16 bits that are none of 8 bits"
            raise ImageError.of_file(path, reason, "save it with 8 bits a channel")
        values = values // _WIDENED
    orientation = page.orientation if page else find_orientation(image)
    return turn(Image.fromarray(values.astype(np.uint8)), orientation)


def _bits(image: Image.Image, path: Path) -> int:
    """The bits of a channel in the file."""
    if image.format == "PNG":
        with path.open("rb") as file:
            return file.read(_PNG_BITS + 1)[_PNG_BITS]
    bits = getattr(image, "tag_v2", {}).get(_BITS_TAG, 8)
    return int(bits[0] if isinstance(bits, tuple) else bits)


def _colours(image: Image.Image) -> tuple[Raw, bool]:
    """Packed colours and True, or grey levels and False where red, green and blue are alike."""
    rgb = np.asarray(image.convert("RGB"))
    red = rgb[..., 0]
    green = rgb[..., 1]
    blue = rgb[..., 2]
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return np.ascontiguousarray(red), False
    return pack(rgb), True


def _is_widened(raw: Raw) -> bool:
    # A mask of 0 alone is no evidence, and its own values are right.
    return int(raw.max()) > 255 and not (raw[raw != NODATA] % _WIDENED).any()


def _is_uniform(raw: Raw) -> bool:
    return bool((raw == raw.flat[0]).all())


def _alpha(image: Image.Image) -> Array | None:
    """(H, W) the alpha channel."""
    if image.mode not in _ALPHA_MODES:
        return None
    band = "A" if "A" in image.getbands() else "a"
    return np.asarray(image.getchannel(band))


def _narrow(raw: Raw, coloured: bool) -> Raw:
    """As uint8 where it fits, which is several times as quick to count."""
    if coloured or raw.dtype == np.uint8:
        return raw
    fits = raw.min() >= 0 and raw.max() < 256
    return raw.astype(np.uint8) if fits else raw
