from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelwise.errors import ImageError
from pixelwise.io.volumes import (
    PLANES,
    is_volume,
    read_note,
    read_volume,
    volume_stem,
    write_label_volume,
)

nibabel = pytest.importorskip("nibabel")
orientations = nibabel.orientations


def save(path: Path, values: np.ndarray, codes: str = "RAS") -> Any:
    """Values whose axes go to the right, to the front and upward, stored in another order."""
    upright = nibabel.Nifti1Image(values, np.diag([1.0, 2.0, 3.0, 1.0]))
    turn = orientations.ornt_transform(
        orientations.axcodes2ornt("RAS"), orientations.axcodes2ornt(codes)
    )
    image = upright.as_reoriented(turn)
    nibabel.save(image, path)
    return image


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR", "SAL"])
@pytest.mark.parametrize("plane", PLANES)
def test_labels_lie_where_the_volume_does(codes: str, plane: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 200, (5, 6, 7)).astype(np.int16)
    stored = save(tmp_path / "scan.nii.gz", values, codes)
    volume = read_volume(tmp_path / "scan.nii.gz", plane)
    assert volume.values.dtype == np.int16
    out = tmp_path / "labels.nii.gz"
    write_label_volume(out, volume.values.astype(np.uint8), volume, "made by a test")
    written = nibabel.load(out)
    assert np.array_equal(np.asarray(written.dataobj), np.asarray(stored.dataobj))
    assert np.allclose(written.affine, stored.affine)
    assert read_note(out) == "made by a test"
    assert volume.voxel_volume == pytest.approx(6)


def test_slices_hang_as_on_a_screen(tmp_path: Path) -> None:
    values = np.zeros((4, 5, 6), np.float32)
    values[3, 4, 5] = 1  # right, front, head
    save(tmp_path / "scan.nii", values, "LPI")
    seen = {
        plane: np.argwhere(read_volume(tmp_path / "scan.nii", plane).values).tolist()
        for plane in PLANES
    }
    # the right is on the left, the front or the head above
    assert seen == {"axial": [[5, 0, 0]], "coronal": [[4, 0, 0]], "sagittal": [[3, 0, 0]]}
    spacing = {plane: read_volume(tmp_path / "scan.nii", plane).spacing for plane in PLANES}
    assert spacing == {
        "axial": (3.0, 2.0, 1.0),
        "coronal": (2.0, 3.0, 1.0),
        "sagittal": (1.0, 3.0, 2.0),
    }


def test_a_rescale_is_applied(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.full((2, 3, 4), 10, np.int16), np.eye(4))
    image.header.set_slope_inter(2, -1024)
    image.to_filename(tmp_path / "ct.nii")
    assert np.unique(read_volume(tmp_path / "ct.nii").values).tolist() == [-1004.0]


def test_what_is_no_volume_is_said(tmp_path: Path) -> None:
    films = nibabel.Nifti1Image(np.zeros((3, 4, 5, 6), np.int16), np.eye(4))
    films.to_filename(tmp_path / "film.nii.gz")
    with pytest.raises(ImageError, match=r"has 4 dimensions \(3 x 4 x 5 x 6\).*NAME_0000"):
        read_volume(tmp_path / "film.nii.gz")
    single = nibabel.Nifti1Image(np.zeros((3, 4, 5, 1), np.int16), np.eye(4))
    single.to_filename(tmp_path / "single.nii")
    assert read_volume(tmp_path / "single.nii").describe() == "5 axial slices of 4 x 3"
    colours = np.zeros((3, 4, 5), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.Nifti1Image(colours, np.eye(4)).to_filename(tmp_path / "rgb.nii")
    with pytest.raises(ImageError, match=r"rgb\.nii: holds"):
        read_volume(tmp_path / "rgb.nii")
    whole = (tmp_path / "film.nii.gz").read_bytes()
    (tmp_path / "half.nii.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.nii").write_text("no", encoding="utf-8")
    for name in ("half.nii.gz", "text.nii"):
        with pytest.raises(ImageError, match="cannot be read as a volume"):
            read_volume(tmp_path / name)
    with pytest.raises(ImageError, match="no such file"):
        read_volume(tmp_path / "none.nii")


def test_names() -> None:
    assert [is_volume(name) for name in ("a.NII.GZ", "b.nii", "c.gz")] == [True, True, False]
    assert volume_stem(Path("x/scan.1.nii.gz")) == "scan.1"
