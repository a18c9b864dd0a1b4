import json
import pickle
from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError

OPTIONS = DataOptions(hold_out=False)
SQUARE = [1, 1, 3, 1, 3, 3, 1, 3]  # four pixels
NAMES = ("background", "cat", "dog")


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def coco(
    root: Path, annotations: list[dict], *, split: str = "train", images: list[str] | None = None
) -> DataSet:
    names = images or ["a.jpg"]
    listed = [
        {"id": at, "file_name": name, "height": 4, "width": 6} for at, name in enumerate(names)
    ]
    content = {
        "images": listed,
        "annotations": [{"id": at, "image_id": 0} | one for at, one in enumerate(annotations)],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
    }
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(content))
    return open_dataset(root, OPTIONS)


def only(data: DataSet) -> list[list[int]]:
    ((pair,),) = data.splits.values()
    return data.read_labels(pair.mask).tolist()


def test_coco_polygons_rle_and_crowds(tmp_path: Path) -> None:
    picture(tmp_path / "images/train2017/a.jpg")
    data = coco(
        tmp_path,
        [
            {"category_id": 3, "segmentation": [SQUARE, [4, 0, 6, 0, 6, 1, 4, 1]]},
            {"category_id": 7, "segmentation": {"size": [4, 6], "counts": [3, 1, 20]}},
            {
                "category_id": 7,
                "segmentation": {"size": [4, 6], "counts": [0, 8, 16]},
                "iscrowd": 1,
            },
        ],
    )
    assert data.format == "coco"
    assert data.classes.names == NAMES
    assert only(data) == [
        [2, 2, 0, 0, 1, 1],
        [2, 1, 1, 0, 0, 0],
        [2, 1, 1, 0, 0, 0],
        [2, 2, 0, 0, 0, 0],
    ]


def test_the_smaller_covers_the_larger_in_coco_and_the_overlap_is_counted(tmp_path: Path) -> None:
    path = picture(tmp_path / "images/a.jpg")
    large = {"category_id": 7, "segmentation": [[0, 0, 9, 0, 9, 4, 0, 4]]}
    data = coco(tmp_path, [{"category_id": 3, "segmentation": [SQUARE]}, large])
    drawing = data.read_labels.rasterize(path)
    assert (drawing.labels == 1).sum() == 4
    assert (drawing.labels == 2).sum() == 20
    assert (drawing.clipped, drawing.blank, drawing.overlapped) == (1, 0, 4)


def test_coco_files_become_splits_and_the_reader_goes_into_workers(tmp_path: Path) -> None:
    for split, name in (("train", "a.jpg"), ("val", "b.jpg")):
        picture(tmp_path / f"images/{split}2017/{name}")
        data = coco(
            tmp_path, [{"category_id": 3, "segmentation": [SQUARE]}], split=split, images=[name]
        )
    assert {split: [pair.name for pair in pairs] for split, pairs in data.splits.items()} == {
        "train": ["a"],
        "val": ["b"],
    }
    again = pickle.loads(pickle.dumps(data.read_labels))
    assert all(
        (again(pair.mask) == 1).sum() == 4 for pairs in data.splits.values() for pair in pairs
    )


def test_coco_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    with pytest.raises(DataError, match="annotation 0 is of category 9, which is not listed"):
        coco(tmp_path, [{"category_id": 9, "segmentation": [SQUARE]}])
    with pytest.raises(DataError, match="annotation 0 is of image 5, which is not listed"):
        coco(tmp_path, [{"image_id": 5, "category_id": 3, "segmentation": [SQUARE]}])
    with pytest.raises(DataError, match=r"'a\.jpg' stands there twice"):
        coco(tmp_path, [], images=["a.jpg", "a.jpg"])
    with pytest.raises(
        DataError, match=r"1 of 2 images of instances_train2017\.json are not here: b\.jpg"
    ):
        coco(tmp_path, [], images=["a.jpg", "b.jpg"])
    left = open_dataset(tmp_path, DataOptions(hold_out=False, skip_unpaired=True))
    assert "left out: 1 of 2 images of instances_train2017.json are not here: b.jpg" in left.notes
