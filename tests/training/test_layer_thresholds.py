from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelwise
from pixelwise.errors import ConfigError
from pixelwise.evaluation.score_layers import evaluate_layers
from pixelwise.models.checkpoint import read_header
from pixelwise.progress import Progress
from pixelwise.training.layer_thresholds import STEPS, choose_thresholds


@pytest.fixture(scope="module")
def run(overlapping: Path, quick: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("multilabel") / "run"
    pixelwise.train(overlapping, path, multilabel=True, epochs=2, **quick)
    return path


def test_the_best_threshold_is_that_next_to_a_half() -> None:
    iou = np.zeros((3, STEPS + 1))
    iou[0, 20:40] = 0.5
    iou[0, 97] = 0.9  # beyond what is tried
    iou[1, 30] = 0.7
    iou[2] = np.nan
    assert choose_thresholds(iou) == (0.39, 0.3, 0.5)


def test_a_training_keeps_the_thresholds_that_are_best_on_val(run: Path, overlapping: Path) -> None:
    header = read_header(run)
    assert header.classes.names == ("blue", "red")
    assert header.model.thresholds is not None
    assert header.reading["multilabel"] is True
    ours = evaluate_layers(run, overlapping, split="val", progress=Progress())
    model = pixelwise.load(run, layers=True)
    for threshold in (0.1, 0.3, 0.5, 0.7, 0.9):
        model.thresholds = (threshold, threshold)
        other = evaluate_layers(model, overlapping, split="val", progress=Progress())
        assert (ours.scores.iou >= other.scores.iou - 2e-3).all()  # half precision


def test_the_report_shows_each_class(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "blue" in page
    assert "one for each pixel and class" in page


@pytest.mark.parametrize(
    "options",
    [
        {"teacher": ("animals",)},
        {"unlabelled": "pool"},
        {"paste": 0.5},
        {"label_smoothing": 0.1},
        {"tree_weight": 0.5},
        {"loss": "lovasz"},
        {"recipe": "d2l"},
    ],
)
def test_what_needs_one_class_a_pixel_is_refused(
    overlapping: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="one class a pixel"):
        pixelwise.train(overlapping, tmp_path / "run", multilabel=True, **options)
