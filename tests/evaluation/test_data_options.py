import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import pixelwise
from pixelwise.classes import Classes
from pixelwise.cli.main import app
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError, ModelError
from pixelwise.evaluation.compare_models import compare
from pixelwise.evaluation.data_options import training_data_options
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter
from pixelwise.progress import Progress

CONFIG = ModelConfig("fcn32s", "test_resnet", 2)
READING = {"seed": 5, "val_fraction": 0.25, "matte_threshold": 7}


class Said(Progress):
    def __init__(self) -> None:
        self.lines = list[str]()

    def log(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 images that nobody has dealt out."""
    folder = tmp_path_factory.mktemp("flat")
    rng = np.random.default_rng(0)
    for kind, shape, high in ("images", (32, 32, 3), 256), ("masks", (32, 32), 2):
        (folder / kind).mkdir()
        for number in range(24):
            Image.fromarray(rng.integers(0, high, shape, dtype=np.uint8)).save(
                folder / kind / f"{number:02}.png"
            )
    (folder / "classes.txt").write_text("a\nb\n")
    return folder


def saved(path: Path, training: dict) -> Path:
    save_model(path, build_segmenter(CONFIG), Header(CONFIG, Classes.named(("a", "b")), training))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("model") / "m.safetensors", {"reading": READING})


def dealt(data: Path, split: str, **options: object) -> set[str]:
    return {pair.name for pair in open_dataset(data, DataOptions(**options)).pairs(split)}  # type: ignore[arg-type]


def test_a_model_is_scored_on_the_images_that_its_training_held_out(
    model: Path, data: Path, tmp_path: Path
) -> None:
    held = dealt(data, "test", seed=5, val_fraction=0.25)
    assert {name for name, _ in pixelwise.evaluate(model, data).by_image} == held
    assert held & dealt(data, "train"), (
        "with the defaults, images it has learned from would be scored"
    )
    for words, wanted in (
        ([], held),
        (["--seed", "0"], dealt(data, "test", seed=0, val_fraction=0.25)),
    ):
        scores = tmp_path / "scores.json"
        done = CliRunner().invoke(
            app, ["evaluate", str(model), str(data), "--json", str(scores), *words]
        )
        assert done.exit_code == 0, done.output
        assert {
            row["image"] for row in json.loads(scores.read_text())["mean_iou_by_image"]
        } == wanted


def test_what_is_given_comes_before_what_the_training_had(model: Path) -> None:
    assert training_data_options(model) == DataOptions(**READING)  # type: ignore[arg-type]
    assert training_data_options(pixelwise.load(model), seed=1, format=None) == DataOptions(
        **{**READING, "seed": 1}
    )  # type: ignore[arg-type]
    assert training_data_options("scores.json", matte_threshold=1) == DataOptions(matte_threshold=1)
    with pytest.raises(ConfigError, match="matte_threshold 0"):
        training_data_options(model, matte_threshold=0)


def test_a_reading_of_another_type_is_refused(tmp_path: Path) -> None:
    model = saved(tmp_path / "m.safetensors", {"reading": {**READING, "val_fraction": "0.25"}})
    with pytest.raises(ModelError, match=r"its header says.*copy it again"):
        training_data_options(model)


def test_models_that_were_trained_on_other_splits_are_compared_with_a_word(
    model: Path, data: Path, tmp_path: Path
) -> None:
    other = saved(tmp_path / "other.safetensors", {})
    said = Said()
    found = compare([model, other], data, progress=said)
    assert set(found.images) == dealt(data, "test", seed=5, val_fraction=0.25)
    told = [
        line for line in said.lines if "may have learned from images that are scored here" in line
    ]
    assert len(told) == 1
    assert told[0].startswith(
        "other.safetensors was trained with seed 0, val_fraction 0.15, matte_threshold 128, "
        "unlike m."
    )
    same = Said()
    compare(
        [model, saved(tmp_path / "same.safetensors", {"reading": READING})], data, progress=same
    )
    assert not any("may have learned" in line for line in same.lines)
