"""NumPy files as arrays of bands, and as PIL's images where these can hold them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.errors import ImageError

NPY = ".npy"

# Bands of a photo, and of a mask in colours.
_COLOURS = (1, 3)

# Whole numbers that PIL holds.
_WIDE = np.iinfo(np.int32)


def open_array(path: Path) -> NDArray[Any]:
    """(bands, H, W) of a NumPy file, not read yet. Raises ImageError."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise ImageError.of_file(path, "no such file") from error
    except (OSError, ValueError, EOFError) as error:
        raise ImageError.of_file(path, f"cannot be read as a NumPy array ({error})") from error
    if not isinstance(array, np.ndarray) or array.ndim not in (2, 3) or not array.size:
        shape = getattr(array, "shape", "")
        reason = f"is an array of the shape {shape}"
        raise ImageError.of_file(path, reason, "save (height, width) or (height, width, bands)")
    if array.ndim == 2:
        return array[None]
    first, middle, last = array.shape
    if last < min(first, middle):
        return array.transpose(2, 0, 1)
    if first < min(middle, last):
        return array
    reason = f"is an array of the shape {array.shape}, of which no axis is sure to be the bands"
    raise ImageError.of_file(path, reason, "save it as TIFF, or (height, width, bands)")


def is_photo_array(kind: str, bands: int) -> bool:
    """Whether an array of so many bands of NumPy's type `kind` is read as grey or RGB."""
    return kind in ("uint8", "bool") and bands in _COLOURS


def array_to_photo(path: Path) -> Image.Image:
    """The picture of grey or RGB of 8 bits in a NumPy file. Raises ImageError for another."""
    array = open_array(path)
    kind = array.dtype.name
    if not is_photo_array(kind, len(array)):
        reason = f"is an array of {len(array)} {'band' if len(array) == 1 else 'bands'} of {kind}"
        advice = "train a model on such files, which reads them, or save grey or RGB of 8 bits"
        raise ImageError.of_file(path, reason, advice)
    pixels = np.array(array, np.uint8) * (255 if kind == "bool" else 1)
    return _to_image(pixels)


def array_to_mask(path: Path) -> Image.Image:
    """The picture of the numbers in a NumPy file, or of its colours. Raises ImageError for numbers
    that no mask has.
    """
    array = open_array(path)
    kind = array.dtype
    if len(array) not in _COLOURS or (len(array) > 1 and kind != np.uint8):
        reason = f"is an array of {len(array)} bands of {kind}"
        advice = "save class ids (height, width), or colours (height, width, 3) of uint8"
        raise ImageError.of_file(path, reason, advice)
    if kind.kind == "f":
        return _to_image(np.asarray(array, np.float32))
    low = int(array.min())
    high = int(array.max())
    if kind.kind not in "uib" or low < _WIDE.min or high > _WIDE.max:
        reason = f"holds {kind} from {low} to {high}"
        raise ImageError.of_file(path, reason, "save class ids as uint8")
    is_small = low >= 0 and high <= np.iinfo(np.uint8).max
    return _to_image(np.array(array, np.uint8 if is_small else np.int32))


def _to_image(bands: NDArray[Any]) -> Image.Image:
    is_grey = len(bands) == 1
    return Image.fromarray(bands[0] if is_grey else np.ascontiguousarray(bands.transpose(1, 2, 0)))
