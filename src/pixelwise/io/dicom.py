"""Grey DICOM slices as values: Hounsfield units of computed tomography, for instance.

By pydicom (extra `medical`).
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ImageError, first_line
from pixelwise.io.channels import Mask
from pixelwise.optional import is_installed, require_package

DICOM = ".dcm"
KIND = "float32"
"""NumPy's type of the values once they are rescaled."""
# A line of pydicom's on a decoder that is not there.
_DECODERS = re.compile(r"^\s*\S+ - requires (.+?)\s*$", re.MULTILINE)
_GREY = ("MONOCHROME1", "MONOCHROME2")
_HEADER = ("Rows", "Columns", "PhotometricInterpretation", "NumberOfFrames")


def read_dicom_size(path: Path) -> tuple[int, int] | None:
    """(height, width) by the header of a grey slice; None for colours, and without pydicom. Raises
    ImageError for what is no DICOM file.
    """
    if not is_installed("pydicom"):
        return None
    header = read_dicom_header(path, _HEADER)
    is_grey = header.get("PhotometricInterpretation") in _GREY
    return (int(header.Rows), int(header.Columns)) if is_grey and "Rows" in header else None


def read_dicom_header(path: Path, tags: Sequence[str]) -> Any:
    """pydicom's data set of these tags alone. Raises ImageError, ConfigError without pydicom."""
    with _readable(path) as pydicom:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(tags))


def read_dicom(path: Path) -> tuple[NDArray[np.float32], Mask | None]:
    """(1, H, W) values of a grey slice after its rescale, and where they are no padding (None:
    everywhere). Raises ImageError for several frames, and where pydicom cannot decode it.
    """
    with _readable(path) as pydicom:
        dataset = pydicom.dcmread(path)
        frames = int(dataset.get("NumberOfFrames") or 1)
        if frames > 1:
            reason = f"holds {frames} frames"
            raise ImageError.of_file(path, reason, "save each as a file, as with dcm2niix or dcmtk")
        stored = dataset.pixel_array
        values = pydicom.pixels.apply_modality_lut(stored, dataset).astype(np.float32)
    padding = dataset.get("PixelPaddingValue")
    valid = None if padding is None else stored != int(padding)
    is_whole = valid is None or bool(valid.all())
    return values[None], None if is_whole else np.asarray(valid)[None]


@contextmanager
def _readable(path: Path) -> Iterator[Any]:
    """A block whose errors, of which pydicom raises all kinds, become an ImageError."""
    pydicom = require_package("pydicom")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield pydicom
    except ImageError:
        raise
    except Exception as error:
        packages = _DECODERS.findall(str(error))
        if packages:
            reason = f"is compressed, and no decoder is installed ({first_line(error).rstrip(':')})"
            advice = f"install {' or '.join(packages)}, or save it uncompressed"
            raise ImageError.of_file(path, reason, advice) from error
        reason = f"cannot be read as DICOM ({first_line(error).rstrip('.')})"
        raise ImageError.of_file(path, reason, "replace it, or save it uncompressed") from error
