"""Sets whose splits are lists of files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset, read_index
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError


def make(root: Path, *, blank: str = "") -> list[str]:
    names = [f"{blank}{number}" for number in range(5)]
    for folder in ("images", "annotations"):
        (root / folder).mkdir()
    for name in names:
        Image.new("RGB", (3, 1)).save(root / f"images/{name}.jpg")
        Image.fromarray(np.array([[0, 1, 2]], np.uint8)).save(root / f"annotations/{name}.png")
    return names


def splits(root: Path) -> dict[str, list[str]]:
    data = open_dataset(root)
    assert data.format == "lists"
    return {
        split: [f"{pair.image.name} {pair.mask.name}" for pair in pairs]
        for split, pairs in data.splits.items()
    }


@pytest.mark.parametrize(
    ("row", "blank", "encoding"),
    [
        ("images/{0}.jpg annotations/{0}.png", "", "utf-8"),
        ("images/{0}.jpg annotations/{0}.png", "a b ", "utf-8"),
        ("images\\{0}.jpg,annotations\\{0}.png", "", "utf-8-sig"),
        ("images/{0}.jpg\tannotations/{0}.png", "", "utf-16"),
        ("/home/jo/data/images/{0}.jpg /home/jo/data/annotations/{0}.png", "", "utf-8"),
        ('"images/{0}.jpg" "annotations/{0}.png"', "a b ", "utf-8"),
        ("{0}", "", "utf-8"),
        ("{0}.jpg", "", "utf-8"),
        ("images/{0}.jpg", "", "utf-8"),
        ("/home/jo/data/images/{0}.jpg", "", "utf-8"),
        ("C:\\data\\images\\{0}.jpg", "a b ", "utf-8"),
    ],
)
def test_the_lists_are_the_splits(tmp_path: Path, row: str, blank: str, encoding: str) -> None:
    names = make(tmp_path, blank=blank)
    for split, part in (("train", names[:3]), ("val", names[3:])):
        text = "\r\n".join(row.format(name) for name in part) + "\r\n"
        (tmp_path / f"{split}.txt").write_bytes(text.encode(encoding))
    (tmp_path / "labels.txt").write_text("background\ncat\ndog\n")
    pairs = [f"{name}.jpg {name}.png" for name in names]
    assert splits(tmp_path) == {"train": pairs[:3], "val": pairs[3:]}
    assert open_dataset(tmp_path).classes.names == ("background", "cat", "dog")


def test_trainval_alone_is_held_out_from(tmp_path: Path) -> None:
    names = make(tmp_path)
    (tmp_path / "trainval.txt").write_text("\n".join(names))
    assert {split: len(pairs) for split, pairs in splits(tmp_path).items()} == {
        "train": 4,
        "val": 1,
    }


def test_rows_without_files_are_refused_or_left_out(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "train.txt").write_text("0\n1\nghost\n")
    (tmp_path / "val.txt").write_text("2\n")
    with pytest.raises(DataError, match=r"train.txt: 1 of 3 rows name files .*: ghost"):
        open_dataset(tmp_path)
    data = open_dataset(tmp_path, DataOptions(skip_unpaired=True))
    assert [pair.name for pair in data.pairs("train")] == ["0", "1"]
    types = [issue.type for issue in read_index(tmp_path).issues]
    assert types == ["list-entry-missing", "picture-not-listed"]


def test_a_file_that_lists_nothing_here_is_said(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "train.txt").write_text("call me in the morning\n")
    data = open_dataset(tmp_path)
    assert data.format == "folder"
    assert any("train.txt is not read: the splits are" in note for note in data.notes)


@pytest.mark.parametrize("folder", ["split", "splits", "lists"])
def test_lists_in_a_folder_with_a_heading_are_read(tmp_path: Path, folder: str) -> None:
    make(tmp_path)
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "train.csv").write_text("filename\n0.jpg\n1.jpg\n")
    (tmp_path / folder / "val.csv").write_text("filename\n2.jpg\n")
    assert splits(tmp_path) == {"train": ["0.jpg 0.png", "1.jpg 1.png"], "val": ["2.jpg 2.png"]}
    assert any("2 pictures are in no list" in note for note in open_dataset(tmp_path).notes)


def test_the_mask_of_a_missing_image_is_not_taken_for_the_image(tmp_path: Path) -> None:
    for folder in ("images", "annotations"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b", "c"):
        Image.new("RGB", (3, 1)).save(tmp_path / f"images/{name}.png")
        mask = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
        mask.save(tmp_path / f"annotations/{name}.png")
    rows = "".join(f"images/{name}.png annotations/{name}.png\n" for name in "abc")
    (tmp_path / "train.txt").write_text(rows)
    (tmp_path / "images/b.png").unlink()
    with pytest.raises(DataError, match=r"1 of 3 rows name files that are not here: images/b\.png"):
        open_dataset(tmp_path)
