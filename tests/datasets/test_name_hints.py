"""What is said of images and masks that do not pair."""

from pathlib import Path

import pytest

from pixelwise.datasets.name_hints import describe_other_formats
from pixelwise.datasets.pairing import pair_folders
from pixelwise.datasets.types import DataOptions


def put(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


@pytest.mark.parametrize("ending", [".npz", ".nii.gz", ".mat", "_mask.npz"])
def test_masks_of_other_formats_are_named(tmp_path: Path, ending: str) -> None:
    images = put(tmp_path / "images", "a.jpg", "b.jpg")
    masks = put(tmp_path / "masks", f"a{ending}", f"b{ending}", "c.npz", "._a.npz")
    files = sorted(images.iterdir())
    kind = ending.removeprefix("_mask")
    text = f"masks/ holds 2 {kind} files that are called as images and are not read"
    assert describe_other_formats(masks, files) == text
    issues = pair_folders(images, masks, DataOptions()).issues
    assert all(text in issue.refusal for issue in issues if issue.refusal)
    assert "masks-other-format" in [issue.type for issue in issues]


def test_numbers_with_other_zeros_are_no_pair_and_the_reason_is_said(tmp_path: Path) -> None:
    images = put(tmp_path / "images", "001.jpg", "002.jpg")
    masks = put(tmp_path / "masks", "1.png", "2.png")
    pairing = pair_folders(images, masks, DataOptions())
    assert pairing.pairs == ()
    assert "padded with zeros in another way (001 and 1)" in pairing.issues[0].refusal


def test_where_nothing_pairs_the_rule_is_told_and_no_advice_that_cannot_work(
    tmp_path: Path,
) -> None:
    images = put(tmp_path / "images", "a.jpg")
    masks = put(tmp_path / "masks", "x.png")
    refusal = pair_folders(images, masks, DataOptions()).issues[0].refusal
    assert "with _mask, _label, _gt or _seg behind it" in refusal
    assert "--skip-unpaired" not in refusal


def test_words_that_differ_are_not_taken_for_zeros_that_do(tmp_path: Path) -> None:
    images = put(tmp_path / "images", "p01.jpg", "p02.jpg")
    masks = put(tmp_path / "masks", "m01.png", "m02.png")
    refusal = pair_folders(images, masks, DataOptions()).issues[0].refusal
    assert refusal
    assert "padded" not in refusal
