from pathlib import Path

import numpy as np
import pytest

from pixelwise.classes import Classes
from pixelwise.errors import ConfigError
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predict_volumes import find_volumes, predict_volumes
from pixelwise.inference.predictor import Predictor
from pixelwise.io.channels import Channels, ReadingRule

nibabel = pytest.importorskip("nibabel")

CHANNELS = Channels(("ct",), (1,), (-500.0,), (500.0,), (0.5,), (0.25,), 1, "int16", "as set")
RECIPE = Recipe({"model": "m"})


def threshold(pixels: np.ndarray) -> np.ndarray:
    """Instead of a model: what lies above the middle of the window is `dense`."""
    return np.stack([pixels[:, 0] < 128, pixels[:, 0] >= 128], axis=1).astype(np.float32)


@pytest.fixture
def predictor() -> Predictor:
    made = Predictor(threshold, Classes.named(("thin", "dense")))
    made.reading = ReadingRule(channels=CHANNELS).to_header()
    return made


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    values = np.full((40, 36, 3), -300, np.int16)
    values[5:20, 4:9, 1] = 300
    path = tmp_path / "scans" / "scan.nii.gz"
    path.parent.mkdir()
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-1.0, 1.0, 4.0, 1.0])), path)
    return path


def test_a_volume_becomes_a_volume_of_labels(
    predictor: Predictor, scan: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    volumes = find_volumes([scan.parent], PredictOptions(), out)
    done = predict_volumes(predictor, volumes, out, recipe=RECIPE)
    assert done.written == (out / "scan.nii.gz",)
    labels = np.asarray(nibabel.load(out / "scan.nii.gz").dataobj)
    assert np.array_equal(labels == 1, np.asarray(nibabel.load(scan).dataobj) == 300)
    table = (out / "volumes.csv").read_text(encoding="utf-8").splitlines()
    assert table[2] == "scan.nii.gz,dense,75,0.300"
    again = predict_volumes(predictor, volumes, out, recipe=RECIPE)
    assert (again.written, again.skipped) == ((), (scan,))
    with pytest.raises(ConfigError, match="made with another model"):
        predict_volumes(predictor, volumes, out, recipe=Recipe({"model": "other"}))
    replaced = predict_volumes(
        predictor, volumes, out, recipe=Recipe({"model": "other"}, overwrite=True)
    )
    assert replaced.written == (out / "scan.nii.gz",)
    with pytest.raises(ConfigError, match="would overwrite the volume itself"):
        predict_volumes(predictor, volumes, scan.parent, recipe=RECIPE)


def test_one_broken_volume_does_not_stop_the_others(
    predictor: Predictor, scan: Path, tmp_path: Path
) -> None:
    broken = scan.parent / "broken.nii.gz"
    broken.write_bytes(scan.read_bytes()[:60])
    volumes = find_volumes([scan, broken], PredictOptions(), None)
    done = predict_volumes(predictor, volumes, tmp_path / "out", recipe=RECIPE)
    assert done.written == (tmp_path / "out" / "scan.nii.gz",)
    [(path, reason)] = done.failed
    assert path == broken
    assert "cannot be read as a volume" in reason


def test_a_model_of_photos_takes_no_volumes(scan: Path, tmp_path: Path) -> None:
    photos = Predictor(threshold, Classes.named(("thin", "dense")))
    done = predict_volumes(photos, {"scan": [scan]}, tmp_path / "out", recipe=RECIPE)
    assert done.written == ()
    assert "holds int16, and the model takes photos of 8 bits" in done.failed[0][1]


def test_what_does_not_go_with_volumes_is_refused(scan: Path, tmp_path: Path) -> None:
    photo = str(tmp_path / "photo.jpg")
    plain = PredictOptions()
    assert find_volumes([photo], plain, None) == {}
    with pytest.raises(ConfigError, match="labelled by themselves"):
        find_volumes([scan, photo], plain, None)
    with pytest.raises(ConfigError, match="--plane is for volumes"):
        find_volumes([photo], PredictOptions(plane="coronal"), None)
    with pytest.raises(ConfigError, match="--also objects is not for volumes"):
        find_volumes([scan], PredictOptions(extras=("objects",)), None)
    with pytest.raises(ConfigError, match="a folder on this machine"):
        find_volumes([scan], plain, "s3://bucket/masks")


def test_dicom_slices_are_a_volume_with_a_plane_and_single_images_without(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    folder = tmp_path / "ct"
    folder.mkdir()
    (folder / "1.dcm").touch()
    axial = PredictOptions(plane="axial")
    assert find_volumes([folder], axial, None) == {"ct": [folder]}
    assert find_volumes([tmp_path], axial, None) == {"ct": [folder]}
    assert find_volumes([folder], PredictOptions(), None) == {}
