from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelwise
from pixelwise.classes import Classes
from pixelwise.errors import ConfigError, ModelError
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.load import load
from pixelwise.inference.tta import Pixels

CLASSES = Classes(("red", "blue"), ((255, 0, 0), (0, 0, 255)))
THRESHOLDS = (0.5, 0.9)


def by_colour(rgb: Pixels) -> np.ndarray:
    """Logits of 2 where a picture is red, and where it is blue."""
    return np.where(rgb[:, [0, 2]] > 100, 2.0, -2.0).astype(np.float32)


def predictor() -> LayerPredictor:
    return LayerPredictor(by_colour, CLASSES, thresholds=THRESHOLDS, tile=(32, 32))


def test_a_pixel_is_of_each_class_whose_score_reaches_its_threshold() -> None:
    rgb = np.zeros((40, 50, 3), np.uint8)
    rgb[:, 10:] = (200, 0, 200)
    result = predictor().predict_layers(rgb)
    assert result.layers[0].tolist() == (rgb[..., 0] > 100).astype(int).tolist()
    assert not result.layers[1].any()  # a sigmoid of 2 is .88
    np.testing.assert_allclose(result.scores[1, 0, [0, -1]], [0.119, 0.881], atol=1e-3)
    assert repr(result) == "<LayerResult 40 x 50: red 80%, blue 0%>"


def test_files_are_a_mask_a_class_an_overlay_and_scores(tmp_path: Path) -> None:
    rgb = np.full((40, 50, 3), (200, 0, 0), np.uint8)
    files = predictor().predict_layers(rgb).save(tmp_path, "x", overlay=True, scores=True)
    names = ["x_red.png", "x_blue.png", "x_overlay.jpg", "x_probabilities.npz"]
    assert [path.name for path in files] == names
    assert np.unique(np.asarray(Image.open(files[0]))).tolist() == [255]
    assert np.unique(np.asarray(Image.open(files[1]))).tolist() == [0]
    assert np.load(files[3])["probabilities"].shape == (2, 40, 50)


def test_what_needs_one_class_a_pixel_is_refused(layered: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"overlapping classes \(blue, red\)"):
        load(layered)
    model = load(layered, layers=True)
    assert isinstance(model, LayerPredictor)
    assert model.thresholds == (0.4, 0.6)
    with pytest.raises(ModelError, match="needs one class a pixel"):
        model.predict(np.zeros((40, 40, 3), np.uint8))
    with pytest.raises(ModelError, match="overlapping classes"):
        pixelwise.evaluate(layered, tmp_path)
    with pytest.raises(ModelError, match="overlapping classes"):
        pixelwise.suspects(layered, tmp_path, out=tmp_path.parent)


def test_predict_writes_layers_that_can_be_trained_on(layered: Path, tmp_path: Path) -> None:
    photo = tmp_path / "images/photo.png"
    photo.parent.mkdir()
    Image.new("RGB", (50, 40)).save(photo)
    result = pixelwise.predict(layered, photo, tmp_path / "masks", overlay=True)
    assert len(result.written) == 1
    names = {path.name for path in (tmp_path / "masks").glob("*.*g")}
    assert names == {"photo_blue.png", "photo_red.png", "photo_overlay.jpg"}
    again = pixelwise.predict(layered, photo, tmp_path / "masks", overlay=True)
    assert len(again.skipped) == 1
    with pytest.raises(ConfigError, match="confidence: the model's classes overlap"):
        pixelwise.predict(layered, photo, tmp_path / "other", confidence=True)
