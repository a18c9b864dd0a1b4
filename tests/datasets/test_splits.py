"""Splits: which folders are one, and which images are held out."""

from pathlib import Path

import pytest

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.splits import complete_splits, hold_out, named_splits
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.datasets.types import DataOptions, Pair
from pixelwise.errors import DataError


def test_holding_out_depends_on_names_and_seed_alone() -> None:
    pairs = [Pair(f"n{index}", Path("x"), Path("y")) for index in range(40)]
    rest, held = hold_out(pairs, 0.15, 0)
    assert hold_out(pairs[::-1], 0.15, 0) == (rest, held)
    assert (len(held), {*rest, *held}) == (6, set(pairs))
    assert hold_out(pairs, 0.15, 1)[1] != held
    assert [len(part) for part in hold_out(pairs[:2], 0.01, 0)] == [1, 1]


def test_a_missing_val_split_is_held_out_and_said() -> None:
    pairs = tuple(Pair(f"n{index}", Path(f"n{index}"), Path("y")) for index in range(20))
    splits, notes = complete_splits({"train": pairs}, DataOptions(), hold_test=True)
    assert {split: len(members) for split, members in splits.items()} == {
        "train": 14,
        "val": 3,
        "test": 3,
    }
    assert notes[0] == "train 14, val 3, test 3 images"
    untouched, _ = complete_splits({"train": pairs}, DataOptions(hold_out=False))
    assert untouched == {"train": pairs}


def test_an_image_in_train_and_val_stops_training() -> None:
    pairs = (Pair("a", Path("a"), Path("m")), Pair("b", Path("b"), Path("m")))
    splits = {"train": pairs, "val": pairs[:1]}
    with pytest.raises(DataError, match=r"a: in train and in val as well \(1 of 1\)"):
        complete_splits(splits, DataOptions())
    _, notes = complete_splits(splits, DataOptions(hold_out=False))
    assert "a: in train and in val as well (1 of 1)" in notes


def test_folders_are_splits_by_their_names_and_two_of_one_split_are_an_issue(
    tmp_path: Path,
) -> None:
    for name in ("Training", "val", "valid", "other"):
        (tmp_path / name).mkdir()
    named, issues = named_splits(tmp_path)
    assert [(split, path.name) for split, path in named] == [
        ("train", "Training"),
        ("val", "val"),
        ("val", "valid"),
    ]
    assert [(issue.type, issue.file) for issue in issues] == [("split-twice", tmp_path / "valid")]


def test_named_images_are_val_whatever_the_splits_on_disk_and_test_stays(tmp_path: Path) -> None:
    write_shapes(tmp_path, train=4, val=2, test=2, size=(32, 32))
    names = ["images/train/002.jpg", "images/val/001.jpg"]
    data = open_dataset(tmp_path, DataOptions(val_images=names))  # type: ignore[arg-type]
    held_out = [pair.image.relative_to(tmp_path).as_posix() for pair in data.pairs("val")]
    assert sorted(held_out) == names
    assert len(data.pairs("train")) == 4
    assert data.pairs("test") == open_dataset(tmp_path).pairs("test")
    with pytest.raises(DataError, match="none of the images that were held out is here"):
        open_dataset(tmp_path, DataOptions(val_images=("images/train/999.jpg",)))


def test_named_images_leave_the_test_split_that_is_held_out_as_it_is(tmp_path: Path) -> None:
    write_shapes(tmp_path / "raw", train=24, val=0, test=0, size=(32, 32))
    root = tmp_path / "flat"
    for part in ("images", "masks"):
        (tmp_path / "raw" / part / "train").rename((root / part).mkdir(parents=True) or root / part)
    plain = open_dataset(root)
    names = tuple(f"images/{pair.image.name}" for pair in plain.pairs("train")[:3])
    fold = open_dataset(root, DataOptions(val_images=names))
    assert fold.pairs("test") == plain.pairs("test")
    assert len(fold.pairs("val")) == 3
    assert len(fold.pairs("train")) == len(plain.pairs("train")) + len(plain.pairs("val")) - 3
