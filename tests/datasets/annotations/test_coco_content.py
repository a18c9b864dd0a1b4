"""What a COCO file says, before images are looked for."""

import json
from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.errors import DataError


def write_set(root: Path, ring: list[float]) -> None:
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (8, 6)).save(root / name)
    rows = [{"id": n, "file_name": f"{'ab'[n]}.jpg", "width": 8, "height": 6} for n in (0, 1)]
    shapes = [{"id": n, "image_id": n, "category_id": 1, "segmentation": [ring]} for n in (0, 1)]
    content = {"images": rows, "annotations": shapes, "categories": [{"id": 1, "name": "cat"}]}
    (root / "instances.json").write_text(json.dumps(content))


def test_coordinates_that_are_parts_of_width_and_height_are_refused(tmp_path: Path) -> None:
    write_set(tmp_path, [0, 0, 0.5, 0, 0.5, 1])
    with pytest.raises(DataError, match=r"from 0 to 1, parts of width .*; give them in pixels"):
        open_dataset(tmp_path)


def test_coordinates_that_begin_at_0_are_pixels_all_the_same(tmp_path: Path) -> None:
    write_set(tmp_path, [0, 0, 4, 0, 4, 2, 0, 2])
    data = open_dataset(tmp_path)
    assert (data.read_labels(data.pairs("train")[0].mask) == 1).sum() == 4 * 2
