import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise
from pixelwise.errors import OutputError, TrainingError
from pixelwise.models.checkpoint import load_model
from pixelwise.training import plan
from pixelwise.training.config import ModelOptions
from pixelwise.training.history import read_history
from pixelwise.training.run import describe_start


def test_a_run_folder_holds_what_the_contract_names(
    drawn: None, shapes: Path, tmp_path: Path, quick: dict[str, Any], listener: Any
) -> None:
    run = pixelwise.train(shapes, tmp_path / "run", epochs=2, progress=listener, **quick)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "model.safetensors",
        "run.json",
        "history.csv",
        "curves.png",
        "samples.png",
        "report.html",
        "state",
    }
    assert run._repr_png_() == (tmp_path / "run/curves.png").read_bytes()
    rows = read_history(tmp_path / "run/history.csv")
    assert [row.epoch for row in rows] == [1, 2]
    assert run.best.val_mean_iou == max(row.val_mean_iou for row in run.history)
    assert all(math.isfinite(row.train_loss) for row in rows)
    _, header = load_model(tmp_path / "run")
    assert header.classes.names == ("background", "circle", "square", "triangle")
    assert header.training["start"] == {"name": "test_resnet, none", "licence": ""}
    assert any("folder" in line for line in listener.lines)


def test_training_learns(shapes: Path, tmp_path: Path, quick: dict[str, Any]) -> None:
    run = pixelwise.train(
        shapes, tmp_path / "run", epochs=8, **{**quick, "crop": (64, 96), "decoder": "light"}
    )
    assert run.history[-1].train_loss < 0.75 * run.history[0].train_loss


def test_twelve_photos_and_few_steps_give_a_model_that_knows_them(
    tmp_path: Path, quick: dict[str, Any]
) -> None:
    """What is saved, with averages of weights and statistics, is as good as what was trained."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 2)):
        for part in ("images", "masks"):
            (tmp_path / "data" / part / split).mkdir(parents=True)
        for number in range(count):
            labels = np.zeros((64, 64), np.uint8)
            top, left = rng.integers(0, 32, 2)
            labels[top : top + 32, left : left + 32] = 1
            light = rng.uniform(60, 120) + 70.0 * labels[..., None]
            rgb = np.clip(light + rng.normal(0, 20, (64, 64, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(rgb).save(tmp_path / f"data/images/{split}/{number}.png")
            Image.fromarray(labels).save(tmp_path / f"data/masks/{split}/{number}.png")
    options = {**quick, "crop": None, "batch": None, "decoder": "light"}
    run = pixelwise.train(tmp_path / "data", tmp_path / "run", epochs=25, **options)
    scores = pixelwise.evaluate(run.path, tmp_path / "data", split="train").scores
    assert scores.mean_iou > 0.85


def test_one_seed_gives_one_run_whatever_the_workers(
    shapes: Path, tmp_path: Path, quick: dict[str, Any], read_weights: Any
) -> None:
    for name, workers in (("a", 0), ("b", 2)):
        pixelwise.train(shapes, tmp_path / name, epochs=2, **{**quick, "workers": workers})
    a = read_weights(tmp_path / "a")
    b = read_weights(tmp_path / "b")
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_stop_before_the_first_epoch_says_that_there_is_no_model(
    shapes: Path, tmp_path: Path, quick: dict[str, Any], stopper: Any
) -> None:
    with pytest.raises(TrainingError, match="no model yet"):
        pixelwise.train(shapes, tmp_path / "run", epochs=2, progress=stopper(1), **quick)


def test_a_run_folder_that_exists_is_refused(
    shapes: Path, tmp_path: Path, quick: dict[str, Any]
) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(OutputError, match="--resume"):
        pixelwise.train(shapes, tmp_path, **quick)


def test_large_images_are_looked_at_smaller_from_training_to_prediction(
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: dict[str, Any],
    listener: Any,
) -> None:
    monkeypatch.setattr(
        plan,
        "measure_downscaled_masks",
        lambda dataset, pairs, scales: dict.fromkeys(scales, 0.985),
    )
    run = pixelwise.train(
        shapes, tmp_path / "run", epochs=1, augment="strong", progress=listener, **quick
    )  # 64 x 96, crops of 32 x 32
    assert any(
        line == "scale 0.5 to 1.0: 0.5 times that of 'strong': crops show 50% to 100% of an "
        "image's sides, and masks keep "
        "0.985 of mean IoU"
        for line in listener.lines
    )
    assert load_model(run.path)[1].model.scale == 0.75
    scores = pixelwise.evaluate(run.path, shapes, split="val").scores
    assert run.history[-1].val_pixel_accuracy == pytest.approx(scores.pixel_accuracy, abs=1e-3)


def test_a_model_knows_what_its_training_began_with() -> None:
    assert describe_start(ModelOptions()) == {
        "name": "tf_efficientnet_lite0, auto",
        "licence": "apache-2.0",
    }
    began = describe_start(ModelOptions(start="animals"))
    assert began == {"name": "the model animals", "licence": "apache-2.0"}
