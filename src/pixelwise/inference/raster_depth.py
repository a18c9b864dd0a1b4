"""Rasters of more than 8 bits: the range that is used, by the rule of plain pictures, or the
command that scales what no rule does.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ImageError
from pixelwise.inference.bands import Bands
from pixelwise.io.bit_depth import CONTAINER, ValueRange, describe_range, find_range
from pixelwise.io.gdal import read_sample
from pixelwise.io.reading_notes import ReadingNote

_EIGHT = "uint8"

# Per cent of the values that a range to scale by leaves out at either end.
_TAIL = 2

# Rows that are looked at together, at least.
_ROWS = 64


def is_deep(dataset: Any, path: Path, bands: Bands) -> bool:
    """Whether the colours of an open raster have more than 8 bits. Raises ImageError for floating
    point numbers and the like.
    """
    kinds = {dataset.dtypes[band - 1] for band in bands.colours}
    for kind in kinds - {_EIGHT}:
        if np.dtype(kind).kind not in "iu":
            raise _not_scaled(dataset, path, bands, kind, "")
    return kinds != {_EIGHT}


def find_raster_range(
    dataset: Any, path: Path, bands: Bands, common_bits: int
) -> tuple[ValueRange, ReadingNote | None]:
    """The range of the colours of a raster that `is_deep`, of which all is read for that, and what
    is said of it. common_bits: as in `find_range`. Raises ImageError for numbers below 0 or above
    CONTAINER.
    """
    low, high = _find_extremes(dataset, bands)
    kind = next(name for name in dataset.dtypes if name != _EIGHT)
    if low < 0 or high > CONTAINER:
        raise _not_scaled(dataset, path, bands, kind, f" from {low} to {high}")
    bits = read_bits(dataset, bands.colours[0])
    declared = None if bits is None else 2**bits - 1
    values = find_range(low, high, declared=declared, common_bits=common_bits)
    stored_bits = 8 * np.dtype(kind).itemsize
    return values, None if declared else describe_range(values, stored_bits, high)


def read_bits(dataset: Any, band: int) -> int | None:
    """How many bits of each value a file says that it uses."""
    tags: Mapping[str, str] = dataset.tags(band, ns="IMAGE_STRUCTURE")
    return int(tags["NBITS"]) if "NBITS" in tags else None


def _find_extremes(dataset: Any, bands: Bands) -> tuple[int, int]:
    """The least and the greatest value but nodata; 0 and 0 where there is none."""
    low = np.inf
    high = -np.inf
    for band, values in _strips(dataset, bands):
        nodata = dataset.nodatavals[band - 1]
        valid = values if nodata is None else values[values != nodata]
        if valid.size:
            low = min(low, valid.min())
            high = max(high, valid.max())
    return (int(low), int(high)) if low <= high else (0, 0)


def _strips(dataset: Any, bands: Bands) -> Iterator[tuple[int, NDArray[Any]]]:
    step = max(_ROWS, dataset.block_shapes[0][0])
    for top in range(0, dataset.height, step):
        window = ((top, min(top + step, dataset.height)), (0, dataset.width))
        yield from zip(bands.colours, dataset.read(bands.colours, window=window), strict=True)


def _not_scaled(dataset: Any, path: Path, bands: Bands, kind: str, span: str) -> ImageError:
    """The error for numbers without a known range, with a command that scales all bands alike, by
    what most values of a sample are: a range of each band's own extremes would change colours, and
    blacken all for one bright pixel.
    """
    values = read_sample(dataset, bands.colours).astype(np.float64)
    valid = np.isfinite(values)
    if dataset.nodata is not None:
        valid &= values != dataset.nodata
    low, high = np.percentile(values[valid], [_TAIL, 100 - _TAIL]) if valid.any() else (0, 1)
    has_void = dataset.nodata is not None or kind[0] == "f"
    target = "1 255 -a_nodata 0" if has_void else "0 255"
    return ImageError.of_file(
        path,
        f"holds {kind}{span}, {100 - 2 * _TAIL} % of its values from {low:g} to {high:g}",
        "scale all bands alike to 8 bit: `gdal_translate -ot Byte -scale "
        f"{low:g} {max(high, low + 1e-6):g} {target} IN OUT`",
    )
