"""Masks on disk to raw values, and raw values to labels: class ids 0..C-1 and 255 for void. Nothing
outside the declared values passes.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.classes import VOID, Colour
from pixelwise.errors import ConfigError, ImageError
from pixelwise.io.images import Array, apply_orientation, open_image

Values = NDArray[np.int64]
Raw = NDArray[Any]
"""(H, W) whole numbers of a mask, or colours packed to R * 65536 + G * 256 + B."""

ILLEGAL = -1

# Values or colours that an error lists: a message is read, not searched.
_MAX_SHOWN = 12
# A grey level times this is its packed colour.
_GREY = 0x010101
# 255 * 257 is 65535: programs that save 8 bits as 16 multiply with that.
_WIDENED = 257
# Pillow's small letter means colours that are multiplied with their alpha.
_ALPHA_MODES = frozenset({"LA", "La", "RGBA", "RGBa", "PA"})


class LabelError(ImageError):
    """A mask holds a value or colour that is no class. Never skipped: a wrong label must not be
    hidden.
    """


@dataclass(frozen=True)
class RawMask:
    """A mask's values, upright, and how they were stored.

    `rgb` says that it is a picture of colours; then `values` are packed, unless all are grey:
    then they are the grey levels and `coloured` is false. `in_alpha` says that the alpha channel
    was read, as nothing else is drawn. `alpha` is the alpha of a picture of one colour and one
    alpha. `widened` says that 8 bits were saved as 16, and are 8 again.
    """

    image: Image.Image
    values: Raw
    coloured: bool
    rgb: bool = False
    in_alpha: bool = False
    alpha: int | None = None
    widened: bool = False

    def read_as(
        self,
        *,
        alpha: bool,
        grey_as_numbers: bool,
    ) -> tuple[Raw, bool]:
        """(values, whether they are packed colours) where a set's masks are drawn in alpha, or
        hold colours of which some are greys.
        """
        if alpha and self.alpha is not None:
            return np.full(self.values.shape, self.alpha, np.uint8), False
        grey_rgb = self.rgb and not self.coloured
        if grey_rgb and not grey_as_numbers:
            return self.values.astype(np.int64) * _GREY, True
        return self.values, self.coloured


@dataclass(frozen=True)
class LabelReader:
    """Reads a mask whose classes are written as numbers or as exact colours.

    `lut` has 256 entries: raw value -> class id, 255 for void or -1 for illegal. It serves grey,
    16-bit, 1-bit and palette masks (by index, never by colour). RGB masks are read by `colours`
    (class id by position) and `void_colours`; where no colours are known, or with
    `grey_as_numbers`, those of R = G = B everywhere are read as numbers. With `alpha`, masks of one
    colour are read by their alpha channel even where it is the same everywhere.
    """

    classes: int
    lut: tuple[int, ...]
    colours: tuple[Colour, ...] = ()
    void_colours: tuple[Colour, ...] = ()
    grey_as_numbers: bool = False
    alpha: bool = False

    def __post_init__(self) -> None:
        if len(self.lut) != 256:
            raise ConfigError(f"lut has {len(self.lut)} entries; give 256, one for each raw value")

    def __call__(self, path: Path) -> Array:
        """Labels (H, W) uint8, EXIF orientation applied. Raises LabelError for illegal values, else
        ImageError.
        """
        mask = read_raw(path)
        raw, coloured = mask.read_as(
            alpha=self.alpha, grey_as_numbers=self.grey_as_numbers or not self.colours
        )
        if coloured and not self.colours:
            raise _colour_error(path, raw)
        if not coloured:
            labels = _look_up(raw, self.lut)
            if labels is not None:
                return labels
        if coloured:
            values, ids = _colour_table(self.colours, self.void_colours)
        else:
            values, ids = _index_table(self.lut)
        # searchsorted finds where a value would stand; an illegal one may stand behind the last.
        positions = np.minimum(np.searchsorted(values, raw), len(values) - 1)  # (H, W)
        wrong = values[positions] != raw
        if wrong.any():
            void = ids == VOID
            raise _label_error(
                path,
                raw,
                wrong,
                coloured,
                values[~void],
                values[void],
            )
        return ids[positions]


@dataclass(frozen=True)
class MatteReader:
    """Reads an 8-bit alpha matte: alpha of `threshold` (1..255) or more is class 1, the rest class
    0.
    """

    threshold: int = 128

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= 255:
            raise ConfigError(
                f"matte threshold {self.threshold}: choose an alpha from 1 to 255, such as 128"
            )

    def __call__(self, path: Path) -> Array:
        """Labels (H, W) uint8 of 0 and 1, EXIF orientation applied. Raises ImageError for a matte
        in colours.
        """
        mask = read_matte(path)
        if mask.coloured:
            row, column, colour = _first_colour(mask.values)
            reason = f"a matte must be grey, but is {colour} at row {row}, column {column}"
            advice = "save it as 8-bit grey, 0 outside and 255 inside"
            raise ImageError.of_file(path, reason, advice)
        return (mask.values >= self.threshold).astype(np.uint8)


def index_lut(classes: int, void: tuple[int, ...] = (VOID,)) -> tuple[int, ...]:
    """The lut of masks that hold class ids: 0..C-1 as they are, `void` values as void, all else
    illegal.
    """
    lut = []
    for raw in range(256):
        if raw in void:
            lut.append(VOID)
        elif raw < classes:
            lut.append(raw)
        else:
            lut.append(ILLEGAL)
    return tuple(lut)


def read_raw(path: Path) -> RawMask:
    """A mask as its numbers or packed colours, EXIF orientation applied.

    Grey stored as RGB counts as numbers; where only the alpha channel is drawn, it is read; 8 bits
    that were saved as 16 are 8 again. Raises ImageError for what cannot be read and for floating
    point masks.
    """
    image = open_image(path)
    upright = apply_orientation(image)
    raw = _numbers(upright, path)
    rgb = raw is None
    coloured = False
    if raw is None:
        raw, coloured = _colours(upright)
    widened = image.mode.startswith("I;16") and _is_widened(raw)
    if widened:
        raw = raw >> 8
    alpha = _alpha(upright)
    # Labels in alpha lie below one colour everywhere; alpha beside several colours is only how
    # opaque they are.
    if alpha is None or not _is_uniform(raw):
        return RawMask(
            image,
            _narrow(raw, coloured),
            coloured,
            rgb,
            widened=widened,
        )
    if not _is_uniform(alpha):
        return RawMask(
            image,
            alpha,
            coloured=False,
            in_alpha=True,
            widened=widened,
        )
    # One colour and one alpha: the set's other masks say which of the two counts.
    return RawMask(
        image, _narrow(raw, coloured), coloured, rgb, alpha=int(alpha.flat[0]), widened=widened
    )


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
    alpha = _alpha(upright) if upright.mode != "PA" else None
    raw, coloured = _colours(upright)
    if alpha is not None and (coloured or alpha.min() < 255):
        return RawMask(image, alpha, coloured=False)
    return RawMask(image, _narrow(raw, coloured), coloured, rgb=upright.mode == "RGB")


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


def _numbers(image: Image.Image, path: Path) -> Raw | None:
    """The numbers of a picture that holds numbers; None for one of colours."""
    if image.mode == "F":
        reason = "holds floating point numbers (mode F)"
        raise ImageError.of_file(path, reason, "save class ids as 8-bit grey or palette PNG")
    # A palette's index is the class, never its colour: two classes may have one colour.
    if image.mode in ("1", "L", "P"):
        return np.asarray(image).astype(np.uint8, copy=False)
    if image.mode == "I" or image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.int64)
    if image.mode in ("LA", "La", "PA"):
        return np.asarray(image)[:, :, 0]
    return None


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
    return int(raw.max()) > 255 and not (raw % _WIDENED).any()


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


def _look_up(raw: Raw, lut: tuple[int, ...]) -> Array | None:
    """Labels of 8-bit values, several times as quick as a search; None where one is illegal."""
    if raw.dtype != np.uint8:
        return None
    labels = _lut_array(lut)[raw]
    if (labels < 0).any():
        return None
    return labels.astype(np.uint8)


@lru_cache(maxsize=16)
def _lut_array(lut: tuple[int, ...]) -> NDArray[np.int16]:
    return np.array(lut, np.int16)


@lru_cache(maxsize=16)
def _index_table(lut: tuple[int, ...]) -> tuple[Values, Array]:
    """The legal raw values, sorted, and the label of each."""
    legal = [raw for raw in range(256) if lut[raw] != ILLEGAL]
    labels = [lut[raw] for raw in legal]
    return np.array(legal, np.int64), np.array(labels, np.uint8)


@lru_cache(maxsize=16)
def _colour_table(colours: tuple[Colour, ...], void: tuple[Colour, ...]) -> tuple[Values, Array]:
    """The legal packed colours, sorted, and the label of each; a class's colour goes before
    void's.
    """
    label_of = {pack_colour(colour): VOID for colour in void}
    for label, colour in enumerate(colours):
        label_of[pack_colour(colour)] = label
    legal = sorted(label_of)
    labels = [label_of[packed] for packed in legal]
    return np.array(legal, np.int64), np.array(labels, np.uint8)


def _first_colour(packed: Raw) -> tuple[int, int, Colour]:
    """(row, column, colour) of the first pixel that is not grey."""
    grey = packed == (packed & 255) * _GREY
    row, column = np.argwhere(~grey)[0]
    return int(row), int(column), unpack(int(packed[row, column]))


def _colour_error(path: Path, raw: Raw) -> LabelError:
    row, column, colour = _first_colour(raw)
    reason = (
        f"is in colours, the first {colour} at row {row}, column {column}, "
        "but no colours of classes are known"
    )
    advice = "save class ids, or list the colours in classes.csv (name,r,g,b)"
    return LabelError(f"{path}: {reason}; {advice}", reason=reason)


def _label_error(
    path: Path,
    raw: Raw,
    wrong: NDArray[np.bool_],
    coloured: bool,
    legal: Values,
    void: Values,
) -> LabelError:
    """The error that names the first wrong pixel, and what is allowed."""
    row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    value = int(raw[row, column])
    pixels = int((raw == value).sum())
    wrong_values = len(np.unique(raw[wrong]))
    what = f"colour {unpack(value)}" if coloured else f"value {value}"
    plural = "s" if pixels > 1 else ""
    reason = (
        f"{what} in {pixels} pixel{plural}, the first at row {row}, column {column}, is no class"
    )
    if wrong_values > 1:
        reason += f" (one of {wrong_values} wrong values)"
    name_values = _name_colours if coloured else _name_ranges
    allowed = name_values(legal)
    if len(void):
        allowed += f", and for void {name_values(void)}"
    advice = f"allowed are {allowed}; correct the mask or declare the class"
    return LabelError(f"{path}: {reason}; {advice}", reason=reason)


def _name_colours(packed: Values) -> str:
    names = [str(unpack(int(colour))) for colour in packed[:_MAX_SHOWN]]
    text = ", ".join(names)
    if len(packed) > _MAX_SHOWN:
        text += f" and {len(packed) - _MAX_SHOWN} more"
    return text


def _name_ranges(values: Values) -> str:
    """1, 2, 3, 7 as '1 to 3, 7'."""
    breaks = np.flatnonzero(np.diff(values) > 1) + 1
    ranges = []
    for run in np.split(values, breaks):
        if len(run) == 1:
            ranges.append(str(run[0]))
        elif len(run):
            ranges.append(f"{run[0]} to {run[-1]}")
    return ", ".join(ranges)
