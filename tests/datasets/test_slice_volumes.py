import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelwise
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError, DataError
from pixelwise.io.band_files import read_bands

nibabel = pytest.importorskip("nibabel")
pytest.importorskip("rasterio")


def save(path: Path, values: np.ndarray, shift: float = 0.0) -> None:
    affine = np.eye(4)
    affine[0, 3] = shift
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, affine), path)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """nnU-Net's layout: three volumes of two bands, with void."""
    root = tmp_path / "Dataset001"
    rng = np.random.default_rng(0)
    for number in range(3):
        values = rng.normal(0, 100, (6, 8, 4)).astype(np.float32)
        labels = np.zeros((6, 8, 4), np.uint8)
        labels[2:4, 2:4, 1] = 2
        labels[0, 0, 2] = 3
        for band in range(2):
            save(root / "imagesTr" / f"scan_{number}_000{band}.nii.gz", values + band)
        save(root / "labelsTr" / f"scan_{number}.nii.gz", labels)
    content = {
        "channel_names": {"0": "T1", "1": "FLAIR"},
        "labels": {"background": 0, "tumour": 2, "ignore": 3},
    }
    (root / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    return root


def test_slices_are_a_data_set_grouped_by_volume(scans: Path, tmp_path: Path) -> None:
    sliced = pixelwise.slice_volumes(scans, tmp_path / "data")
    assert (sliced.slices, sliced.volumes, sliced.bands) == (12, 3, 2)
    assert sliced.classes == {0: "background", 2: "tumour"}
    bands = read_bands(tmp_path / "data" / "images" / "scan_1_0001.tif")
    assert bands.names == ("t1", "flair")
    stored = nibabel.load(scans / "imagesTr" / "scan_1_0001.nii.gz").get_fdata(dtype=np.float32)
    assert np.array_equal(bands.values[1], stored[::-1, ::-1, 1].T)
    mask = np.asarray(Image.open(tmp_path / "data" / "masks" / "scan_1_0002.png"))
    assert np.argwhere(mask == 255).tolist() == [[7, 5]]
    dataset = open_dataset(tmp_path / "data", DataOptions())
    assert dataset.classes.names == ("background", "tumour")
    volumes = {
        split: {pair.name[:6] for pair in pairs} for split, pairs in dataset.splits.items() if pairs
    }
    assert sum(map(len, volumes.values())) == 3, "no volume is in two splits"


def test_slices_without_labels_may_be_left_out(scans: Path, tmp_path: Path) -> None:
    sliced = pixelwise.slice_volumes(scans, tmp_path / "data", labelled=True)
    names = sorted(path.name for path in (tmp_path / "data" / "images").iterdir())
    assert names == ["scan_0_0001.tif", "scan_1_0001.tif", "scan_2_0001.tif"]
    assert sliced.slices == 3


def test_plain_folders_of_volumes(tmp_path: Path) -> None:
    save(tmp_path / "scans" / "a.nii", np.zeros((4, 5, 2), np.int16))
    save(tmp_path / "truth" / "a.nii", np.ones((4, 5, 2), np.float64))
    sliced = pixelwise.slice_volumes(
        tmp_path / "scans", tmp_path / "data", labels=tmp_path / "truth", plane="coronal"
    )
    assert (sliced.slices, sliced.classes) == (5, {1: "class 1"})
    unlabelled = pixelwise.slice_volumes(tmp_path / "scans", tmp_path / "other")
    assert unlabelled.classes == {}
    assert not (tmp_path / "other" / "masks").exists()


def test_what_does_not_fit_together_is_said_and_nothing_is_written(
    scans: Path, tmp_path: Path
) -> None:
    def refuse(match: str) -> None:
        with pytest.raises(DataError, match=match):
            pixelwise.slice_volumes(scans, tmp_path / "data")
        assert not (tmp_path / "data").exists()

    truth = scans / "labelsTr" / "scan_0.nii.gz"
    content = truth.read_bytes()
    save(truth, np.full((6, 8, 4), 7, np.uint8))
    refuse(r"scan_0\.nii\.gz: holds 7, which dataset\.json does not name")
    save(truth, np.full((6, 8, 4), 0.5))
    refuse(r"holds values from 0\.5 to 0\.5; labels are whole numbers")
    save(truth, np.zeros((6, 8, 3), np.uint8))
    refuse("has 3 axial slices of 8 x 6 and .* 4 axial slices of 8 x 6")
    save(truth, np.zeros((6, 8, 4), np.uint8), shift=1.0)
    refuse("lie in different places")
    truth.unlink()
    refuse(r"no labels for scan_0 of")
    truth.write_bytes(content)
    (scans / "imagesTr" / "scan_2_0001.nii.gz").unlink()
    refuse(r"most volumes have 2 files .* but not scan_2 \(1\)")
    with pytest.raises(ConfigError, match="unknown plane 'axal'"):
        pixelwise.slice_volumes(scans, tmp_path / "data", plane="axal")


def test_regions_of_several_classes_are_refused(scans: Path, tmp_path: Path) -> None:
    content = {"labels": {"background": 0, "whole": [1, 2]}}
    (scans / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match="regions of several are not read"):
        pixelwise.slice_volumes(scans, tmp_path / "data")
