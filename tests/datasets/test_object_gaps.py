import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.object_gaps import find_touching
from pixelwise.datasets.object_truth import read_objects
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError


def test_only_pixels_beside_another_object_are_touching() -> None:
    ids = np.zeros((5, 9), np.int64)
    ids[:, 1:4] = 7
    ids[:, 4:6] = 2
    ids[:, 7:] = 9
    assert np.flatnonzero(find_touching(ids, 1)[2]).tolist() == [3, 4]
    assert np.flatnonzero(find_touching(ids, 2)[2]).tolist() == [2, 3, 4, 5, 7]
    ids[:, 4:6] = -1  # several that nobody told apart
    assert not find_touching(ids, 2).any()


def test_labels_have_gaps_and_objects_have_none(tmp_path: Path) -> None:
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png")
    rings = ([0, 0, 3, 0, 3, 4, 0, 4], [3, 0, 6, 0, 6, 4, 3, 4])  # halves of the picture
    annotations = [
        {"id": n, "image_id": 1, "category_id": 1, "segmentation": [ring], "iscrowd": 0}
        for n, ring in enumerate(rings, 1)
    ]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 4, "width": 6}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cell"}],
    }
    (tmp_path / "_annotations.coco.json").write_text(json.dumps(content), encoding="utf-8")
    dataset = open_dataset(tmp_path, DataOptions(hold_out=False, object_gap=1))
    (pair,) = dataset.pairs("all")
    read_labels = pickle.loads(pickle.dumps(dataset.read_labels))
    assert dataset.classes.names == ("background", "cell")
    assert read_labels(pair.mask)[0].tolist() == [1, 1, 0, 0, 1, 1]
    ids = read_objects(read_labels, pair.mask)
    assert ids is not None
    assert ids[0].tolist() == [1, 1, 1, 2, 2, 2]
    assert "objects that touch: 2 pixels of background between them" in dataset.notes
    merged = open_dataset(tmp_path, DataOptions(hold_out=False, merge=("nucleus=cell",)))
    ids = read_objects(merged.read_labels, pair.mask)
    assert ids is not None, "a new name does not put objects together"
    assert ids[0].tolist() == [1, 1, 1, 2, 2, 2]


def test_data_without_objects_is_refused(shapes: Path) -> None:
    with pytest.raises(ConfigError, match=r"object_gap 1: .* tells no objects apart"):
        open_dataset(shapes, DataOptions(object_gap=1))
    with pytest.raises(ConfigError, match="object_gap 99: choose 0 to 16 pixels"):
        DataOptions(object_gap=99)
