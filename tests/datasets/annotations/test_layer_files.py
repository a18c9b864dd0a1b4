from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.errors import DataError


def write(path: Path, *boxes: tuple[int, int, int, int]) -> None:
    """A mask of 20 x 30 with some boxes (top, left, bottom, right)."""
    mask = np.zeros((20, 30), np.uint8)
    for top, left, bottom, right in boxes:
        mask[top:bottom, left:right] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


def photo(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(shade).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def test_a_folder_an_image_with_a_mask_for_each_object(tmp_path: Path) -> None:
    for number in range(3):
        name = f"{number:08x}" * 4
        photo(tmp_path / f"stage1_train/{name}/images/{name}.png", number)
        for part in range(number + 1):
            corner = 4 * part
            file = f"{7 * number + part + 1:032x}.png"
            write(
                tmp_path / f"stage1_train/{name}/masks/{file}", (corner, 0, corner + 3, 5 + number)
            )
    data = open_dataset(tmp_path)
    assert data.classes.names == ("background", "foreground")
    pairs = [pair for split in data.splits for pair in data.pairs(split)]
    assert len(pairs) == 3
    for pair in pairs:
        number = int(pair.name[:8], 16)
        assert (data.read_labels(pair.mask) == 1).sum() == (number + 1) * 3 * (5 + number)


def test_two_sets_of_one_image_each_are_no_folders_of_images(tmp_path: Path) -> None:
    for name in ("north", "south"):
        photo(tmp_path / f"{name}/images/a.png", len(name))
        write(tmp_path / f"{name}/masks/a.png", (1, 1, 5, 5))
    with pytest.raises(DataError, match="holds 2 data sets"):
        open_dataset(tmp_path)


def test_layers_in_numbered_folders_that_mean_nothing(tmp_path: Path) -> None:
    for number in range(4):
        photo(tmp_path / f"CelebA-HQ-img/{number}.jpg", number)
        folder = tmp_path / f"CelebAMask-HQ-mask-anno/{number // 2}"
        write(folder / f"{number:05d}_skin.png", (0, 0, 10, 10 + number))
        write(folder / f"{number:05d}_l_eye.png", (2, 2, 4, 5))
    data = open_dataset(tmp_path)
    assert data.classes.names == ("background", "l_eye", "skin")
    pairs = [pair for split in data.splits for pair in data.pairs(split)]
    assert sorted(pair.name for pair in pairs) == ["0", "1", "2", "3"]
    for pair in pairs:
        labels = data.read_labels(pair.mask)
        # the eye lies on the skin, whatever the names
        assert (labels == 1).sum() == 6
        assert (labels == 2).sum() == 10 * (10 + int(pair.name)) - 6


def test_one_ending_that_no_rule_of_names_knows_is_a_class(tmp_path: Path) -> None:
    for number in range(3):
        photo(tmp_path / f"images/set_a_{number}_l.png", number)
        write(tmp_path / f"masks/set_a_{number}_l_leaf.png", (1, 1, 5, 5 + number))
    data = open_dataset(tmp_path)
    assert data.classes.names == ("background", "leaf")
    pairs = [pair for split in data.splits for pair in data.pairs(split)]
    counts = {pair.name: int((data.read_labels(pair.mask) == 1).sum()) for pair in pairs}
    assert counts == {"set_a_0_l": 16, "set_a_1_l": 20, "set_a_2_l": 24}


def test_folders_of_classes_with_parts_stay_classes(tmp_path: Path) -> None:
    for name, folder in (("a", "cat"), ("b", "dog")):
        photo(tmp_path / f"images/{name}.png", ord(name))
        write(tmp_path / f"masks/{folder}/{name}_1.png", (0, 0, 3, 3))
        write(tmp_path / f"masks/{folder}/{name}_2.png", (5, 5, 9, 9))
    with pytest.raises(DataError):
        open_dataset(tmp_path)
