"""Volumes of slices, as NIfTI files of tomography and magnetic resonance hold them, or folders of
DICOM slices.

By nibabel and pydicom (extra `medical`).
"""

import gzip
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ImageError, OutputError, first_line
from pixelwise.io.atomic import atomic
from pixelwise.io.dicom_series import list_slices, read_series
from pixelwise.io.open_images import check_pixel_count
from pixelwise.io.text import is_side_file
from pixelwise.optional import require_package

VOLUMES = (".nii", ".nii.gz")
"""The endings of their files."""

PLANES = ("sagittal", "coronal", "axial")
"""The plane of slices across the axes to the right, to the front and upward."""
_UPRIGHT = "RAS"
_PACKED = ".gz"


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume as slices in one plane, each as it hangs on a radiologist's screen: the front or the
    head above, the patient's right on the left.

    values: (slices, H, W), as stored, after their rescale where the file has one.
    affine: (4, 4), from a voxel of the file to millimetres. spacing: mm between slices, rows and
    columns.
    """

    path: Path
    plane: str
    values: NDArray[Any]
    affine: NDArray[np.float64]
    spacing: tuple[float, float, float]

    def describe(self) -> str:
        """As in `120 axial slices of 512 x 512`."""
        count, height, width = self.values.shape
        return f"{count} {self.plane} slices of {height} x {width}"

    @property
    def voxel_volume(self) -> float:
        """Cubic millimetres of a voxel."""
        return float(np.prod(self.spacing))


def is_volume(name: str | Path) -> bool:
    """Whether a file is a volume, by its name."""
    return str(name).lower().endswith(VOLUMES)


def list_volumes(folder: Path) -> list[Path]:
    """The volumes directly in a folder, by name: files, and folders of DICOM slices; or the folder
    itself where it holds such slices.
    """
    if list_slices(folder):
        return [folder]
    return sorted(
        path
        for path in folder.iterdir()
        if not is_side_file(path) and (is_volume(path) or (path.is_dir() and list_slices(path)))
    )


def volume_stem(path: Path) -> str:
    """The name without its ending."""
    name = path.name or path.resolve().name  # of the current folder
    ending = next((end for end in VOLUMES[::-1] if name.lower().endswith(end)), "")
    return name[: len(name) - len(ending)]


def read_volume(path: Path, plane: str = "axial") -> Volume:
    """The whole volume of a file, or of a folder of DICOM slices. Raises ImageError for one that
    cannot be read, of more or fewer than three dimensions, or of no plain numbers, and as
    `read_series`; ConfigError without nibabel or pydicom.
    """
    if path.is_dir():
        return _place(path, plane, *read_series(path))
    with _readable(path) as nibabel:
        image = nibabel.load(path)
        shape = _drop_ones(image.shape)
        if len(shape) != 3:
            raise _dimension_error(path, image.shape)
        proxy = image.dataobj
        if proxy.dtype.kind not in "uif":
            raise ImageError.of_file(path, f"holds {proxy.dtype}", "save it as numbers")
        # the file's own type where nothing is rescaled
        is_rescaled = (float(proxy.slope), float(proxy.inter)) != (1.0, 0.0)
        values = image.get_fdata(dtype=np.float32) if is_rescaled else np.asanyarray(proxy)
        affine = np.asarray(image.affine, np.float64)
        return _place(path, plane, values.reshape(shape), affine)


def _place(path: Path, plane: str, values: NDArray[Any], affine: NDArray[np.float64]) -> Volume:
    """The volume of voxels that lie as `affine` says."""
    nibabel = require_package("nibabel")
    upright = nibabel.orientations.apply_orientation(values, nibabel.io_orientation(affine))
    slices = _to_slices(upright, plane)
    check_pixel_count(slices.shape[:0:-1], str(path))
    lengths = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    order = nibabel.io_orientation(affine)[:, 0].astype(int)
    upright_lengths = [float(length) for _, length in sorted(zip(order, lengths, strict=True))]
    depth, row, column = (upright_lengths[axis] for axis in _axes(plane))
    return Volume(path, plane, slices, affine, (depth, row, column))


def write_label_volume(path: Path, labels: NDArray[np.uint8], like: Volume, note: str) -> None:
    """Write labels (slices, H, W) as a NIfTI file that lies where `like` does, voxel by voxel.

    note: up to 79 characters, which `read_note` reads.
    """
    nibabel = require_package("nibabel")
    upright = nibabel.orientations.axcodes2ornt(_UPRIGHT)
    back = nibabel.orientations.ornt_transform(upright, nibabel.io_orientation(like.affine))
    voxels = nibabel.orientations.apply_orientation(_from_slices(labels, like.plane), back)
    image = nibabel.Nifti1Image(np.ascontiguousarray(voxels), like.affine)
    image.header["descrip"] = note.encode("ascii")
    data = image.to_bytes()
    with atomic(path) as draft:
        is_packed = path.name.lower().endswith(_PACKED)
        draft.write_bytes(gzip.compress(data, compresslevel=6, mtime=0) if is_packed else data)


def read_note(path: Path) -> str:
    """The note in a volume's header; empty where none is. Raises as `read_volume`."""
    with _readable(path) as nibabel:
        return bytes(nibabel.load(path).header["descrip"]).rstrip(b"\0").decode("latin-1")


def _axes(plane: str) -> tuple[int, int, int]:
    """The upright axes across the slices, down their rows and along their columns."""
    across = PLANES.index(plane)
    along, down = (axis for axis in range(3) if axis != across)
    return across, down, along


def _to_slices(upright: NDArray[Any], plane: str) -> NDArray[Any]:
    return upright.transpose(_axes(plane))[:, ::-1, ::-1]


def _from_slices(slices: NDArray[Any], plane: str) -> NDArray[Any]:
    return slices[:, ::-1, ::-1].transpose(np.argsort(_axes(plane)))


def _drop_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without dimensions of one behind the third, which some programs write."""
    sides = list(shape)
    while len(sides) > 3 and sides[-1] == 1:
        sides.pop()
    return tuple(sides)


def _dimension_error(path: Path, shape: tuple[int, ...]) -> ImageError:
    sides = " x ".join(map(str, shape))
    return ImageError.of_file(
        path,
        f"has {len(shape)} dimensions ({sides}), not the three of a volume",
        "save each time or kind of scan as a file: NAME_0000.nii.gz, NAME_0001.nii.gz and so on "
        "are read as bands",
    )


@contextmanager
def _readable(path: Path) -> Iterator[Any]:
    """A block whose errors, of which nibabel raises all kinds, become an ImageError."""
    nibabel = require_package("nibabel")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield nibabel
    except (ImageError, OutputError):
        raise
    except FileNotFoundError as error:
        raise ImageError.of_file(path, "no such file") from error
    except Exception as error:
        reason = f"cannot be read as a volume ({first_line(error).rstrip('.')})"
        raise ImageError.of_file(path, reason, "replace it, or write it anew") from error
