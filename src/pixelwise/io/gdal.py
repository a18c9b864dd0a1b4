"""The door to rasterio (extra `raster`), behind which GDAL reads and writes, and what its errors
become.
"""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ImageError, first_line
from pixelwise.io.transparency import is_opacity
from pixelwise.optional import require_package

# A sample that shows what a band holds: all pixels of a raster of this side, or so many windows a
# side of so many pixels, as reading all of a large one takes long.
_WHOLE_SIDE = 512
_WINDOWS = 5
_WINDOW_SIDE = 100

_FILTERS = Lock()

# What GDAL says of a block whose bytes are not all there.
_SHORT = re.compile(r"got (\d+) bytes, expected (\d+)")
_MISSING = re.compile(r"(.+): No such file or directory")


def quiet_rasterio() -> Any:
    """rasterio, which warns of no raster without a georeference from now on.

    The filter stays: `warnings.catch_warnings` puts back the filters of the whole process, those of
    other threads too.
    """
    rasterio = require_package("rasterio")
    quiet = ("ignore", None, rasterio.errors.NotGeoreferencedWarning, None, 0)
    with _FILTERS:
        if quiet not in warnings.filters:
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
    return rasterio


@contextmanager
def open_dataset(source: Path | bytes) -> Iterator[Any]:
    """GDAL's data set of a file or its bytes, for reading. Raises ImageError where it cannot be
    opened, and where reading fails in the block.
    """
    rasterio = quiet_rasterio()
    path = Path("the image") if isinstance(source, bytes) else source
    try:
        dataset = rasterio.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    except Exception as error:  # rasterio's errors share no base class but Exception
        reason = f"cannot be opened as a raster ({explain_error(error, path)})"
        raise ImageError.of_file(path, reason, "replace or remove it") from error
    with dataset:
        try:
            yield dataset
        except Exception as error:
            if not type(error).__module__.startswith("rasterio"):
                raise
            raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception, row: int | None = None) -> ImageError:
    """The error for a file of which rasterio could not read something, from a row of pixels on."""
    place = "" if row is None else f" from row {row} on"
    reason = f"cannot be read{place} ({explain_error(error, path)})"
    return ImageError.of_file(path, reason, "copy it again, or replace it")


def explain_error(error: BaseException, path: Path) -> str:
    """What GDAL says is wrong with a file: the first cause, of which rasterio's error is the
    last consequence.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    text = first_line(error)
    if short := _SHORT.search(text):
        return f"the file breaks off: {short[1]} of {short[2]} bytes of a block are there"
    missing = _MISSING.fullmatch(text)
    if missing and Path(missing[1]).name != path.name:
        return f"a file that it refers to is missing: {missing[1]}"
    return text.removeprefix(f"{path}: ")


def holds_opacity(dataset: Any, band: int) -> bool:
    """Whether a band of an open raster that is called alpha holds opacity; true where it cannot be
    read.
    """
    try:
        return is_opacity(read_sample(dataset, [band]))
    except Exception:  # rasterio's share no base class; reading all of it will say what is wrong
        return True


def read_sample(dataset: Any, bands: Sequence[int]) -> NDArray[Any]:
    """Some pixels of bands (bands, n), from all over them."""
    if max(dataset.height, dataset.width) <= _WHOLE_SIDE:
        return np.reshape(dataset.read(list(bands)), (len(bands), -1))
    parts = [
        dataset.read(list(bands), window=(rows, columns)).reshape(len(bands), -1)
        for rows in _windows(dataset.height)
        for columns in _windows(dataset.width)
    ]
    return np.concatenate(parts, axis=1)


def _windows(length: int) -> list[tuple[int, int]]:
    side = min(length, _WINDOW_SIDE)
    starts = np.linspace(0, length - side, _WINDOWS).astype(int).tolist()
    return [(start, start + side) for start in starts]
