import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import pixelwise
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.scan import scan_split
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError, DataError
from pixelwise.inference.load import load
from pixelwise.progress import Progress
from pixelwise.training.config import TrainConfig
from pixelwise.training.loaders import TrainingSet
from pixelwise.training.losses import cross_entropy
from pixelwise.training.preview import preview
from pixelwise.training.recipes import make_config
from pixelwise.training.transforms import Augmentation


class Lines(Progress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def log(self, text: str) -> None:
        self.said.append(text)


def test_options_go_before_the_recipe_and_the_recipe_before_the_defaults() -> None:
    config = make_config("d2l", encoder="vgg11", epochs=None, batch=4)
    assert (config.model.decoder, config.model.encoder, config.data.batch, config.optim.epochs) == (
        "fcn32s",
        "vgg11",
        4,
        5,
    )
    assert make_config("d2l", minutes=2.0).optim.epochs is None
    portraits = make_config("portraits", decoder="linknet", encoder="resnet18")
    assert (portraits.model.decoder, portraits.model.weights) == ("linknet", "none")
    assert (portraits.optim.decay, portraits.optim.weight_decay) == ("steps", 0)
    assert make_config("default").optim.optimizer == "adamw"
    with pytest.raises(ConfigError, match="did you mean 'd2l'"):
        make_config("d2ll")


def test_a_step_by_the_mean_is_the_books_step_by_the_sum() -> None:
    """Dive into Deep Learning, 14.11.4: mean over height and width, summed over the batch, SGD
    1e-3, decay 1e-3.
    """
    torch.manual_seed(0)
    config = make_config("d2l")
    images = torch.randn(32, 3, 6, 5)
    target = torch.randint(0, 4, (32, 6, 5))
    book = torch.nn.Conv2d(3, 4, 1)
    ours = torch.nn.Conv2d(3, 4, 1)
    ours.load_state_dict(book.state_dict())
    loss = F.cross_entropy(book(images), target, reduction="none").mean(1).mean(1).sum()
    loss.backward()
    torch.optim.SGD(book.parameters(), lr=1e-3, weight_decay=1e-3).step()
    cross_entropy(ours(images), target).backward()
    torch.optim.SGD(
        ours.parameters(), lr=config.optim.learning_rate, weight_decay=config.optim.weight_decay
    ).step()
    assert torch.allclose(book.weight, ours.weight, atol=1e-6)
    assert torch.allclose(book.bias, ours.bias, atol=1e-6)  # type: ignore[arg-type]


def test_the_book_recipe_prints_its_figures_beside_the_corrected_ones(
    shapes: Path, tmp_path: Path
) -> None:
    progress = Lines()
    run = pixelwise.train(
        shapes,
        tmp_path / "run",
        recipe="d2l",
        encoder="test_resnet",
        weights="none",
        crop=(64, 96),
        batch=4,
        epochs=1,
        workers=0,
        progress=progress,
    )
    record = json.loads((run.path / "run.json").read_text())
    config = record["config"]
    book = record["d2l"]
    assert (config["recipe"], config["optimizer"], config["plain"], config["drop_small"]) == (
        "d2l",
        "sgd",
        True,
        True,
    )
    assert book["loss"] == pytest.approx(run.history[-1].train_loss)
    assert (book["crops"], book["images"]) == (4, 4)
    # the images are of the crop's size, so the book's crops are the whole images: count them here
    # as the book does
    data = open_dataset(shapes, DataOptions())
    predictor = load(run.path)
    right = total = 0
    for pair in data.pairs("val"):
        truth = data.read_labels(pair.mask)
        truth = np.where(truth == 255, 0, truth)
        right += int((predictor.predict(pair.image).labels == truth).sum())
        total += truth.size
    assert book["test_accuracy"] == pytest.approx(right / total, abs=1e-3)
    assert any(line.startswith("as the book counts: loss") for line in progress.said)
    assert any(line.startswith("corrected: pixel accuracy") for line in progress.said)


def test_small_images_are_dropped_and_counted(shapes: Path, tmp_path: Path) -> None:
    progress = Lines()
    with pytest.raises(
        DataError, match="every training image is below 96 x 96: choose a smaller --crop"
    ):
        pixelwise.train(
            shapes,
            tmp_path / "run",
            recipe="d2l",
            weights="none",
            crop=(96, 96),
            batch=4,
            epochs=1,
            workers=0,
            progress=progress,
        )
    assert "12 of 12 images are below 96 x 96: dropped" in progress.said


def test_void_becomes_background_only_where_asked(shapes: Path) -> None:
    data = open_dataset(shapes, DataOptions())
    pairs = scan_split(data, "train", progress=Progress()).pairs
    padded = Augmentation(
        (128, 128), scale=(1.0, 1.0), jitter=0.0, mirror=False
    )  # larger than the images: void around
    honest, book = (
        TrainingSet(pairs, data.read_labels, padded, 0, void_as=value) for value in (255, 0)
    )
    labels = honest[1, 0][1]
    changed = book[1, 0][1]
    assert (labels == 255).any()
    assert torch.equal(changed, torch.where(labels == 255, 0, labels))


def test_a_training_begins_with_the_weights_of_its_start(shapes: Path, tmp_path: Path) -> None:
    first = pixelwise.train(
        shapes,
        tmp_path / "first",
        decoder="fcn32s",
        encoder="test_resnet",
        weights="none",
        crop=(64, 96),
        epochs=1,
        batch=4,
        workers=0,
        precision="float32",
    )
    progress = Lines()
    second = pixelwise.train(
        shapes,
        tmp_path / "second",
        decoder="fcn16s",
        encoder="test_resnet",
        start=str(first.path),
        crop=(64, 96),
        epochs=1,
        batch=4,
        workers=0,
        precision="float32",
        learning_rate=1e-8,
        progress=progress,
    )
    assert any("begin at zero (decoder.scores.16" in line for line in progress.said)
    a, b = (load(run.path).runner.model.decoder.scores["32"].weight for run in (first, second))  # type: ignore
    assert torch.allclose(a, b, atol=1e-5)


def test_a_preview_shows_what_the_network_will_see_and_leaves_the_way_free(
    shapes: Path, tmp_path: Path
) -> None:
    from PIL import Image

    config = make_config(
        "default",
        encoder="test_resnet",
        weights="none",
        crop=(32, 64),
        epochs=1,
        batch=4,
        workers=0,
        precision="float32",
        decoder="fcn32s",
    )
    path = preview(shapes, tmp_path / "run", config=config)
    assert path == tmp_path / "run/preview.png"
    with Image.open(path) as picture:
        assert picture.size[0] > 1000
    assert pixelwise.train(shapes, tmp_path / "run", config=config).path == tmp_path / "run"


def test_an_unknown_option_is_answered_with_the_nearest(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        pixelwise.train(shapes, tmp_path / "run", epoch=1)


@pytest.mark.parametrize("option", [{"epochs": 3}, {"skip_broken": True}])
def test_an_option_beside_a_config_is_sent_there(
    shapes: Path, tmp_path: Path, option: dict[str, object]
) -> None:
    with pytest.raises(
        ConfigError, match=f"'{next(iter(option))}' is given beside a config, which has it"
    ):
        pixelwise.train(shapes, tmp_path / "run", config=TrainConfig(), **option)
