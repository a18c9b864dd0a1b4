import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.annotations.yolo_files import find_files, label_folders

LABEL = "0 0 0 1 0 1 1\n"


def fill(root: Path, images: dict[str, str | None]) -> None:
    """Pictures, and the label file of each."""
    for image, label_file in images.items():
        (root / image).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 4)).save(root / image)
        if label_file:
            (root / label_file).parent.mkdir(parents=True, exist_ok=True)
            (root / label_file).write_text(LABEL)


BY_KIND = {"images/train/a.png": "labels/train/a.txt", "images/val/b.png": "labels/val/b.txt"}
BY_SPLIT = {"train/images/a.png": "train/labels/a.txt", "valid/images/b.png": "valid/labels/b.txt"}
BESIDE = {"train/a.png": "train/a.txt", "val/b.png": "val/b.txt"}


@pytest.mark.parametrize(
    ("images", "content"),
    [
        (BY_KIND, {}),
        (BY_KIND, {"path": "../datasets/plants", "train": "images/train", "val": "images/val"}),
        (BY_KIND, {"path": "C:\\data\\plants", "train": "images\\train", "val": "images\\val"}),
        (BY_KIND, {"train": "/home/jo/training/plants/images/train", "val": ["images/val"]}),
        (BY_KIND, {"train": "images/train"}),
        (BY_SPLIT, {}),
        (BY_SPLIT, {"train": "../train/images", "val": "../valid/images", "nc": "2"}),
        (BY_SPLIT, {"train": "train", "val": "valid"}),
        (BESIDE, {"train": "train", "val": "val"}),
    ],
)
def test_folders_by_split(tmp_path: Path, images: dict, content: dict) -> None:
    fill(tmp_path, images)
    files = find_files(tmp_path, tmp_path / "data.yaml", content)
    assert files.issues == []
    assert [[path.name for path in files.images[split]] for split in ("train", "val")] == [
        ["a.png"],
        ["b.png"],
    ]
    expected = {tmp_path / image: tmp_path / labels for image, labels in images.items()}
    assert files.labels == expected
    assert files.without_image == []


def test_flat_folders_are_to_train_on(tmp_path: Path) -> None:
    fill(tmp_path, {"images/a.png": "labels/a.txt", "images/b.png": None})
    files = find_files(tmp_path, tmp_path / "classes.txt", {})
    assert [path.name for path in files.images["train"]] == ["a.png", "b.png"]
    assert files.labels == {tmp_path / "images/a.png": tmp_path / "labels/a.txt"}


def test_a_split_that_is_not_here_is_said_and_not_taken_from_another(tmp_path: Path) -> None:
    fill(tmp_path, {"images/a.png": "labels/a.txt"})
    content = {"train": "images", "val": "../valid/images", "test": "../test/images"}
    files = find_files(tmp_path, tmp_path / "data.yaml", content)
    assert list(files.images) == ["train"]
    assert [issue.text for issue in files.issues] == [
        "val is '../valid/images', which is not here",
        "test is '../test/images', which is not here",
    ]
    assert {issue.type for issue in files.issues} == {"split-missing"}


def test_lists_of_images_name_them_as_other_systems_do(tmp_path: Path) -> None:
    fill(tmp_path, {f"images/{name}.png": f"labels/{name}.txt" for name in "abcd"})
    lines = ["./images/a.png", "C:\\work\\set\\images\\b.png", "", "/content/drive/other/c.png"]
    (tmp_path / "train.txt").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    (tmp_path / "val.txt").write_text("images/d.png\nimages/gone.png\n")
    content = {"train": "train.txt", "val": "val.txt"}
    files = find_files(tmp_path, tmp_path / "data.yaml", content)
    assert [path.stem for path in files.images["train"]] == ["a", "b", "c"]
    assert [path.stem for path in files.images["val"]] == ["d"]
    assert len(files.labels) == 4
    missing, by_name = files.issues
    assert (missing.type, missing.position) == ("list-entry-missing", (2, 1))
    assert missing.refusal.endswith(
        "'images/gone.png' is not here; add the image, or shorten the list"
    )
    assert (by_name.type, by_name.count, by_name.refusal) == ("image-by-name", 1, "")


def test_names_in_another_unicode_form_and_nested_folders(tmp_path: Path) -> None:
    composed = unicodedata.normalize("NFC", "é")
    apart = unicodedata.normalize("NFD", "é")
    fill(
        tmp_path,
        {
            f"images/train/{apart}.png": f"labels/train/{composed}.txt",
            "images/train/day/x.png": "labels/train/day/x.txt",
        },
    )
    files = find_files(tmp_path, tmp_path / "data.yaml", {"train": "images/train"})
    assert len(files.labels) == 2


def test_label_folders_of_an_image_folder(tmp_path: Path) -> None:
    folders = label_folders(tmp_path, tmp_path / "images/train")
    assert folders[0] == tmp_path / "labels/train"
    assert tmp_path / "images/train" in folders
    (tmp_path / "Labels").mkdir()
    assert label_folders(tmp_path, tmp_path / "Images")[0] == tmp_path / "Labels"


def test_one_label_file_of_images_in_two_splits_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, {"images/train/a.png": "labels/a.txt", "images/val/a.png": None})
    files = find_files(tmp_path, tmp_path / "data.yaml", {})
    (issue,) = files.issues
    assert issue.type == "image-name-twice"
