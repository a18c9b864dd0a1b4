"""Images and masks brought together by their names."""

from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.mask_names import image_name
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.pairing import pair_files
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError

WHERE = Path("set")


def paths(*names: str) -> list[Path]:
    return [WHERE / name for name in names]


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("a", "a"),
        ("a_mask", "a"),
        ("a-labelIds", "a"),
        ("a_L", "a"),
        ("b_mask", "b_mask"),
        ("other_gt", "other_gt"),
    ],
)
def test_a_mask_belongs_to_the_image_of_its_name_or_of_that_without_an_ending(
    stem: str, expected: str
) -> None:
    assert image_name(stem, {"a": 0, "b_mask": 0}) == expected


def test_what_is_left_over_stops_training_unless_it_is_left_out() -> None:
    images = paths("a.jpg", "b.jpg", "c.jpg")
    masks = paths("a.png", "b_mask.png", "d.png")
    pairing = pair_files(images, masks, DataOptions(), where=WHERE)
    assert [pair.name for pair in pairing.pairs] == ["a", "b"]
    assert [issue.type for issue in pairing.issues] == ["image-without-mask", "mask-without-image"]
    assert all("--skip-unpaired" in issue.refusal for issue in pairing.issues)
    lenient = pair_files(images, masks, DataOptions(skip_unpaired=True), where=WHERE)
    assert [issue.refusal for issue in lenient.issues] == ["", ""]
    assert lenient.notes == (
        "left out in set: 1 image without mask (c.jpg) and 1 mask without image (d.png)",
    )


def test_of_files_of_one_name_the_first_counts_and_training_stops() -> None:
    images = paths("a.jpg", "a.png")
    pairing = pair_files(images, paths("a_mask.png", "a_gt.png"), DataOptions(), where=WHERE)
    assert [(pair.image.name, pair.mask.name) for pair in pairing.pairs] == [
        ("a.jpg", "a_mask.png")
    ]
    assert [issue.type for issue in pairing.issues] == ["image-name-twice", "mask-name-twice"]
    assert all(issue.refusal for issue in pairing.issues)


def test_a_folder_of_packed_pictures_or_of_folders_says_what_it_holds(tmp_path: Path) -> None:
    for name in ("images/a.ppm.gz", "masks/a.ppm.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"no images here \(1 file left aside: \.gz 1\); put them"):
        open_dataset(tmp_path)
    for folder in ("images/creek", "images/park", "masks/creek", "masks/park"):
        (tmp_path / folder).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / folder / "a.png")
    with pytest.raises(
        DataError,
        match=r"no images here, but in 2 folders in it, creek, park; .* list the pairs in train\.txt"
        r" .*: images/creek/a\.jpg masks/creek/a\.png",
    ):
        open_dataset(tmp_path)


def test_two_formats_of_one_picture_are_both_named(tmp_path: Path) -> None:
    for name in ("images/a.jpg", "images/a.avif", "masks/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (4, 4)).save(tmp_path / name)
    with pytest.raises(DataError, match=r"two images, a\.avif and a\.jpg; remove or rename one"):
        open_dataset(tmp_path)
