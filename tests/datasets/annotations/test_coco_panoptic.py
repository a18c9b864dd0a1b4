import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.examine import examine
from pixelwise.datasets.conversion import convert
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError, ImageError

OPTIONS = DataOptions(hold_out=False)
CATEGORIES = [
    {"id": 1, "name": "cat", "isthing": 1, "color": [250, 0, 0]},
    {"id": 92, "name": "sky", "isthing": 0, "color": [0, 0, 250]},
]
# Two cats, sky, and a pixel of no segment; ids that need each of the three channels.
IDS = np.array([[7, 7, 600, 600], [70000, 70000, 70000, 0]])
SEGMENTS = [
    {"id": 7, "category_id": 1},
    {"id": 600, "category_id": 1, "iscrowd": 1},
    {"id": 70000, "category_id": 92},
]
LABELS = [[0, 0, 0, 0], [1, 1, 1, 255]]


def write_mask(path: Path, ids: np.ndarray = IDS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1)
    Image.fromarray(channels.astype(np.uint8)).save(path)


def write_set(
    root: Path,
    *,
    split: str = "train",
    segments: list[dict[str, Any]] = SEGMENTS,
    masks: str = "annotations/panoptic_{}2017",
) -> Path:
    """An image and its PNG, whose name is not the image's."""
    picture = root / f"{split}2017/000.jpg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 2), (90, 9, 9) if split == "train" else (9, 90, 9)).save(picture)
    if masks:
        write_mask(root / masks.format(split) / "000_ids.png")
    annotation = {"image_id": 5, "file_name": "000_ids.png", "segments_info": segments}
    content = {
        "images": [{"id": 5, "file_name": "000.jpg", "height": 2, "width": 4}],
        "annotations": [annotation],
        "categories": CATEGORIES,
    }
    path = root / f"annotations/panoptic_{split}2017.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def read_train(data: DataSet) -> list[list[int]]:
    (pair,) = data.pairs("train")
    return data.read_labels(pair.mask).tolist()


@pytest.mark.parametrize("masks", ["annotations/panoptic_{}2017", "panoptic_{}2017"])
def test_segments_are_labels_by_their_category_and_uncovered_pixels_void(
    tmp_path: Path, masks: str
) -> None:
    for split in ("train", "val"):
        write_set(tmp_path, split=split, masks=masks)
    data = open_dataset(tmp_path, OPTIONS)
    assert data.format == "coco"
    assert data.classes.names == ("cat", "sky")
    assert data.classes.palette == ((250, 0, 0), (0, 0, 250))
    assert {split: len(data.pairs(split)) for split in data.splits} == {"train": 1, "val": 1}
    assert read_train(data) == LABELS
    assert "2 classes: cat, sky; what no segment covers is void" in data.notes
    assert "each pixel is of one segment; pixels of none (0 in the PNG) are void" in data.notes
    findings = {finding.id for finding in examine(tmp_path).findings if finding.severity == "error"}
    assert not findings


def test_a_converted_set_has_the_same_labels(tmp_path: Path) -> None:
    write_set(tmp_path / "set")
    convert(tmp_path / "set", tmp_path / "out", to="folder")
    (mask,) = (tmp_path / "out").rglob("masks/**/*.png")
    with Image.open(mask) as image:
        assert np.asarray(image).tolist() == LABELS


def test_a_segment_that_is_not_listed_is_refused_with_its_place(tmp_path: Path) -> None:
    write_set(tmp_path, segments=SEGMENTS[:2])
    data = open_dataset(tmp_path, OPTIONS)
    with pytest.raises(
        ImageError,
        match=r"000_ids\.png: segment 70000 at row 1, column 0 is not in segments_info; export",
    ):
        read_train(data)
    (finding,) = (one for one in examine(tmp_path).findings if one.id == "mask-unreadable")
    assert "segment 70000" in finding.issues[0].text


def test_a_png_of_another_size_or_kind_is_refused(tmp_path: Path) -> None:
    write_set(tmp_path)
    data = open_dataset(tmp_path, OPTIONS)
    path = tmp_path / "annotations/panoptic_train2017/000_ids.png"
    write_mask(path, IDS[:, :3])
    with pytest.raises(ImageError, match="has 2 x 3 pixels, but its annotation 2 x 4"):
        read_train(data)
    Image.new("L", (4, 2)).save(path)
    with pytest.raises(ImageError, match="is of mode L; ids of segments are in red, green"):
        read_train(data)


def test_images_without_segments_or_their_png_are_refused(tmp_path: Path) -> None:
    path = write_set(tmp_path, masks="")
    content = json.loads(path.read_text())
    content["images"].append({"id": 6, "file_name": "001.jpg", "height": 2, "width": 4})
    path.write_text(json.dumps(content))
    with pytest.raises(
        DataError,
        match=r"2 images have no PNG of segments: 000_ids\.png, 001\.png; put them in .*_train2017/",
    ):
        open_dataset(tmp_path, OPTIONS)
    (tmp_path / "annotations/panoptic_train2017.zip").touch()
    with pytest.raises(DataError, match=r"; unpack panoptic_train2017\.zip beside it"):
        open_dataset(tmp_path, OPTIONS)


def test_a_category_that_is_not_listed_and_two_kinds_of_files_are_refused(tmp_path: Path) -> None:
    path = write_set(tmp_path, segments=[*SEGMENTS, {"id": 9, "category_id": 4}])
    with pytest.raises(DataError, match="segments are of category 4, which is not listed; list it"):
        open_dataset(tmp_path, OPTIONS)
    write_set(tmp_path)
    content = json.loads(path.read_text())
    content["annotations"] = [{"id": 1, "image_id": 5, "category_id": 1, "segmentation": []}]
    content["annotations"][0]["segmentation"] = [[0, 0, 2, 0, 2, 2]]
    (tmp_path / "annotations/instances_val2017.json").write_text(json.dumps(content))
    write_set(tmp_path, split="val")
    (tmp_path / "annotations/panoptic_val2017.json").unlink()
    with pytest.raises(DataError, match="one holds panoptic segments; give files of one kind"):
        open_dataset(tmp_path, OPTIONS)


def test_a_file_of_instances_goes_first(tmp_path: Path) -> None:
    path = write_set(tmp_path)
    content = json.loads(path.read_text())
    content["annotations"] = [
        {"id": 1, "image_id": 5, "category_id": 92, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]}
    ]
    (tmp_path / "annotations/instances_train2017.json").write_text(json.dumps(content))
    data = open_dataset(tmp_path, OPTIONS)
    assert data.classes.names == ("background", "cat", "sky")
    assert read_train(data) == [[2, 2, 0, 0]] * 2
    assert any("panoptic_train2017.json" in note for note in data.notes)
