from pathlib import Path

import numpy as np
import pytest

from pixelwise.datasets.slice_volumes import slice_volumes
from pixelwise.errors import ImageError
from pixelwise.io.dicom_series import read_series
from pixelwise.io.volumes import list_volumes, read_volume, volume_stem, write_label_volume

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")

# Across a row to the patient's left, down a column to the back: as axial slices are stored.
AXIAL = [1, 0, 0, 0, 1, 0]


def write_slice(path: Path, stored: np.ndarray, height: float, **tags: object) -> None:
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    dataset.RescaleSlope = 2
    dataset.RescaleIntercept = -1000
    dataset.PixelSpacing = [2, 0.5]
    dataset.ImageOrientationPatient = AXIAL
    dataset.ImagePositionPatient = [10, 20, height]
    dataset.SeriesInstanceUID = "1.2.3"
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.PixelData = stored.astype("<i2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


def write_series(folder: Path, count: int = 4) -> np.ndarray:
    stored = np.arange(count * 5 * 6).reshape(count, 5, 6)
    for number in range(count):  # whose names run the other way
        write_slice(folder / f"{count - number}.dcm", stored[number], 3.0 * number)
    return stored


def test_slices_are_stacked_by_their_place(tmp_path: Path) -> None:
    stored = write_series(tmp_path / "ct")
    volume = read_volume(tmp_path / "ct")
    assert volume.describe() == "4 axial slices of 5 x 6"
    assert np.array_equal(volume.values, 2 * stored - 1000)
    assert volume.spacing == (3, 2, 0.5)
    # row 1, column 2, slice 3 in millimetres to the right, to the front and upward
    assert np.allclose(volume.affine @ [2, 1, 3, 1], [-(10 + 1), -(20 + 2), 9, 1])
    write_label_volume(tmp_path / "a.nii.gz", (stored % 200).astype(np.uint8), volume, "test")
    labels = read_volume(tmp_path / "a.nii.gz")
    assert np.array_equal(labels.values, stored % 200)
    assert volume_stem(tmp_path / "ct") == "ct"
    assert list_volumes(tmp_path) == [tmp_path / "a.nii.gz", tmp_path / "ct"]
    assert list_volumes(tmp_path / "ct") == [tmp_path / "ct"]


def test_padding_has_no_value(tmp_path: Path) -> None:
    stored = np.arange(30).reshape(5, 6)
    write_slice(tmp_path / "a.dcm", stored, 0, PixelPaddingValue=7)
    values, _ = read_series(tmp_path)
    assert np.argwhere(np.isnan(values)).tolist() == [[1, 1, 0]]


def test_what_is_no_one_series_is_refused(tmp_path: Path) -> None:
    stored = np.zeros((5, 6))
    for name, tags, height, message in (
        ("mixed", {"SeriesInstanceUID": "1.2.4"}, 12.0, "2 series.*folder of its own"),
        ("tilted", {"ImageOrientationPatient": [0, 1, 0, 0, 0, 1]}, 12.0, "direction"),
        ("gap", {}, 15.0, "6 mm apart, and others 3 mm"),
        ("twice", {}, 9.0, "lie in one place"),
        ("placeless", {"ImagePositionPatient": None}, 12.0, "no ImagePositionPatient"),
    ):
        write_series(tmp_path / name)
        write_slice(tmp_path / name / "z.dcm", stored, height, **tags)
        with pytest.raises(ImageError, match=message):
            read_series(tmp_path / name)


def test_series_become_a_data_set(tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    for name in ("one", "two"):
        write_series(tmp_path / "scans" / name)
        volume = read_volume(tmp_path / "scans" / name)
        labels = np.zeros(volume.values.shape, np.uint8)
        labels[1:, 2] = 1
        (tmp_path / "labels").mkdir(exist_ok=True)
        write_label_volume(tmp_path / "labels" / f"{name}.nii.gz", labels, volume, "test")
    out = tmp_path / "data"
    sliced = slice_volumes(tmp_path / "scans", out, labels=tmp_path / "labels", labelled=True)
    assert (sliced.slices, sliced.volumes, sliced.bands) == (6, 2, 1)
    assert len(list((out / "images").iterdir())) == 6
