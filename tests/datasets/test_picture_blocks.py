"""A set of one picture is cut in blocks, some of which are validated."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.options import DataOptions
from pixelwise.datasets.types import DataSet
from pixelwise.errors import DataError

Box = tuple[int, int, int, int]


def write_map(root: Path, labels: np.ndarray) -> np.ndarray:
    """One picture whose every pixel is another colour, and its mask; returns the picture."""
    height, width = labels.shape
    rows, columns = np.mgrid[:height, :width]
    code = rows * width + columns
    rgb = np.stack([code >> 16, code >> 8 & 255, code & 255], -1).astype(np.uint8)
    for folder, name, array in (("images", "map.png", rgb), ("masks", "map.png", labels)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(root / folder / name)
    return rgb


def boxes(data: DataSet, split: str, width: int) -> list[Box]:
    """(top, left, bottom, right) of the blocks, by the colours of their pixels."""
    found = []
    for pair in data.splits[split]:
        rgb = np.asarray(Image.open(pair.image)).astype(int)
        code = (rgb[..., 0] << 16) + (rgb[..., 1] << 8) + rgb[..., 2]
        first = divmod(int(code[0, 0]), width)
        last = divmod(int(code[-1, -1]), width)
        assert code.shape == (last[0] - first[0] + 1, last[1] - first[1] + 1)
        found.append((*first, last[0] + 1, last[1] + 1))
    return found


def gap(one: Box, other: Box) -> int:
    """Pixels between two rectangles, 0 where they touch or overlap."""
    down = max(one[0] - other[2], other[0] - one[2])
    across = max(one[1] - other[3], other[1] - one[3])
    return max(0, down, across)


def quarters(height: int, width: int) -> np.ndarray:
    labels = np.zeros((height, width), np.uint8)
    labels[: height // 2, : width // 2] = 1
    labels[height // 2 :, width // 2 :] = 2
    return labels


def test_no_block_of_training_shows_a_validated_pixel(tmp_path: Path, own_cache: Path) -> None:
    write_map(tmp_path / "data", quarters(640, 960))
    data = open_dataset(tmp_path / "data")
    train = boxes(data, "train", 960)
    val = boxes(data, "val", 960)
    assert (len(train), len(val)) == (20, 4)  # 15 % of 24 blocks of 160 x 160
    assert all(gap(one, other) >= 10 for one, other in product(train, val))
    assert not any(gap(one, other) == 0 for one in val for other in val if one is not other)
    assert data.notes[-1] == (
        "one picture, map.png of 640 x 960 pixels, in blocks of about 160: train 20, val 4 "
        "(15 %, seed 0), 10 pixels apart"
    )


def test_labels_of_a_block_are_those_of_its_place(tmp_path: Path, own_cache: Path) -> None:
    labels = quarters(640, 960)
    labels[:5] = 255
    write_map(tmp_path / "data", labels)
    data = open_dataset(tmp_path / "data")
    for split in ("train", "val"):
        places = boxes(data, split, 960)
        for pair, (top, left, bottom, right) in zip(data.splits[split], places, strict=True):
            np.testing.assert_array_equal(
                data.read_labels(pair.mask), labels[top:bottom, left:right]
            )
            assert pair.name == f"map_y{top}_x{left}"


def test_the_split_follows_from_the_picture_and_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_map(tmp_path / "data", quarters(640, 960))
    names = []
    for cache, seed in (("a", 0), ("b", 0), ("b", 1)):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / cache))
        data = open_dataset(tmp_path / "data", DataOptions(seed=seed))
        names.append([pair.name for pair in data.splits["val"]])
    assert names[0] == names[1] != names[2]


def test_a_rare_class_is_trained_on(tmp_path: Path, own_cache: Path) -> None:
    for seed in range(8):
        labels = quarters(640, 960)
        labels[7:9, 100 * seed : 100 * seed + 9] = 3  # in one block
        write_map(tmp_path / str(seed), labels)
        data = open_dataset(tmp_path / str(seed), DataOptions(seed=seed))
        masks = [data.read_labels(pair.mask) for pair in data.splits["train"]]
        assert set(np.unique(np.concatenate([mask.ravel() for mask in masks]))) == {0, 1, 2, 3}


def test_blocks_without_a_label_are_left_out(tmp_path: Path, own_cache: Path) -> None:
    labels = np.full((640, 960), 255, np.uint8)
    labels[:320, :320] = quarters(320, 320)
    write_map(tmp_path / "data", labels)
    data = open_dataset(tmp_path / "data")
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {"train": 3, "val": 1}


def test_blocks_are_made_anew_when_the_mask_changes(tmp_path: Path, own_cache: Path) -> None:
    write_map(tmp_path / "data", quarters(640, 960))
    before = open_dataset(tmp_path / "data")
    write_map(tmp_path / "data", np.flipud(quarters(640, 960)).copy())
    after = open_dataset(tmp_path / "data")
    first = before.splits["train"][0]
    assert before.read_labels(first.mask)[0, 0] == 1
    assert after.read_labels(after.splits["train"][0].mask)[0, 0] == 0


def test_a_data_set_says_what_it_is(tmp_path: Path, own_cache: Path) -> None:
    write_map(tmp_path / "data", quarters(640, 960))
    assert repr(open_dataset(tmp_path / "data")) == (
        f"<DataSet {tmp_path / 'data'} (folder): train 20, val 4 images; "
        "classes class 0, class 1, class 2>"
    )


def test_without_holding_out_the_picture_stays_whole(tmp_path: Path, own_cache: Path) -> None:
    write_map(tmp_path / "data", quarters(640, 960))
    data = open_dataset(tmp_path / "data", DataOptions(hold_out=False))
    assert [pair.name for pair in data.pairs("all")] == ["map"]


def test_a_mask_of_another_size_is_refused(tmp_path: Path, own_cache: Path) -> None:
    write_map(tmp_path / "data", quarters(640, 960))
    Image.fromarray(quarters(320, 480)).save(tmp_path / "data/masks/map.png")
    with pytest.raises(DataError, match=r"is 640 x 960 and its labels 320 x 480"):
        open_dataset(tmp_path / "data")


def test_annotations_of_one_picture_are_cut_too(tmp_path: Path, own_cache: Path) -> None:
    write_map(tmp_path / "data", quarters(640, 960))
    Image.fromarray(np.zeros((640, 960, 3), np.uint8)).save(tmp_path / "map.png")
    outline = [[100, 100], [900, 100], [900, 500], [100, 500]]
    shape = {"label": "field", "points": outline, "shape_type": "polygon"}
    record = {"imagePath": "map.png", "imageHeight": 640, "imageWidth": 960, "shapes": [shape]}
    folder = tmp_path / "labelled"
    folder.mkdir()
    (tmp_path / "map.png").rename(folder / "map.png")
    (folder / "map.json").write_text(json.dumps(record))
    data = open_dataset(folder)
    pixels = sum(
        int((data.read_labels(pair.mask) == 1).sum()) for _, pair in enumerate(data.pairs("train"))
    )
    assert data.classes.names[1] == "field"
    assert 0 < pixels < 800 * 400
