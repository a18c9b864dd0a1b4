from pathlib import Path

import numpy as np
import pytest

import pixelwise
from pixelwise.classes import Classes
from pixelwise.errors import ConfigError, DataError
from pixelwise.evaluation import tune_inference as module
from pixelwise.evaluation.tune_inference import SCALES, InferenceSetting, tune_inference
from pixelwise.inference.predictor import Predictor
from pixelwise.metrics.bootstrap import Difference

NAMES = ("background", "circle", "square", "triangle")


class Uneven:
    """A guess from the colours that is worse the more pixels it sees, and worse still at the
    left.
    """

    def __init__(self) -> None:
        self.seen = list[tuple[int, ...]]()

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        self.seen.append(rgb.shape)
        level = rgb[:, 0].astype(np.float32) / 64
        logits = np.stack([-2 * np.abs(level - k) for k in range(4)], axis=1)
        noise = np.random.default_rng(0).normal(size=logits.shape).astype(np.float32)
        return logits + noise * rgb.shape[2] / 100 * np.linspace(
            2, 1, rgb.shape[3], dtype=np.float32
        )


def test_each_way_scores_as_evaluate_does_with_its_options(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIN_GAIN", -1)
    model = Predictor(Uneven(), Classes.named(NAMES))
    found = tune_inference(model, shapes)
    assert len(found) == 50, "all of them"
    for way in found[::7]:
        same = model.always(tta=way.tta, scales=way.scales)
        assert way.mean_iou == pytest.approx(
            pixelwise.evaluate(same, shapes, split="val").scores.mean_iou, abs=1e-3
        )
    plain = next(way for way in found if not way.options)
    for way in found:
        assert way.gain.value == pytest.approx(way.mean_iou - plain.mean_iou)
        assert way.gain.low <= way.gain.value <= way.gain.high


def test_only_ways_that_beat_every_cheaper_one_are_named_and_an_image_is_labelled_once_at_each_size(
    shapes: Path,
) -> None:
    runner = Uneven()
    found = tune_inference(Predictor(runner, Classes.named(NAMES)), shapes)
    assert len(runner.seen) == 2 * len(SCALES) * len(list((shapes / "images/val").iterdir()))
    works = [way.work for way in found]
    scores = [way.mean_iou for way in found if way.options]
    assert works == sorted(works)
    assert scores == sorted(scores)
    assert found[0].scales == (0.5,), "the cheapest, and here better than the image's own size"


def test_work_and_options_of_a_way() -> None:
    nothing = Difference(0.0, 0.0, 0.0, 0.0)
    assert (
        InferenceSetting((1.0,), False, 0.5, nothing).work,
        InferenceSetting((1.0,), False, 0.5, nothing).options,
    ) == (
        1,
        "",
    )
    way = InferenceSetting((0.5, 1.0), True, 0.5, nothing)
    assert (way.work, way.options) == (2.5, "--tta --scale 0.5 --scale 1")
    assert InferenceSetting((1.0,), True, 0.5, nothing).options == "--tta"


def test_images_that_do_not_fit_are_named_and_none_is_an_error(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_LOGITS_BYTES", 1)
    with pytest.raises(DataError, match="no pixel of val can be scored"):
        tune_inference(Predictor(Uneven(), Classes.named(NAMES)), shapes)


def test_the_command_names_ways_and_refuses_what_it_does_not_heed(
    shapes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pixelwise.cli.evaluate import evaluate

    monkeypatch.setattr(
        "pixelwise.inference.load.load", lambda *_, **__: Predictor(Uneven(), Classes.named(NAMES))
    )
    evaluate(Path("model"), shapes, ways=True)
    said = capsys.readouterr().out
    assert "--scale 0.5" in said
    assert "Chosen on val" in said
    with pytest.raises(ConfigError, match="leave out --json, --tta"):
        evaluate(Path("model"), shapes, ways=True, json=Path("scores.json"), tta=True)
