import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.object_truth import read_objects
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.io.images import write_labels

OPTIONS = DataOptions(hold_out=False)
LEFT = [0, 0, 3, 0, 3, 4, 0, 4]  # columns 0 to 2 of 4 x 6 pixels
RIGHT = [3, 0, 6, 0, 6, 4, 3, 4]
END = [5, 0, 6, 0, 6, 4, 5, 4]


def first_row(data: DataSet) -> list[int]:
    (pair,) = data.pairs("all")
    ids = read_objects(data.read_labels, pair.mask)
    assert ids is not None
    assert ids.shape == data.read_labels(pair.mask).shape
    return ids[0].tolist()


def coco(*polygons: list[int], **more: int) -> str:
    annotations = [
        {"id": n, "image_id": 1, "category_id": 1, "segmentation": [ring], "iscrowd": 0}
        for n, ring in enumerate(polygons, 1)
    ]
    annotations[-1] |= more
    images = [{"id": 1, "file_name": "a.png", "height": 4, "width": 6}]
    categories = [{"id": 1, "name": "cell"}]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png")
    return tmp_path


def test_annotations_of_coco_are_objects_though_they_touch(folder: Path) -> None:
    (folder / "_annotations.coco.json").write_text(coco(LEFT, RIGHT))
    assert first_row(open_dataset(folder, OPTIONS)) == [1, 1, 1, 2, 2, 2]


def test_a_crowd_is_no_object_and_the_smaller_covers_it(folder: Path) -> None:
    (folder / "_annotations.coco.json").write_text(coco(END, RIGHT, iscrowd=1))
    assert first_row(open_dataset(folder, OPTIONS)) == [0, 0, 0, -1, -1, 1]


def test_shapes_of_one_group_in_labelme_are_one_object(folder: Path) -> None:
    def shape(points: list[int], group: int | None) -> dict:
        pairs = np.reshape(points, (-1, 2)).tolist()
        return {"label": "cell", "points": pairs, "shape_type": "polygon", "group_id": group}

    shapes = [shape(LEFT, None), shape(RIGHT, 7), shape([0, 0, 1, 0, 1, 4, 0, 4], 7)]
    record = {"shapes": shapes, "imagePath": "a.png", "imageHeight": 4, "imageWidth": 6}
    (folder / "a.json").write_text(json.dumps({"version": "5.4.1", "imageData": None} | record))
    assert first_row(open_dataset(folder, OPTIONS)) == [2, 1, 1, 2, 2, 2]


def test_segments_of_coco_panoptic_are_objects(folder: Path) -> None:
    png = np.zeros((4, 6, 3), np.uint8)
    png[:, 1:3, 0] = 9
    png[:, 3:, 1] = 1  # 256
    (folder / "annotations/panoptic_val").mkdir(parents=True)
    Image.fromarray(png).save(folder / "annotations/panoptic_val/a.png")
    segments = [
        {"id": 9, "category_id": 1},
        {"id": 256, "category_id": 1, "iscrowd": 1},
        {"id": 12, "category_id": 1},
    ]
    annotation = {"image_id": 1, "file_name": "a.png", "segments_info": segments}
    content = json.loads(coco(LEFT)) | {"annotations": [annotation]}
    (folder / "annotations/panoptic_val.json").write_text(json.dumps(content))
    (folder / "images").mkdir()
    (folder / "a.png").rename(folder / "images/a.png")
    assert first_row(open_dataset(folder, OPTIONS)) == [0, 1, 1, -1, -1, -1]


def write_ids(path: Path, row: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.tile(np.array(row, np.uint16), (4, 1))).save(path)


def test_masks_of_ids_are_objects(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (6, 4)).save(tmp_path / "images/a.png")
    write_ids(tmp_path / "masks/a.png", [0, 300, 300, 2, 2, 0])
    data = open_dataset(tmp_path, DataOptions(hold_out=False, instances=True))
    assert first_row(data) == [0, 300, 300, 2, 2, 0]


def test_voc_has_them_in_a_folder_beside_the_classes(tmp_path: Path) -> None:
    mask = tmp_path / "SegmentationClass/a.png"
    mask.parent.mkdir()
    write_labels(mask, np.ones((4, 6), np.uint8), ((0, 0, 0), (9, 9, 9)))
    assert read_objects(lambda _: np.ones((4, 6), np.uint8), mask) is None
    write_ids(tmp_path / "SegmentationObject/a.png", [0, 1, 1, 2, 2, 255])
    ids = read_objects(lambda _: np.ones((4, 6), np.uint8), mask)
    assert ids is not None
    assert ids[0].tolist() == [0, 1, 1, 2, 2, 255]
