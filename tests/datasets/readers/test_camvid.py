"""CamVid in the SegNet layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.readers import camvid
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError

REAL = Path(__file__).parents[4] / "shared/data/camvid"
OPTIONS = DataOptions()


def make(root: Path, split: str, names: str) -> None:
    for folder in (split, f"{split}annot"):
        (root / folder).mkdir()
    for name in names:
        Image.new("RGB", (4, 3)).save(root / split / f"{name}.png")
        Image.fromarray(np.full((3, 4), 11, np.uint8)).save(root / f"{split}annot" / f"{name}.png")


def test_11_is_void_and_11_classes_are_known(tmp_path: Path) -> None:
    make(tmp_path, "train", "abc")
    data = camvid.read(tmp_path, OPTIONS)
    assert (len(data.classes), data.classes.names[8], data.classes.palette[8]) == (
        11,
        "car",
        (64, 0, 128),
    )
    assert (data.read_labels(data.pairs("train")[0].mask) == 255).all()


def test_a_missing_val_is_held_out_of_train_and_a_test_without_masks_left_out(
    tmp_path: Path,
) -> None:
    make(tmp_path, "train", "abcdefghij")
    (tmp_path / "test").mkdir()
    data = camvid.read(tmp_path, OPTIONS)
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {"train": 8, "val": 2}
    assert "test: left out, as there is no testannot/" in data.notes
    assert "val: 2 of 10 images held out (15 %, seed 0)" in data.notes


def test_masks_in_segnet_colours_are_read(tmp_path: Path) -> None:
    make(tmp_path, "train", "ab")
    path = tmp_path / "trainannot/a.png"
    Image.fromarray(np.array([[[128, 128, 128], [0, 128, 192], [0, 0, 0]]], np.uint8)).save(path)
    np.testing.assert_array_equal(camvid.read(tmp_path, OPTIONS).read_labels(path), [[0, 10, 255]])


def test_another_layout_is_no_camvid(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not CamVid; it needs train/ with images and trainannot/"):
        camvid.read(tmp_path, OPTIONS)


@pytest.mark.skipif(not REAL.is_dir(), reason="CamVid is not beside the repository")
def test_the_real_set_opens_with_its_numbers() -> None:
    data = camvid.read(REAL, OPTIONS)
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {
        "train": 367,
        "val": 101,
        "test": 233,
    }
    pair = data.pairs("test")[0]
    with Image.open(pair.mask) as image:
        raw = np.asarray(image)
    np.testing.assert_array_equal(data.read_labels(pair.mask), np.where(raw == 11, 255, raw))
