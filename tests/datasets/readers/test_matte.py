"""Portraits and their alpha mattes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.readers import matte
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError, DataError

REAL = Path(__file__).parents[4] / "shared/data/portraits"


def make(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.new("RGB", (4, 3)).save(folder / f"{index:02}.jpg")
        Image.fromarray(np.full((3, 4), 100, np.uint8)).save(folder / f"{index:02}_matte.png")


def test_val_is_held_out_of_training_and_testing_is_test(tmp_path: Path) -> None:
    make(tmp_path / "training", 20)
    make(tmp_path / "testing", 4)
    data = matte.read(tmp_path, DataOptions())
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {
        "train": 17,
        "val": 3,
        "test": 4,
    }
    assert data.classes.names == ("background", "person")
    assert "val: 3 of 20 images held out (15 %, seed 0)" in data.notes


def test_a_flat_folder_gives_val_and_test(tmp_path: Path) -> None:
    make(tmp_path, 20)
    data = matte.read(tmp_path, DataOptions(seed=3))
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {
        "train": 14,
        "val": 3,
        "test": 3,
    }
    assert "test: 3 of 20 images held out (15 %, seed 3)" in data.notes


@pytest.mark.parametrize(("threshold", "label"), [(100, 1), (101, 0)])
def test_the_threshold_decides(tmp_path: Path, threshold: int, label: int) -> None:
    make(tmp_path, 2)
    data = matte.read(tmp_path, DataOptions(matte_threshold=threshold))
    assert (data.read_labels(data.pairs("val")[0].mask) == label).all()
    assert any(f"alpha of {threshold} or more is person" in note for note in data.notes)


def test_an_image_without_matte_is_named(tmp_path: Path) -> None:
    make(tmp_path, 2)
    Image.new("RGB", (4, 3)).save(tmp_path / "lonely.jpg")
    with pytest.raises(
        DataError, match=r"1 image without mask \(lonely.jpg\) \(of 3 images and 2 masks\)"
    ):
        matte.read(tmp_path, DataOptions())


def test_no_mattes_are_refused_and_so_is_an_impossible_threshold(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no mattes; it needs x.jpg beside x_matte.png"):
        matte.read(tmp_path, DataOptions())
    with pytest.raises(ConfigError, match="matte_threshold 0: choose an alpha from 1 to 255"):
        DataOptions(matte_threshold=0)


@pytest.mark.skipif(not REAL.is_dir(), reason="the portraits are not beside the repository")
def test_the_real_portraits_open_with_their_numbers() -> None:
    data = matte.read(REAL, DataOptions(matte_threshold=128))
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {
        "train": 170,
        "val": 30,
        "test": 60,
    }
    pair = data.pairs("test")[0]
    with Image.open(pair.mask) as image:
        np.testing.assert_array_equal(data.read_labels(pair.mask), np.asarray(image) >= 128)
