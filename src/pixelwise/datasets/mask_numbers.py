"""The numbers of a mask's picture: whole ones, whatever type they are stored in, without those that
the file itself calls no data.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.errors import ImageError

NODATA = -(2**31)
"""The raw value of pixels that the file itself says hold no data: void in every data set."""

SAVE_IDS = "save class ids as 8-bit grey or palette PNG"

# GDAL's tag of TIFF with the value of pixels without data, as text.
_NODATA_TAG = 42113

Raw = NDArray[Any]
"""(H, W) whole numbers of a mask, or colours packed to R * 65536 + G * 256 + B."""


def read_numbers(
    image: Image.Image,
    path: Path,
    nodata: float | None,
) -> Raw | None:
    """The numbers of a picture that holds numbers; None for one of colours."""
    if image.mode == "F":
        return _whole_numbers(np.asarray(image), path, nodata)
    # A palette's index is the class, never its colour: two classes may have one colour.
    if image.mode in ("1", "L", "P"):
        raw = np.asarray(image).astype(np.uint8, copy=False)
    elif image.mode == "I" or image.mode.startswith("I;16"):
        raw = np.asarray(image).astype(np.int64)
    elif image.mode in ("LA", "La", "PA"):
        return np.asarray(image)[:, :, 0]
    else:
        return None
    return _mark_nodata(raw, nodata)


def nodata_of(image: Image.Image) -> float | None:
    """The value of pixels without data, as GDAL writes it into a TIFF."""
    text = getattr(image, "tag_v2", {}).get(_NODATA_TAG)
    try:
        return None if text is None else float(str(text).strip("\0 "))
    except ValueError:
        return None


def _mark_nodata(raw: Raw, nodata: float | None) -> Raw:
    # 0 is the first class in masks, whatever a program took for its lack of data.
    if not nodata or (raw.dtype == np.uint8 and not 0 < nodata < 256):
        return raw
    without = raw == nodata
    return np.where(without, NODATA, raw.astype(np.int64)) if without.any() else raw


def _whole_numbers(
    numbers: NDArray[np.floating],
    path: Path,
    nodata: float | None,
) -> Raw:
    """Floating point numbers (H, W) as whole ones. Raises ImageError where they are not."""
    without = np.zeros(numbers.shape, bool)
    if nodata:
        single = np.float32(nodata)
        without = np.isnan(numbers) if np.isnan(single) else numbers == single
    whole = np.where(without, 0, numbers)
    wrong = ~(np.abs(whole) < -NODATA)  # true of NaN as well
    wrong |= whole != np.rint(whole)
    if wrong.any():
        raise _fraction_error(numbers, wrong, path)
    return np.where(without, NODATA, whole.astype(np.int64))


def _fraction_error(
    numbers: NDArray[np.floating],
    wrong: NDArray[np.bool_],
    path: Path,
) -> ImageError:
    row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    value = float(numbers[row, column])
    where = f"{value:g} in {int(wrong.sum())} pixels, the first at row {row}, column {column}"
    if np.isnan(value) or abs(value) >= -NODATA:
        way = f"gdal_edit.py -a_nodata {value:g}"
        reason = f"holds {where}, which is no class; write 255 there, or call it no data ({way})"
        return ImageError.of_file(path, reason)
    reason = f"holds floating point numbers that are not whole: {where}"
    return ImageError.of_file(path, reason, SAVE_IDS)
