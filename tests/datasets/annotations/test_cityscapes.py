from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError

OPTIONS = DataOptions(hold_out=False)


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def only(data: DataSet) -> list[list[int]]:
    ((pair,),) = data.splits.values()
    return data.read_labels(pair.mask).tolist()


def test_cityscapes_ids_as_19_classes_and_as_30(tmp_path: Path) -> None:
    for split in ("train", "test"):
        picture(tmp_path / f"leftImg8bit/{split}/bonn/bonn_0_1_leftImg8bit.png", (1, 5))
        (tmp_path / f"gtFine/{split}/bonn").mkdir(parents=True)
        ids = np.array([[7, 33, 0, 9, 3]], np.uint8)
        Image.fromarray(ids).save(tmp_path / f"gtFine/{split}/bonn/bonn_0_1_gtFine_labelIds.png")
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, len(data.classes), list(data.splits)) == ("cityscapes", 19, ["train"])
    assert only(data) == [[0, 18, 255, 255, 255]]
    assert (data.classes.names[0], data.classes.names[18]) == ("road", "bicycle")
    every = open_dataset(tmp_path, DataOptions(format="cityscapes-all", hold_out=False))
    assert [every.classes.names[label] for label in only(every)[0] if label < 255] == [
        "road",
        "bicycle",
        "parking",
    ]
    (tmp_path / "gtFine/train/bonn/bonn_0_1_gtFine_labelIds.png").unlink()
    with pytest.raises(
        DataError, match="1 images without labels or labels without image: bonn_0_1"
    ):
        open_dataset(tmp_path)
