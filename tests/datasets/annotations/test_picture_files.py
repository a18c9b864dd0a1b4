import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.annotations.picture_files import (
    find_inside,
    list_folders,
    list_pictures,
    name_key,
    split_of,
)


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 2)).save(path)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("images/train", "images/train"),
        ("../images/train", "images/train"),
        ("C:\\data\\set\\images\\train\\", "images/train"),
        ("/content/set/images/train", "images/train"),
        (".", ""),
        ("../valid/images", None),  # not the images of all splits
        ("elsewhere", None),
    ],
)
def test_the_longest_end_of_a_path_that_is_here(
    tmp_path: Path, name: str, expected: str | None
) -> None:
    (tmp_path / "images/train").mkdir(parents=True)
    path = find_inside(tmp_path, name)
    assert path == (None if expected is None else tmp_path / expected)


def test_pictures_and_folders_without_those_of_systems(tmp_path: Path) -> None:
    expected = [picture(tmp_path / name) for name in ("a.png", "day/b.JPG", "day/two/c.tif")]
    for name in (".cache/x.png", "__MACOSX/y.png", "day/._b.png"):
        picture(tmp_path / name)
    (tmp_path / "day/notes.txt").write_text("text")
    assert list_pictures(tmp_path) == expected
    assert list_folders(tmp_path, 1) == [tmp_path, tmp_path / "day"]
    assert list_folders(tmp_path, 2) == [tmp_path, tmp_path / "day", tmp_path / "day/two"]


def test_splits_of_folders(tmp_path: Path) -> None:
    image = tmp_path / "images/a.jpg"
    assert split_of(tmp_path, image) == "train"
    assert split_of(tmp_path, image, tmp_path / "valid/a.json") == "val"
    assert split_of(tmp_path, tmp_path / "Test/a.jpg", tmp_path / "valid/a.json") == "test"


def test_names_are_compared_whatever_their_unicode_form() -> None:
    composed, apart = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    assert composed != apart
    assert name_key(composed) == name_key(apart)
