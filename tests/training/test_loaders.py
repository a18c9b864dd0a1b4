import shutil
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pixelwise
from pixelwise.classes import Classes
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.errors import ImageError, TrainingError
from pixelwise.inference.predictor import Predictor
from pixelwise.models.picture_sizes import PictureSizes
from pixelwise.training.loaders import (
    Epochs,
    FixedBatches,
    TrainingSet,
    WholeImages,
    reraise_clean,
    shutdown_workers,
    training_loader,
    validation_loader,
)
from pixelwise.training.transforms import Augmentation


def batches(folder: Path, *, workers: int, epoch: int, seed: int = 0) -> list[torch.Tensor]:
    data = open_dataset(folder)
    dataset = TrainingSet(data.pairs("train"), data.read_labels, Augmentation((32, 32)), seed)
    loader, epochs = training_loader(dataset, batch=5, workers=workers)
    epochs.epoch = epoch
    return [part for batch in loader for part in batch]


def test_samples_do_not_depend_on_the_number_of_workers(shapes: Path) -> None:
    alone = batches(shapes, workers=0, epoch=2)
    two = batches(shapes, workers=2, epoch=2)
    assert len(alone) == 4  # two whole batches of 12 images, image and target each
    assert all(torch.equal(a, b) for a, b in zip(alone, two, strict=True))


@pytest.mark.parametrize(("epoch", "seed"), [(3, 0), (2, 1)])
def test_samples_depend_on_epoch_and_seed(shapes: Path, epoch: int, seed: int) -> None:
    assert not torch.equal(
        batches(shapes, workers=0, epoch=2)[0],
        batches(shapes, workers=0, epoch=epoch, seed=seed)[0],
    )


def test_an_epoch_shows_every_image_once() -> None:
    epochs = Epochs(50, seed=1)
    epochs.epoch = 4
    items = list(epochs)
    assert sorted(index for _, index in items) == list(range(50))
    assert {epoch for epoch, _ in items} == {4}
    assert items != sorted(items)


def test_a_round_of_several_epochs_is_these_epochs_one_after_the_other() -> None:
    alone = Epochs(50, seed=1, part=(1, 4))
    items = []
    for epoch in (4, 5, 6):
        alone.epoch = epoch
        items += list(alone)
    together = Epochs(50, seed=1, part=(1, 4))
    together.epoch = 4
    together.passes = 3
    assert list(together) == items
    assert len(together) == 36


def test_the_batches_for_statistics_are_the_same_each_time(shapes: Path) -> None:
    data = open_dataset(shapes)
    dataset = TrainingSet(data.pairs("train"), data.read_labels, Augmentation((32, 32)), 0)
    fixed = FixedBatches(dataset, batch=5, count=3)
    first = list(fixed)
    assert [tuple(images.shape) for images in first] == [(5, 3, 32, 32)] * 3
    assert all(torch.equal(a, b) for a, b in zip(first, fixed, strict=True))
    assert torch.equal(first[2][2], dataset[0, 0][0])  # the 13th of 12 images


def test_a_set_smaller_than_the_batch_still_gives_one(shapes: Path) -> None:
    data = open_dataset(shapes)
    dataset = TrainingSet(data.pairs("val"), data.read_labels, Augmentation((32, 32)), 0)
    loader, _ = training_loader(dataset, batch=100, workers=0)
    assert [len(image) for image, _ in loader] == [4]


def test_validation_shows_whole_images_and_cuts_only_huge_ones(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = open_dataset(shapes)
    whole = list(validation_loader(WholeImages(data.pairs("val"), data.read_labels), workers=0))
    assert [len(tiles) for tiles in whole] == [1] * 4
    assert whole[0][0][0].shape == (1, 3, 64, 96)
    monkeypatch.setattr("pixelwise.training.loaders.VALIDATION_TILE", 50)
    cut = WholeImages(data.pairs("val"), data.read_labels)[0]
    assert [tuple(target.shape[1:]) for _, target in cut] == [
        (50, 50),
        (50, 46),
        (14, 50),
        (14, 46),
    ]
    assert sum(target.eq(1).sum() for _, target in cut) == whole[0][0][1].eq(1).sum()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_breaks_in_mid_training_is_told_in_one_line(
    shapes: Path, tmp_path: Path, workers: int
) -> None:
    data = open_dataset(shutil.copytree(shapes, tmp_path / "set"))
    pairs = data.pairs("val")
    pairs[0].image.write_bytes(b"")
    loader = validation_loader(WholeImages(pairs, data.read_labels), workers=workers)
    with pytest.raises(ImageError) as caught, shutdown_workers(loader):
        list(reraise_clean(loader))
    assert str(caught.value).startswith(f"{pairs[0].image}: cannot be read as an image")
    assert "\n" not in str(caught.value)


def test_whatever_breaks_a_training_leaves_no_workers(
    shapes: Path, tmp_path: Path, quick: dict[str, Any], broken: Any
) -> None:
    with pytest.raises(RuntimeError, match="broken") as held:
        pixelwise.train(
            shapes, tmp_path / "run", epochs=1, progress=broken, **{**quick, "workers": 1}
        )
    left = active_children()
    del held  # which holds every frame, and so the loaders: with workers left no process ends
    assert not left


UNGUARDED = """
import multiprocessing, sys
multiprocessing.set_start_method("spawn")
import pixelwise
pixelwise.train(
    sys.argv[1], sys.argv[2], encoder="test_resnet", decoder="fcn32s", weights="none", epochs=1,
    workers=1, crop=(32, 32), batch=4, precision="float32"
)
"""


def test_a_script_without_a_guard_is_told_the_line_that_it_needs(
    shapes: Path, tmp_path: Path
) -> None:
    """Under the start method of Windows and macOS."""
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    words = [sys.executable, str(script), str(shapes), str(tmp_path / "run")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'call pixelwise.train under the line `if __name__ == "__main__":`' in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("pixelwise.errors.TrainingError: a process that reads images has ended")
    assert "another command" not in done.stderr


@pytest.mark.parametrize(
    ("text", "method", "advice"),
    [
        ("DataLoader worker (pid 7) is killed by signal: Killed. ", "fork", "want of memory"),
        ("DataLoader worker (pid(s) 7) exited unexpectedly", "fork", "shows what is wrong"),
        ("DataLoader worker (pid(s) 7) exited unexpectedly", "spawn", "__main__"),
    ],
)
def test_a_worker_that_is_gone_is_told_with_what_to_do(
    text: str, method: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise RuntimeError(text)

    monkeypatch.setattr("pixelwise.training.loaders._start_method", lambda _: method)
    with pytest.raises(TrainingError, match=advice):
        list(reraise_clean(failing()))


def test_other_errors_of_a_loader_stay_what_they_are() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise RuntimeError("stack expects each tensor to be equal size")

    with pytest.raises(RuntimeError, match="stack expects"):
        list(reraise_clean(failing()))


def test_validation_looks_at_images_of_another_size_as_predictions_do(shapes: Path) -> None:
    data = open_dataset(shapes)
    pairs = data.pairs("val")
    sizes = PictureSizes(side=30, smallest=20, largest=40, framed=True)
    ((image, labels),) = WholeImages(pairs, data.read_labels, sizes=sizes)[0]
    size = sizes.view_size(64, 96)
    assert (tuple(image.shape), tuple(labels.shape)) == ((1, 3, *size), (1, *size))
    seen = list[np.ndarray]()

    def keep(rgb: np.ndarray) -> np.ndarray:
        seen.append(rgb)
        return rgb.astype(np.float32)

    predictor = Predictor(keep, Classes.named(("a", "b", "c")))
    predictor.sizes = sizes
    predictor.predict(pairs[0].image)
    assert np.array_equal(image.numpy(), seen[0])
