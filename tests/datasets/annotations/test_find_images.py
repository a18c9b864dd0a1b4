"""Names of images as other systems write them find the files."""

import unicodedata
from pathlib import Path

import pytest

from pixelwise.datasets.annotations.find_images import ImageFinder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    for name in (
        "images/a.jpg",
        "images/day/b.png",
        "left/0.jpg",
        "right/0.jpg",
        "masks/only_mask.png",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "outside.jpg").touch()
    return folder


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", "images/a.jpg"),
        ("day/b.png", "images/day/b.png"),
        ("day\\b.png", "images/day/b.png"),
        ("./a.jpg", "images/a.jpg"),
        ("C:\\Users\\me\\set\\images\\a.jpg", "images/a.jpg"),
        ("/content/drive/a.jpg", "images/a.jpg"),
        ("A.JPG", "images/a.jpg"),
        ("x/left/0.jpg", "left/0.jpg"),
        ("0.jpg", None),
        ("../outside.jpg", None),
        ("../../outside.jpg", None),
        ("c.jpg", None),
        ("", None),
        ("gs://bucket/images/a.jpg", "images/a.jpg"),
        ("https://host/day/b.png?size=1", "images/day/b.png"),
        ("day%2Fb.png", "images/day/b.png"),
        ("/data/local-files/?d=set/day/b.png", "images/day/b.png"),
        ("day/b", "images/day/b.png"),
        ("data:image/png;base64," + "A" * 5000, None),
        ("only_mask.png", None),
    ],
)
def test_names_of_other_systems(root: Path, name: str, expected: str | None) -> None:
    path = ImageFinder(root, [root / "images"]).find(name)
    assert path == (root / expected if expected else None)


def test_unicode_forms_are_the_same_name(root: Path) -> None:
    (root / "images" / unicodedata.normalize("NFD", "bär.jpg")).touch()
    finder = ImageFinder(root, [root / "images"])
    assert finder.find(unicodedata.normalize("NFC", "bär.jpg")) is not None


def test_only_names_without_their_folder_are_noted(root: Path) -> None:
    finder = ImageFinder(root, [root / "images"])
    finder.find("a.jpg")
    finder.find("elsewhere/a.jpg")
    finder.find("DAY/B.png")
    finder.find("day/b")
    assert finder.by_name_alone == ["elsewhere/a.jpg"]


def test_the_first_folder_decides_between_files_of_one_name(root: Path) -> None:
    (root / "images/0.jpg").touch()
    assert ImageFinder(root, [root / "images"]).find("x/0.jpg") == root / "images/0.jpg"
    assert ImageFinder(root, []).find("x/0.jpg") is None
