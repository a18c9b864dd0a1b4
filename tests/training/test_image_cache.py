import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.training.image_cache import ImageCache
from pixelwise.training.loaders import TrainingSet, training_loader
from pixelwise.training.transforms import Augmentation

SIZES = [(4, 6), (10, 3), (5, 5)]


def drawn(index: int) -> tuple[np.ndarray, np.ndarray]:
    dice = np.random.default_rng(index)
    return dice.integers(0, 256, (*SIZES[index], 3), np.uint8), dice.integers(
        0, 256, SIZES[index], np.uint8
    )


def asked(kept: ImageCache, index: int, calls: list[int]) -> None:
    """Ask for a pair and check it."""

    def decode() -> tuple[np.ndarray, np.ndarray]:
        calls.append(index)
        return drawn(index)

    found = kept.pair(index, decode)
    assert all(np.array_equal(a, b) for a, b in zip(found, drawn(index), strict=True))
    for array in found:
        array[:] = 0  # the caller's own


@pytest.mark.parametrize(
    ("budget", "twice"),
    [(10**6, []), (4 * (24 + 30), [2]), (4 * 24 - 1, [0, 1, 2]), (0, [0, 1, 2])],
)
def test_what_fits_the_budget_is_decoded_once(budget: int, twice: list[int]) -> None:
    kept = ImageCache(SIZES, budget)
    calls = list[int]()
    for _ in range(2):
        for index in (2, 0, 1):
            asked(kept, index, calls)
    assert sorted(calls) == sorted([0, 1, 2, *twice])
    assert kept.bytes <= budget


def test_a_copy_for_a_process_that_is_not_forked_holds_nothing_and_works() -> None:
    kept = pickle.loads(pickle.dumps(ImageCache(SIZES, 10**6)))
    calls = list[int]()
    for _ in range(2):
        asked(kept, 1, calls)
    assert calls == [1, 1]


def test_a_file_that_changed_its_size_is_not_kept() -> None:
    kept = ImageCache([(7, 7), *SIZES[1:]], 10**6)
    rgb, _ = kept.pair(0, lambda: drawn(0))
    assert rgb.shape == (4, 6, 3)
    asked(kept, 1, [])


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # on one core
@pytest.mark.parametrize("workers", [0, 2])
def test_samples_are_those_without_it_and_workers_share_it(
    shapes: Path, tmp_path: Path, workers: int
) -> None:
    data = open_dataset(shapes)
    pairs = data.pairs("train")
    read = tmp_path / "read"
    read.touch()

    def counted(path: Path) -> np.ndarray:
        with read.open("a") as file:  # seen from all processes
            file.write(f"{path.name}\n")
        return data.read_labels(path)

    def samples(decoded: ImageCache | None) -> list[torch.Tensor]:
        dataset = TrainingSet(pairs, counted, Augmentation((32, 32)), 0, cache=decoded)
        loader, epochs = training_loader(dataset, batch=5, workers=workers)
        found = []
        for epoch in (1, 2, 3):
            epochs.epoch = epoch
            found += [part for batch in loader for part in batch]
        return found

    wanted = samples(None)
    before = len(read.read_text().splitlines())
    found = samples(ImageCache([(64, 96)] * len(pairs), 10**6))
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    names = read.read_text().splitlines()[before:]
    assert len(names) == len(set(names)) <= len(pairs)
