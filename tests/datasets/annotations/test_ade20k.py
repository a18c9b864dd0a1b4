from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet

OPTIONS = DataOptions(hold_out=False)


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def only(data: DataSet) -> list[list[int]]:
    ((pair,),) = data.splits.values()
    return data.read_labels(pair.mask).tolist()


def test_ade20k_counts_from_one_and_0_is_void(tmp_path: Path) -> None:
    base = tmp_path / "ADEChallengeData2016"
    picture(base / "images/training/ADE_train_1.jpg", (1, 4))
    (base / "annotations/training").mkdir(parents=True)
    Image.fromarray(np.array([[0, 1, 150, 13]], np.uint8)).save(
        base / "annotations/training/ADE_train_1.png"
    )
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, only(data)) == ("ade20k", [[255, 0, 149, 12]])
    assert [data.classes.names[label] for label in (0, 12, 149)] == ["wall", "person", "flag"]
