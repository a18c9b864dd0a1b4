"""Masks on disk to raw values, and raw values to labels: class ids 0..C-1 and 255 for void. Nothing
outside the declared values passes.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Colour
from pixelwise.datasets.mask_numbers import NODATA, Raw
from pixelwise.datasets.raw_mask import RawMask, Values, pack_colour, read_matte, read_raw, unpack
from pixelwise.errors import ConfigError, ImageError
from pixelwise.io.images import Array

Table = tuple[tuple[int, int], ...]
"""(raw value or packed colour, class id or VOID), sorted."""

ILLEGAL = -1
NOISE = 24
"""By this much a lossy format may change a value inside an area: ids that lie closer cannot be told
from noise.
"""

# Values or colours that an error lists: a message is read, not searched.
_MAX_SHOWN = 12
# A grey level times this is its packed colour.
_GREY = 0x010101


class LabelError(ImageError):
    """A mask holds a value or colour that is no class. Never skipped: a wrong label must not be
    hidden.
    """


@dataclass(frozen=True)
class LabelReader:
    """Reads a mask whose classes are written as numbers or as exact colours.

    `lut` has 256 entries: raw value -> class id, 255 for void or -1 for illegal. It serves grey,
    16-bit, 1-bit and palette masks (by index, never by colour). RGB masks are read by `colours`
    (class id by position) and `void_colours`; where no colours are known, or with
    `grey_as_numbers`, those of R = G = B everywhere are read as numbers. With `alpha`, masks of one
    colour are read by their alpha channel even where it is the same everywhere. `further` are
    labels of raw values outside 0 to 255, NODATA among them. With `by_palette`, palette masks are
    read by colour after all; with `instances`, every value above 0 counts as 1. `declarable` says
    that the user may declare what values mean.
    """

    classes: int
    lut: tuple[int, ...]
    colours: tuple[Colour, ...] = ()
    void_colours: tuple[Colour, ...] = ()
    grey_as_numbers: bool = False
    alpha: bool = False
    further: Table = ((NODATA, VOID),)
    by_palette: bool = False
    instances: bool = False
    declarable: bool = False

    def __post_init__(self) -> None:
        if len(self.lut) != 256:
            raise ConfigError(f"lut has {len(self.lut)} entries; give 256, one for each raw value")

    def __call__(self, path: Path) -> Array:
        """Labels (H, W) uint8, EXIF orientation applied. Raises LabelError for illegal values, else
        ImageError.
        """
        mask = read_raw(path)
        raw, coloured = mask.read_as(
            alpha=self.alpha,
            grey_as_numbers=self.grey_as_numbers or not self.colours,
            by_palette=self.by_palette,
            instances=self.instances,
        )
        if mask.lossy and not coloured and _closest(self.lut) <= NOISE and raw.min() < raw.max():
            raise _lossy_error(path, mask)
        if coloured and not self.colours:
            raise _colour_error(path, raw)
        if not coloured:
            labels = _look_up(raw, self.lut)
            if labels is not None:
                return labels
        if coloured:
            values, ids = _colour_table(self.colours, self.void_colours)
        else:
            values, ids = _index_table(self.lut, self.further)
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
                values[void & (values != NODATA)],
                declarable=self.declarable,
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
        return (self.alpha(path) >= self.threshold).astype(np.uint8)

    def alpha(self, path: Path) -> Array:
        """Alpha (H, W) uint8. Raises ImageError as `__call__`."""
        mask = read_matte(path)
        if mask.coloured:
            row, column, colour = _first_colour(mask.values)
            reason = f"a matte must be grey, but is {colour} at row {row}, column {column}"
            advice = "save it as 8-bit grey, 0 outside and 255 inside"
            raise ImageError.of_file(path, reason, advice)
        return mask.values.astype(np.uint8)


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


def _look_up(raw: Raw, lut: tuple[int, ...]) -> Array | None:
    """Labels of 8-bit values, several times as quick as a search; None where one is illegal."""
    if raw.dtype != np.uint8:
        return None
    labels = _lut_array(lut)[raw]
    if (labels < 0).any():
        return None
    return labels.astype(np.uint8)


@lru_cache(maxsize=16)
def _closest(lut: tuple[int, ...]) -> int:
    """The least distance of two classes' values."""
    raws = [raw for raw, label in enumerate(lut) if label not in (ILLEGAL, VOID)]
    return min((higher - lower for lower, higher in pairwise(raws)), default=VOID)


@lru_cache(maxsize=16)
def _lut_array(lut: tuple[int, ...]) -> NDArray[np.int16]:
    return np.array(lut, np.int16)


@lru_cache(maxsize=16)
def _index_table(lut: tuple[int, ...], further: Table) -> tuple[Values, Array]:
    """The legal raw values, sorted, and the label of each."""
    label_of = {raw: label for raw, label in enumerate(lut) if label != ILLEGAL} | dict(further)
    legal = sorted(label_of)
    labels = [label_of[raw] for raw in legal]
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


def _lossy_error(path: Path, mask: RawMask) -> LabelError:
    reason = f"is {mask.image.format}, which changes class ids"
    return LabelError.of_file(path, reason, "export the masks again, as PNG")


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
    *,
    declarable: bool,
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
    if declarable:
        advice = f"allowed are {allowed}; {describe_ways(value, coloured)}"
    return LabelError(f"{path}: {reason}; {advice}", reason=reason)


def describe_ways(value: int, coloured: bool) -> str:
    """What the user of a plain folder can do about a value of no meaning."""
    files = "classes.txt or classes.json"
    void = f'{{"id": {value}, "name": "void"}} if it is void'
    if coloured:
        files = "classes.csv (name,r,g,b)"
        void = f"void,{','.join(map(str, unpack(value)))} if it is void"
    return (
        f"correct the mask, declare the classes in {files} ({void}), or write a repaired copy with "
        "`pixelwise check --fix`"
    )


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
