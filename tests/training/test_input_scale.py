import json
from pathlib import Path

import numpy as np
import pytest
import torch

import pixelwise
from pixelwise.classes import Classes
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import ConfigError
from pixelwise.inference.predictor import Predictor
from pixelwise.io.images import read_rgb
from pixelwise.models.checkpoint import load_model, read_header
from pixelwise.models.registry import build_model
from pixelwise.models.segmenter import Segmenter
from pixelwise.progress import Progress
from pixelwise.training import input_scale as module
from pixelwise.training.config import TrainConfig
from pixelwise.training.history import read_history
from pixelwise.training.input_scale import (
    ScaleChoice,
    find_input_scale,
    keep_input_scale,
    likely_trials,
)

NAMES = ("background", "circle", "square", "triangle")


class Quiet(Progress):
    def __init__(self) -> None:
        self.lines = list[str]()

    def log(self, text: str) -> None:
        self.lines.append(text)


class Knowing:
    """The truth, but for a share of the pixels that depends on the scale its network looks at."""

    def __init__(self, network: Segmenter, dataset: DataSet, wrong: dict[float, float]) -> None:
        self.network = network
        self.wrong = wrong
        self.seen = list[float]()
        pairs = dataset.pairs("train")
        self.truths = {read_rgb(p.image).tobytes(): dataset.read_labels(p.mask) for p in pairs}

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        self.seen.append(self.network.scale)
        truth = self.truths[np.ascontiguousarray(rgb[0].transpose(1, 2, 0)).tobytes()]
        lost = np.random.default_rng(0).random(truth.shape) < self.wrong[self.network.scale]
        labels = np.where(lost, (truth + 1) % 4, truth)
        return np.eye(4, dtype=np.float32)[labels].transpose(2, 0, 1)[None]


def found(
    shapes: Path, wrong: dict[float, float], count: int = 12, before: float = 1.0
) -> tuple[ScaleChoice, list[float]]:
    """On so many of the training images: the only split here that has enough."""
    network = build_model("linknet", encoder="test_resnet", classes=4)
    dataset = open_dataset(shapes, DataOptions())
    network.scale = before
    runner = Knowing(network, dataset, wrong)
    pairs = dataset.pairs("train")[:count]
    result = find_input_scale(
        network, Predictor(runner, Classes.named(NAMES)), dataset, pairs, Progress()
    )
    assert result.images == len(pairs)
    assert len(runner.seen) == len(pairs) * (1 + len(result.tried)) * bool(result.tried)
    return result, list(dict.fromkeys(runner.seen))


@pytest.mark.parametrize(
    ("wrong", "scale", "tried"),
    [
        ({1.0: 0.2, 0.75: 0.1, 0.5: 0.15}, 0.75, [1, 0.75, 0.5]),
        ({1.0: 0.2, 0.75: 0.1, 0.5: 0.05, 0.25: 0.1}, 0.5, [1, 0.75, 0.5, 0.25]),
        ({1.0: 0.2, 0.75: 0.3, 1.25: 0.1, 1.5: 0.05}, 1.5, [1, 0.75, 1.25, 1.5]),
        ({1.0: 0.1, 0.75: 0.2, 1.25: 0.2}, 1, [1, 0.75, 1.25]),
        ({1.0: 0.1, 0.75: 0.1, 1.25: 0.1}, 1, [1, 0.75, 1.25]),  # as good is no reason
    ],
)
def test_the_scale_is_climbed_to_from_the_images_own_size(
    shapes: Path, wrong: dict[float, float], scale: float, tried: list[float]
) -> None:
    result, seen = found(shapes, wrong)
    assert result.scale == scale
    assert seen == tried
    assert result.tried == tuple(tried[1:])
    assert (result.gain is None) == (scale == 1)
    if result.gain:
        assert 0 < result.gain.low <= result.gain.value
        assert result.why.startswith(
            f"{100 * result.gain.value:+.1f} points of mean IoU beside 1 on 12 validation images"
        )
        assert result.why.endswith(f", for {scale**2:.2f} times the pixels")
    else:
        assert result.why.startswith("neither 0.75 nor 1.25 is clearly better on ")
        assert sorted(seen) == sorted(likely_trials(1, 12))


def test_it_is_climbed_to_from_the_scale_of_training(shapes: Path) -> None:
    result, seen = found(shapes, {0.5: 0.3, 0.25: 0.4, 0.75: 0.2, 1.0: 0.25}, before=0.5)
    assert (result.scale, seen) == (0.75, [0.5, 0.25, 0.75, 1])
    assert " points of mean IoU beside 0.5 on 12 validation images" in result.why
    assert result.why.endswith(", for 2.25 times the pixels")


def test_a_few_images_are_no_reason(shapes: Path) -> None:
    result, seen = found(shapes, {1.0: 0.2, 0.75: 0.1}, count=9)
    assert seen == [] == list(likely_trials(1, 9))
    assert (result.scale, result.gain) == (1, None)
    assert result.why == "9 validation images are too few to find a better one"


def test_a_training_writes_its_scale_into_the_model_and_predicts_so(
    shapes: Path, tmp_path: Path
) -> None:
    options = {
        "encoder": "test_resnet",
        "weights": "none",
        "epochs": 1,
        "crop": (32, 32),
        "precision": "float32",
        "workers": 0,
        "augment": "strong",
        "learning_rate": 3e-3,
        "warmup": 0.04,
        "ema_share": 0.0,
        "bn_batches": 0,
    }
    told, own = (tmp_path / name for name in ("told", "own"))
    pixelwise.train(shapes, told, predict_scale=0.5, **options)
    pixelwise.train(shapes, own, predict_scale=1.0, **options)
    assert (read_header(told).model.scale, read_header(own).model.scale) == (0.5, 1)
    states = [load_model(run)[0].state_dict() for run in (told, own)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert json.loads((told / "run.json").read_text())["result"]["scale"] == {
        "predict_scale": 0.5,
        "why": "as told",
    }
    assert "Predicts at scale" in (told / "report.html").read_text()
    scores = pixelwise.evaluate(told, shapes, split="val").scores
    assert read_history(told / "history.csv")[-1].val_pixel_accuracy == pytest.approx(
        scores.pixel_accuracy, abs=1e-3
    )
    image = next((shapes / "images/val").iterdir())
    half, whole = (
        pixelwise.load(run).predict(image, scores="logits").scores["logits"] for run in (told, own)
    )
    small = pixelwise.load(own).predict(image, scales=(0.5,), scores="logits").scores["logits"]
    assert np.abs(half - small).max() < 0.2 * np.abs(half - whole).max()


def test_a_resumed_training_looks_for_its_scale_anew(shapes: Path, tmp_path: Path) -> None:
    options = {
        "encoder": "test_resnet",
        "weights": "none",
        "epochs": 1,
        "crop": (32, 32),
        "precision": "float32",
        "workers": 0,
    }
    pixelwise.train(shapes, tmp_path, predict_scale=2.0, **options)
    dataset = open_dataset(shapes, DataOptions())
    progress = Quiet()
    config = TrainConfig.from_flat(device="cpu", precision="float32")
    kept = keep_input_scale(tmp_path, dataset, dataset.pairs("train"), config, progress)
    scale = read_header(tmp_path).model.scale
    assert kept["predict_scale"] == scale
    assert scale in {0.5, 0.75, 1, 1.25, 1.5}
    assert progress.lines == [f"predict_scale {scale:g}: {kept['why']}"]


def test_what_goes_wrong_while_trying_costs_no_training(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ConfigError("cuda has too little free memory")

    monkeypatch.setattr(module, "find_input_scale", full)
    options = {
        "encoder": "test_resnet",
        "weights": "none",
        "epochs": 1,
        "crop": (32, 32),
        "precision": "float32",
        "workers": 0,
    }
    progress = Quiet()
    pixelwise.train(shapes, tmp_path, progress=progress, scale=(0.5, 1.0), **options)
    assert read_header(tmp_path).model.scale == 0.75, "as it was trained"
    assert (
        "predict_scale 0.75: no other could be tried: cuda has too little free memory"
        in progress.lines
    )
    assert (tmp_path / "report.html").is_file()


def test_a_scale_that_cannot_be_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"predict_scale is 0.1: allowed is a number from 0.25 to 4.0"
    ):
        TrainConfig.from_flat(predict_scale=0.1)
    config = TrainConfig()
    assert config.with_options(predict_scale=0.25).model.predict_scale == 0.25
