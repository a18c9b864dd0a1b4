import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import ConfigError, DataError, OutputError
from pixelwise.inference.choices import Choices
from pixelwise.inference.predictor import Predictor
from pixelwise.jobs.predict import predict_files
from pixelwise.tasks.labels import Classes


def quarters(rgb: np.ndarray) -> np.ndarray:
    """Instead of a model: the class is the red channel's quarter."""
    return np.stack([rgb[:, 0] // 64 == quarter for quarter in range(4)], axis=1).astype(np.float32)


def predictor() -> Predictor:
    return Predictor(quarters, Classes.named(("a", "b", "c", "d")))


def test_masks_have_the_inputs_size_and_the_classes_palette(photo: Path, tmp_path: Path) -> None:
    done = predict_files(predictor(), [photo], tmp_path / "out", choices=Choices(overlay=True, confidence=True))
    assert done.written == (tmp_path / "out/photo.png",)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["photo.png", "photo_confidence.png", "photo_overlay.jpg"]
    with Image.open(done.written[0]) as mask, Image.open(photo) as image:
        assert mask.size == image.size
        assert mask.mode == "P"
        red = np.asarray(image)[..., 0].astype(int)
        assert np.array_equal(np.asarray(mask), red * 4 // 256)


def test_a_broken_image_is_named_and_the_others_go_on(photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(photo, folder / "a.jpg")
    (folder / "b.jpg").write_bytes(photo.read_bytes()[:300])
    shutil.copy(photo, folder / "c.jpg")
    (folder / "readme.txt").touch()
    done = predict_files(predictor(), [folder, tmp_path / "absent.jpg"], tmp_path / "out")
    assert [path.name for path in done.written] == ["a.png", "c.png"]
    assert [path.name for path, _ in done.failed] == ["b.jpg", "absent.jpg"]


def test_results_that_would_collide_are_refused_before_anything_is_written(photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "photo.png"
    Image.open(photo).save(other)
    with pytest.raises(ConfigError, match=r"both be written as photo\.png"):
        predict_files(predictor(), [photo, other], tmp_path / "out")
    with pytest.raises(ConfigError, match="overwrite an input"):
        predict_files(predictor(), [other], tmp_path)
    assert not (tmp_path / "out").exists()


def test_nothing_to_predict_and_nowhere_to_write_are_said(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images in"):
        predict_files(predictor(), [tmp_path / "empty"], tmp_path / "out")
    with pytest.raises(OutputError, match="is a file"):
        predict_files(predictor(), [photo], photo)
