import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.conversion import convert
from pixelwise.datasets.layers import flatten_layers
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import ConfigError, DataError

OPTIONS = DataOptions(hold_out=False, multilabel=True)


def draw(root: Path, files: dict[str, list[int]]) -> Path:
    for name, row in {"images/x.png": [9, 9, 9], "images/y.png": [9, 9, 9], **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array([row], np.uint8)).save(path)
    return root


def layers(data: DataSet, name: str = "x") -> list[list[int]]:
    (pair,) = [pair for pairs in data.splits.values() for pair in pairs if pair.name == name]
    return data.read_labels(pair.mask)[:, 0].tolist()


@pytest.mark.parametrize("place", ["x_{}.png", "x/{}.png", "{}/x.png"])
def test_a_mask_a_class_keeps_the_overlap(tmp_path: Path, place: str) -> None:
    masks = {"cat": [0, 255, 255], "dog": [0, 0, 255]}
    draw(tmp_path, {f"masks/{place.format(name)}": row for name, row in masks.items()})
    (tmp_path / "images/y.png").unlink()
    data = open_dataset(tmp_path, OPTIONS, layers=True)
    assert (data.multilabel, data.classes.names) == (True, ("cat", "dog"))
    assert layers(data) == [[0, 1, 1], [0, 0, 1]]
    assert any("multilabel" in note for note in data.notes)
    assert not any("covers" in note for note in data.notes)


def coco(root: Path, categories: list[str], boxes: list[tuple[int, list[int]]]) -> Path:
    draw(root, {})
    annotations = [
        {
            "id": number,
            "image_id": 1,
            "category_id": category,
            "segmentation": [[left, 0, right, 0, right, 1, left, 1]],
            "area": right - left,
            "bbox": [left, 0, right - left, 1],
            "iscrowd": 0,
        }
        for number, (category, (left, right)) in enumerate(boxes, 1)
    ]
    images = [
        {"id": number, "file_name": f"{name}.png", "height": 1, "width": 3}
        for number, name in enumerate("xy", 1)
    ]
    names = [{"id": number, "name": name} for number, name in enumerate(categories, 1)]
    content = {"images": images, "annotations": annotations, "categories": names}
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def test_outlines_keep_the_overlap(tmp_path: Path) -> None:
    data = coco(tmp_path, ["cat", "dog"], [(1, [0, 2]), (2, [1, 3])])
    opened = open_dataset(data, OPTIONS, layers=True)
    assert opened.classes.names == ("cat", "dog")
    assert layers(opened) == [[1, 1, 0], [0, 1, 1]]
    assert layers(opened, "y") == [[0, 0, 0], [0, 0, 0]]


def test_outlines_of_void_are_void_in_all_layers(tmp_path: Path) -> None:
    data = coco(tmp_path, ["cat", "dog", "void"], [(1, [0, 3]), (3, [2, 3])])
    assert layers(open_dataset(data, OPTIONS, layers=True)) == [[1, 1, 255], [0, 0, 255]]


def test_what_needs_one_class_a_pixel_refuses_layers(tmp_path: Path, shapes: Path) -> None:
    draw(tmp_path, {"masks/x_cat.png": [0, 255, 255], "masks/x_dog.png": [0, 0, 255]})
    with pytest.raises(ConfigError, match="one class a pixel"):
        convert(tmp_path, tmp_path / "out", to="voc", multilabel=True)
    with pytest.raises(DataError, match="one class a pixel"):
        open_dataset(shapes, OPTIONS, layers=True)
    merged = DataOptions(multilabel=True, merge=("pet=cat,dog",))
    with pytest.raises(ConfigError, match="merge"):
        open_dataset(tmp_path, merged, layers=True)


def test_flat_labels_are_those_of_the_smallest_layer() -> None:
    stack = np.array([[[1, 1, 1, 0, 255]], [[0, 1, 0, 0, 255]]], np.uint8)
    assert flatten_layers(stack).tolist() == [[1, 2, 1, 0, 255]]


def test_the_fingerprint_tells_layers_from_labels(overlapping: Path) -> None:
    kept = open_dataset(overlapping, DataOptions(multilabel=True), layers=True)
    assert kept.fingerprint() != open_dataset(overlapping).fingerprint()
