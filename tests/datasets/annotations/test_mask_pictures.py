from pathlib import Path

from PIL import Image

from pixelwise.datasets.annotations.mask_pictures import holds_mask_pictures


def test_only_masks_that_are_pictures_count(tmp_path: Path) -> None:
    assert not holds_mask_pictures(tmp_path)
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (2, 2)).save(tmp_path / "images/a.jpg")
    (tmp_path / "labels/a.txt").write_text("0 0 0 1 0 1 1\n")
    assert not holds_mask_pictures(tmp_path)
    Image.new("L", (2, 2)).save(tmp_path / "labels/a.png")
    assert holds_mask_pictures(tmp_path)


def test_a_split_that_two_folders_claim_holds_none(tmp_path: Path) -> None:
    for split in ("train", "training"):
        (tmp_path / split / "images").mkdir(parents=True)
        (tmp_path / split / "masks").mkdir()
    assert not holds_mask_pictures(tmp_path)
