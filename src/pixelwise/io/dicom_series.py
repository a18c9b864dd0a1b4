"""A folder of DICOM slices as one volume: in the order in which they lie, with their place."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ImageError
from pixelwise.io.dicom import DICOM, read_dicom, read_dicom_header
from pixelwise.io.text import is_side_file

_TAGS = (
    "SeriesInstanceUID",
    "SeriesDescription",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
)
# How far the steps between slices may differ, as a share of the usual one.
_UNEVEN = 0.1
# DICOM counts to the left and the back, NIfTI to the right and the front.
_TO_NIFTI = np.diag([-1.0, -1.0, 1.0, 1.0])
_APART = "put each series in a folder of its own, or make NIfTI files of them with dcm2niix"


@dataclass(frozen=True)
class _Slice:
    path: Path
    series: str
    shape: tuple[int, int]
    spacing: tuple[float, float]  # mm between rows, and between columns
    directions: NDArray[np.float64]  # (2, 3): along a row, and along a column
    position: NDArray[np.float64]  # of the first pixel


def list_slices(folder: Path) -> list[Path]:
    """The DICOM files directly in a folder, by name."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() == DICOM and not is_side_file(path)
    )


def read_series(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Values (columns, rows, slices) after their rescale, NaN where they are padding, and (4, 4)
    the affine from a voxel to millimetres as NIfTI counts them.

    Raises ImageError for slices of several series, of other sizes or directions, that lack their
    place, of which two lie in one place or one is missing, and as `read_dicom`; ConfigError
    without pydicom.
    """
    slices = [_read_slice(path) for path in list_slices(folder)]
    _check_alike(folder, slices)
    across, down = slices[0].directions
    normal = np.cross(across, down)
    slices.sort(key=lambda one: float(one.position @ normal))
    step = _find_step(folder, slices, normal)
    values = np.stack([_read_values(one.path) for one in slices])  # (slices, rows, columns)
    row_step, column_step = slices[0].spacing
    affine = np.eye(4)
    affine[:3, 0] = across * column_step
    affine[:3, 1] = down * row_step
    affine[:3, 2] = normal * step
    affine[:3, 3] = slices[0].position
    return values.transpose(2, 1, 0), _TO_NIFTI @ affine


def _read_slice(path: Path) -> _Slice:
    header = read_dicom_header(path, _TAGS)
    missing = [tag for tag in _TAGS if tag != "SeriesDescription" and header.get(tag) is None]
    if missing:
        reason = f"says nothing of its place in a volume (no {', '.join(missing)})"
        raise ImageError.of_file(path, reason, "label such slices as single images")
    directions = np.array(header.ImageOrientationPatient, np.float64).reshape(2, 3)
    row_step, column_step = map(float, header.PixelSpacing)
    name = str(header.get("SeriesDescription") or header.SeriesInstanceUID)
    return _Slice(
        path,
        f"{name} ({header.SeriesInstanceUID})",
        (int(header.Rows), int(header.Columns)),
        (row_step, column_step),
        directions,
        np.array(header.ImagePositionPatient, np.float64),
    )


def _check_alike(folder: Path, slices: list[_Slice]) -> None:
    series = list(dict.fromkeys(one.series for one in slices))
    if len(series) > 1:
        reason = f"holds slices of {len(series)} series, such as {series[0]} and {series[1]}"
        raise ImageError.of_file(folder, reason, _APART)
    first = slices[0]
    for one in slices:
        is_alike = one.shape == first.shape and np.allclose(one.spacing, first.spacing, rtol=1e-3)
        if not is_alike or not np.allclose(one.directions, first.directions, atol=1e-3):
            reason = f"{one.path.name} has another size or direction than {first.path.name}"
            raise ImageError.of_file(folder, reason, "move away what is no part of the volume")


def _find_step(folder: Path, slices: list[_Slice], normal: NDArray[np.float64]) -> float:
    """Millimetres between slices, in order; 1 where there is one alone."""
    if len(slices) == 1:
        return 1.0
    steps = np.diff([one.position @ normal for one in slices])
    usual = float(np.median(steps))
    for number, step in enumerate(steps):
        pair = f"{slices[number].path.name} and {slices[number + 1].path.name}"
        if step <= _UNEVEN * usual or usual <= 0:
            reason = f"{pair} lie in one place, as of several times or kinds of scan"
            raise ImageError.of_file(folder, reason, _APART)
        if abs(step - usual) > _UNEVEN * usual:
            reason = f"{pair} lie {step:g} mm apart, and others {usual:g} mm: a slice is missing"
            raise ImageError.of_file(folder, reason, "add it, or make a NIfTI file with dcm2niix")
    return usual


def _read_values(path: Path) -> NDArray[np.float32]:
    """(H, W), NaN where there is none."""
    values, valid = read_dicom(path)
    return values[0] if valid is None else np.where(valid[0], values[0], np.float32(np.nan))
