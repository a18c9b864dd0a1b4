from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError


def test_alpha_is_read_in_levels_beside_the_classes(tmp_path: Path) -> None:
    for number in range(4):
        Image.new("RGB", (5, 1)).save(tmp_path / f"{number}.png")
        alpha = np.array([[0, 60, 128, 200, 255]], np.uint8)
        Image.fromarray(alpha).save(tmp_path / f"{number}_matte.png")
    dataset = open_dataset(tmp_path, DataOptions(matte=True))
    mask = dataset.pairs("train")[0].mask
    assert dataset.read_alpha is not None
    assert dataset.read_alpha(mask).tolist() == [[0, 60, 127, 199, 254]]
    assert dataset.read_labels(mask).tolist() == [[0, 0, 1, 1, 1]]
    assert open_dataset(tmp_path).read_alpha is None


def test_classes_have_no_alpha(tmp_path: Path) -> None:
    write_shapes(tmp_path, train=2, val=1, test=1, size=(32, 40))
    with pytest.raises(ConfigError, match="read as folder, from which no alpha can be taken"):
        open_dataset(tmp_path, DataOptions(matte=True))
