"""Masks on disk to labels: class ids 0..C-1 and 255 for void. Nothing outside the declared values
passes.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.classes import VOID, Colour
from pixelwise.errors import ConfigError, DataError, ImageError
from pixelwise.io.images import Array, apply_orientation, open_image

Values = NDArray[np.int64]

ILLEGAL = -1
_SHOWN = 12


class LabelError(ImageError):
    """A mask holds a value or colour that is no class. Never skipped: a wrong label must not be
    hidden.
    """


@dataclass(frozen=True)
class LabelReader:
    """Reads a mask whose classes are written as numbers or as exact colours.

    `lut` has 256 entries: raw value -> class id, 255 for void or -1 for illegal. It serves grey,
    16-bit, 1-bit and palette masks (by index, never by colour). RGB masks are read by `colours`
    (class id by position) and `void_colours`; where no colours are known and R = G = B everywhere,
    as grey.
    """

    classes: int
    lut: tuple[int, ...]
    colours: tuple[Colour, ...] = ()
    void_colours: tuple[Colour, ...] = ()

    def __post_init__(self) -> None:
        if len(self.lut) != 256:
            raise ConfigError(f"lut has {len(self.lut)} entries; give 256, one for each raw value")

    def __call__(self, path: Path) -> Array:
        """Labels (H, W) uint8, EXIF orientation applied. Raises LabelError for illegal values, else
        ImageError.
        """
        raw, coloured = read_raw(path)
        if coloured and not self.colours:
            raw = _grey(raw, path)
            coloured = False
        values, ids = (
            _colour_table(self.colours, self.void_colours) if coloured else _index_table(self.lut)
        )
        place = np.minimum(np.searchsorted(values, raw), len(values) - 1)  # (H, W)
        wrong = values[place] != raw
        if wrong.any():
            raise _label_error(path, raw, wrong, coloured, values[ids != VOID], values[ids == VOID])
        return ids[place]


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
        return (_alpha(path) >= self.threshold).astype(np.uint8)


@dataclass(frozen=True)
class MaskScan:
    """What a set of masks holds, to find out how its classes are written.

    `values` are those of grey and palette masks, and of RGB masks when all of these are grey; else
    `colours` are those of the RGB masks, packed. `grey` and `coloured` are the first mask of either
    kind, `palette` is the longest found.
    """

    values: frozenset[int]
    colours: frozenset[int]
    palette: tuple[Colour, ...] | None
    files: int
    grey: Path | None
    coloured: Path | None


def scan_masks(masks: Sequence[Path]) -> MaskScan:
    """Look at every mask. Those that cannot be read are passed over; DataError when none can."""
    values: set[int] = set()
    colours: set[int] = set()
    palette: tuple[Colour, ...] = ()
    grey = None
    coloured = None
    files = 0
    with ThreadPoolExecutor(2) as pool:
        for path, found in zip(masks, pool.map(_look, masks), strict=True):
            if found is None:
                continue
            files += 1
            (colours if found[1] else values).update(int(value) for value in found[0])
            coloured = path if found[1] and coloured is None and not is_grey(found[0]) else coloured
            grey = path if not found[1] and grey is None else grey
            palette = max(
                palette, found[2] or (), key=len
            )  # a PNG may keep only the colours it uses
    if not files:
        raise DataError(
            f"none of the {len(masks)} masks can be read as an image, such as {masks[0]}; "
            "replace them"
        )
    if coloured is None:
        values |= {colour & 255 for colour in colours}
    return MaskScan(
        frozenset(values),
        frozenset(colours if coloured else ()),
        palette or None,
        files,
        grey,
        coloured,
    )


def index_lut(classes: int, void: tuple[int, ...] = (VOID,)) -> tuple[int, ...]:
    """The lut of masks that hold class ids: 0..C-1 as they are, `void` values as void, all else
    illegal.
    """
    return tuple(VOID if raw in void else raw if raw < classes else ILLEGAL for raw in range(256))


def _palette(image: Image.Image) -> tuple[Colour, ...] | None:
    flat = image.getpalette("RGB") if image.mode == "P" else None
    if not flat:
        return None
    return tuple((flat[at], flat[at + 1], flat[at + 2]) for at in range(0, len(flat) - 2, 3))


def read_raw(path: Path) -> tuple[Values, bool]:
    """(raw, coloured): a mask (H, W) as its numbers, or as colours packed to R * 65536 + G * 256 +
    B.

    EXIF orientation is applied. Raises ImageError for what cannot be read and for floating point
    masks.
    """
    return raw_of(_upright(path), path)


def raw_of(image: Image.Image, path: Path) -> tuple[Values, bool]:
    """As `read_raw`, of a picture that is open already and upright."""
    if image.mode == "F":
        raise ImageError(
            f"{path}: holds floating point numbers (mode F); save class ids as 8-bit grey or "
            "palette PNG"
        )
    if image.mode in ("1", "L", "P", "I") or image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.int64), False
    if image.mode in ("LA", "La", "PA"):
        return np.asarray(image)[:, :, 0].astype(np.int64), False
    return pack(np.asarray(image.convert("RGB"))), True


def pack(colours: Array) -> Values:
    """Colours (..., 3) uint8 as whole numbers R * 65536 + G * 256 + B (...)."""
    wide = colours.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def unpack(packed: int) -> Colour:
    """The colour of a packed number."""
    return packed >> 16, packed >> 8 & 255, packed & 255


def is_grey(raw: Values) -> bool:
    """Whether all packed colours have R = G = B."""
    return bool(np.all(raw == (raw & 255) * 0x010101))


def _look(path: Path) -> tuple[Values, bool, tuple[Colour, ...] | None] | None:
    """The distinct values of a mask, whether they are colours, and its palette; None when it cannot
    be read.
    """
    try:
        image = _upright(path)
        raw, coloured = raw_of(image, path)
        flat = raw.ravel()
        starts = np.flatnonzero(
            np.diff(flat, prepend=flat[0] - 1)
        )  # runs are long, so few values are left to sort
        return np.unique(flat[starts]), coloured, _palette(image)
    except ImageError:
        return None


def _upright(path: Path) -> Image.Image:
    return apply_orientation(open_image(path))


def _grey(raw: Values, path: Path) -> Values:
    if not is_grey(raw):
        row, column = np.argwhere(raw != (raw & 255) * 0x010101)[0]
        raise LabelError(
            f"{path}: is in colours, the first {unpack(int(raw[row, column]))} at row {row}, "
            f"column {column}, "
            "but no colours of classes are known; save class ids, or list the colours in "
            "classes.csv (name,r,g,b)"
        )
    return raw & 255


def _alpha(path: Path) -> Values:
    """(H, W) alpha 0..255 of a matte."""
    image = _upright(path)
    if image.mode in ("LA", "La", "RGBA", "RGBa"):
        alpha = np.asarray(image.getchannel(image.getbands()[-1])).astype(np.int64)
        opaque = pack(np.asarray(image.convert("RGB"))) if alpha.min() == 255 else None
        return alpha if opaque is None or not is_grey(opaque) else opaque & 255
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.int64) >> 8
    if image.mode in ("I", "F"):
        raise ImageError(
            f"{path}: a matte of mode {image.mode}; save it as 8-bit grey, 0 outside and 255 inside"
        )
    packed = pack(np.asarray(image.convert("RGB")))
    if not is_grey(packed):
        row, column = np.argwhere(packed != (packed & 255) * 0x010101)[0]
        raise ImageError(
            f"{path}: a matte must be grey, but is {unpack(int(packed[row, column]))} at row "
            f"{row}, column {column}; "
            "save it as 8-bit grey, 0 outside and 255 inside"
        )
    return packed & 255


@lru_cache(maxsize=16)
def _index_table(lut: tuple[int, ...]) -> tuple[Values, Array]:
    """The legal raw values, sorted, and the label of each."""
    legal = [raw for raw in range(256) if lut[raw] != ILLEGAL]
    return np.array(legal, np.int64), np.array([lut[raw] for raw in legal], np.uint8)


@lru_cache(maxsize=16)
def _colour_table(colours: tuple[Colour, ...], void: tuple[Colour, ...]) -> tuple[Values, Array]:
    """The legal packed colours, sorted, and the label of each; a class's colour goes before
    void's.
    """
    known = {(r << 16 | g << 8 | b): VOID for r, g, b in void}
    known.update({(r << 16 | g << 8 | b): label for label, (r, g, b) in enumerate(colours)})
    legal = sorted(known)
    return np.array(legal, np.int64), np.array([known[packed] for packed in legal], np.uint8)


def _label_error(
    path: Path, raw: Values, wrong: NDArray[np.bool_], coloured: bool, legal: Values, void: Values
) -> LabelError:
    row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    value = int(raw[row, column])
    what = f"colour {unpack(value)}" if coloured else f"value {value}"
    pixels = int((raw == value).sum())
    others = len(np.unique(raw[wrong])) - 1
    allowed = _colours(legal) if coloured else _ranges(legal)
    if len(void):
        allowed += f", and for void {_colours(void) if coloured else _ranges(void)}"
    return LabelError(
        f"{path}: {what} in {pixels} pixel{'s' * (pixels > 1)}, the first at row {row}, "
        f"column {column}, is no class"
        + (f" (one of {others + 1} wrong values)" if others else "")
        + f"; allowed are {allowed}; correct the mask or declare the class"
    )


def _colours(packed: Values) -> str:
    more = f" and {len(packed) - _SHOWN} more" if len(packed) > _SHOWN else ""
    return ", ".join(str(unpack(int(colour))) for colour in packed[:_SHOWN]) + more


def _ranges(values: Values) -> str:
    """1, 2, 3, 7 as '1 to 3, 7'."""
    breaks = np.flatnonzero(np.diff(values) > 1) + 1
    runs = [run for run in np.split(values, breaks) if len(run)]
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
