from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet

OPTIONS = DataOptions(hold_out=False)
NAMES = ("background", "cat", "dog")


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def only(data: DataSet) -> list[list[int]]:
    ((pair,),) = data.splits.values()
    return data.read_labels(pair.mask).tolist()


@pytest.mark.parametrize("place", ["x_{}.png", "x/{}.png", "{}/x.png"])
def test_one_mask_a_class(tmp_path: Path, place: str) -> None:
    picture(tmp_path / "images/x.jpg", (1, 3))
    for name, row in (("cat", [0, 255, 255]), ("dog", [0, 0, 255])):
        path = tmp_path / "masks" / place.format(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array([row], np.uint8)).save(path)
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, data.classes.names, only(data)) == ("layers", NAMES, [[0, 1, 2]])
    ((pair,),) = data.splits.values()
    assert data.read_labels.rasterize(pair.mask).overlapped == 1
