"""Splits: which folders are one, and which images are held out."""

from pathlib import Path

import pytest

from pixelwise.datasets.splits import complete_splits, hold_out, named_splits
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
