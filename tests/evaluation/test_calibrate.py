import json
from pathlib import Path

import numpy as np
import pytest
import torch

import pixelwise
from pixelwise.classes import Classes
from pixelwise.errors import ConfigError, ModelError
from pixelwise.evaluation.calibrate import find_temperature, write_calibrated
from pixelwise.inference.predictor import Predictor
from pixelwise.models.checkpoint import Header, load_model, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter

NAMES = ("background", "circle", "square", "triangle")


class TooSure:
    """A guess from the colours whose logits are much too large."""

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        level = rgb[:, 0].astype(np.float32) / 64
        return np.stack([-40 * np.abs(level - k) for k in range(4)], axis=1)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = ModelConfig("fcn32s", "test_resnet", 4)
    save_model(
        tmp_path / "model.safetensors",
        build_segmenter(config),
        Header(config, Classes.named(NAMES), {"seed": 1}),
    )
    return tmp_path / "model.safetensors"


def test_the_temperature_of_validation_makes_the_test_split_better_calibrated(
    shapes: Path, tmp_path: Path
) -> None:
    sure = Predictor(TooSure(), Classes.named(NAMES))
    temperature = find_temperature(sure, shapes)
    assert temperature > 3
    found = pixelwise.evaluate(sure, shapes, temperature=temperature, report=tmp_path)
    raw = json.loads((tmp_path / "scores.json").read_text())
    before, after = (
        raw[key]["expected_calibration_error"]
        for key in ("calibration", "calibration_at_temperature")
    )
    assert after < 0.75 * before
    assert raw["temperature"] == temperature
    scaled = Predictor(lambda rgb: TooSure()(rgb) / temperature, Classes.named(NAMES))
    again = pixelwise.evaluate(scaled, shapes)
    assert again.metrics.reliability.error == pytest.approx(after, abs=1e-4)
    assert (again.scores.counts == found.scores.counts).all()


def test_a_calibrated_copy_keeps_its_labels_and_divides_its_logits(
    model: Path, photo: Path, tmp_path: Path
) -> None:
    write_calibrated(model, tmp_path / "copy.safetensors", 2.5)
    write_calibrated(tmp_path / "copy.safetensors", tmp_path / "twice.safetensors", 2.0)
    before = pixelwise.load(model).predict(photo, scores="logits")
    after = pixelwise.load(tmp_path / "twice.safetensors").predict(photo, scores="logits")
    assert (before.labels == after.labels).all()
    np.testing.assert_allclose(
        after.scores["logits"], before.scores["logits"] / 5, rtol=2e-3, atol=1e-3
    )
    assert (after.confidence < before.confidence).all()
    header = load_model(tmp_path / "twice.safetensors")[1]
    assert header.model.temperature == 5.0
    assert header.training == {"seed": 1}


def test_an_export_of_the_copy_has_its_temperature(
    model: Path, photo: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    from pixelwise.inference.backends.onnx_trace import to_onnx
    from pixelwise.inference.backends.sessions import OnnxRunner

    runs = []
    for temperature in (1.0, 4.0):
        write_calibrated(model, tmp_path / "copy.safetensors", temperature)
        (tmp_path / "m.onnx").write_bytes(to_onnx(load_model(tmp_path / "copy.safetensors")[0]))
        runs.append(OnnxRunner(tmp_path / "m.onnx")(np.zeros((1, 3, 64, 64), np.uint8)))
    np.testing.assert_allclose(runs[1], runs[0] / 4, atol=1e-5)


def test_what_cannot_be_calibrated_is_refused(model: Path, shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="exported"):
        write_calibrated(tmp_path / "m.onnx", tmp_path / "copy.safetensors", 2.0)
    with pytest.raises(
        ConfigError, match=r"c\.onnx: .*ends in \.safetensors, then pixelwise export"
    ):
        write_calibrated(model, tmp_path / "c.onnx", 2.0)
    assert not (tmp_path / "c.onnx").exists()
    strangers = Predictor(TooSure(), Classes.named(("a", "b", "c", "d")))
    with pytest.raises(ModelError, match="share no class, which leaves nothing to score"):
        find_temperature(strangers, shapes)


def test_pixels_of_classes_that_the_model_does_not_know_are_left_out(shapes: Path) -> None:
    known = Predictor(lambda rgb: TooSure()(rgb)[:, :2], Classes.named(NAMES[:2]))
    assert 0.05 <= find_temperature(known, shapes) <= 20
