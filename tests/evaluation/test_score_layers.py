import json
from pathlib import Path

import numpy as np
import pytest

from pixelwise.classes import Classes
from pixelwise.errors import ConfigError, ModelError
from pixelwise.evaluation.score_layers import evaluate_layers
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.tta import Pixels
from pixelwise.progress import Progress

READING = {"multilabel": True, "progress": Progress()}


def predictor(*names: str) -> LayerPredictor:
    """Knows red and blue by their colours, and takes the left quarter for no class."""

    def run(rgb: Pixels) -> np.ndarray:
        channels = [0 if name == "red" else 2 for name in names]
        logits = np.where(rgb[:, channels] > 100, 4.0, -4.0).astype(np.float32)
        logits[..., :12] = -4
        return logits

    colours = ((255, 0, 0), (0, 0, 255), (9, 9, 9))
    classes = Classes(names, colours[: len(names)])
    return LayerPredictor(run, classes, thresholds=[0.5] * len(names))


def test_each_class_is_scored_by_itself(overlapping: Path, tmp_path: Path) -> None:
    result = evaluate_layers(
        predictor("red", "blue"), overlapping, split="train", report=tmp_path, **READING
    )
    assert result.classes.names == ("blue", "red")
    truth = json.loads((tmp_path / "scores.json").read_text())
    assert truth["precision"] == {"blue": 1.0, "red": 1.0}  # where they overlap too
    by_image = [row["right"] for row in truth["mean_iou_by_image"]]
    assert truth["recall"]["red"] == pytest.approx(
        sum(r for _, r in by_image) / (8 * 400), abs=1e-5
    )
    assert truth["iou"] == truth["recall"]
    assert truth["thresholds"] == {"blue": 0.5, "red": 0.5}
    page = (tmp_path / "report.html").read_text()
    assert "one for each pixel and class" in page
    assert "Confusion matrix" not in page


def test_classes_are_matched_by_name(overlapping: Path) -> None:
    result = evaluate_layers(predictor("red", "green"), overlapping, **READING)
    assert result.classes.names == ("red",)
    assert any("green" in note for note in result.notes)
    with pytest.raises(ModelError, match="no class has the same name"):
        evaluate_layers(predictor("green"), overlapping, **READING)


def test_data_of_one_class_a_pixel_is_refused(overlapping: Path) -> None:
    with pytest.raises(ConfigError, match="read it with multilabel"):
        evaluate_layers(predictor("red"), overlapping, progress=Progress())
