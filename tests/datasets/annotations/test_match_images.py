"""Names in annotation files and files on disk, one to one."""

from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.annotations.find_images import ImageFinder
from pixelwise.datasets.annotations.match_images import MatchedImages, NamedImage, match_images
from pixelwise.datasets.types import DataOptions

SOURCE = Path("labels.json")


def match(root: Path, names: list[str], *, on_disk: list[str], skip: bool = False) -> MatchedImages:
    for name in on_disk:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(path)
    images = [NamedImage(name, SOURCE, name.encode()) for name in names]
    finder = ImageFinder(root, [root / "images", root])
    return match_images(images, finder, DataOptions(skip_unpaired=skip))


def names_of(matched: MatchedImages, root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): record.decode()
        for path, record in matched.records.items()
    }


@pytest.mark.parametrize("names", [["a/0.jpg", "b/0.jpg"], ["b/0.jpg", "a/0.jpg"]])
def test_a_file_serves_no_name_of_another_folder_beside_its_own(
    tmp_path: Path, names: list[str]
) -> None:
    matched = match(tmp_path, names, on_disk=["a/0.jpg"])
    assert names_of(matched, tmp_path) == {"a/0.jpg": "a/0.jpg"}
    (issue,) = matched.issues
    assert (issue.type, issue.count) == ("list-entry-missing", 1)
    assert issue.text == "1 of 2 images of labels.json are not here: b/0.jpg"


def test_two_names_that_only_one_file_could_serve_are_refused(tmp_path: Path) -> None:
    matched = match(tmp_path, ["a/0.jpg", "b/0.jpg"], on_disk=["images/0.jpg"])
    issue = next(issue for issue in matched.issues if issue.refusal)
    assert issue.type == "annotations-twice"
    assert issue.text == "'a/0.jpg' and 'b/0.jpg' both mean 0.jpg"


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    matched = match(tmp_path, ["0.jpg", "0.jpg"], on_disk=["images/0.jpg"])
    (issue,) = matched.issues
    assert issue.refusal == "labels.json: '0.jpg' stands there twice; keep one of them"


def test_names_too_long_to_show_are_cut(tmp_path: Path) -> None:
    matched = match(tmp_path, ["data:image/png;base64," + "A" * 9000], on_disk=["images/0.jpg"])
    assert [len(issue.refusal) < 300 for issue in matched.issues if issue.refusal] == [True]


def test_pictures_that_no_file_names_are_counted(tmp_path: Path) -> None:
    matched = match(tmp_path, ["0.jpg"], on_disk=["images/0.jpg", "images/1.jpg", "images/2.jpg"])
    (issue,) = matched.issues
    assert (issue.type, issue.file, issue.count) == ("picture-not-listed", tmp_path / "images", 2)
    assert issue.text == "2 that no annotation file names: 1.jpg, 2.jpg"


def test_missing_images_are_tolerated_where_that_is_asked_for(tmp_path: Path) -> None:
    matched = match(tmp_path, ["0.jpg", "1.jpg"], on_disk=["images/0.jpg"], skip=True)
    assert [(issue.type, issue.refusal) for issue in matched.issues] == [("list-entry-missing", "")]


@pytest.mark.parametrize(
    ("on_disk", "splits"),
    [
        (["images/train/0.jpg", "images/val/1.jpg"], {"train": ["0.jpg"], "val": ["1.jpg"]}),
        (["images/test/0.jpg", "images/test/1.jpg"], {"train": ["0.jpg", "1.jpg"]}),
    ],
)
def test_folders_of_splits_are_believed_where_one_is_train(
    tmp_path: Path, on_disk: list[str], splits: dict[str, list[str]]
) -> None:
    matched = match(tmp_path, ["0.jpg", "1.jpg"], on_disk=on_disk)
    found = {split: [path.name for path in paths] for split, paths in matched.splits.items()}
    assert found == splits
