"""What lies beside a set and is not used."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.beside import find_unused
from pixelwise.datasets.open_dataset import open_dataset, read_index
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.errors import DataError


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    write_shapes(tmp_path, train=3, val=1, test=1, size=(24, 32))
    return tmp_path


def test_a_clean_set_has_nothing_beside(shapes: Path) -> None:
    (shapes / "README.md").write_text("shapes")
    (shapes / ".DS_Store").write_bytes(b"")
    (shapes / "__MACOSX").mkdir()
    Image.new("RGB", (2, 1)).save(shapes / "__MACOSX/a.png")
    assert list(find_unused(read_index(shapes))) == []


def test_check_and_train_say_the_same(shapes: Path) -> None:
    (shapes / "notes.csv").write_text("a,b\n")
    (shapes / "train.txt").write_text("000\n")
    shutil.copytree(shapes / "images/train", shapes / "thumbnails")
    (shapes / "images/train/old").mkdir()
    Image.new("RGB", (2, 1)).save(shapes / "images/train/old/a.png")
    Image.new("RGB", (2, 1)).save(shapes / "cover.png")
    texts = [issue.text for issue in find_unused(read_index(shapes))]
    assert sorted(texts) == [
        "1 pictures beside the folders, such as cover.png, are not read",
        "1 pictures, such as a.png",
        "notes.csv is not read",
        "thumbnails/ (3 pictures) is not read",
        "train.txt is not read: the splits are those of the folders",
    ]
    notes = open_dataset(shapes).notes
    assert all(any(text in note for note in notes) for text in texts)


def test_classes_files_beside_a_format_of_its_own_classes_are_said(tmp_path: Path) -> None:
    for name in ("train", "trainannot"):
        (tmp_path / name).mkdir()
        Image.new("L", (2, 1)).save(tmp_path / name / "a.png")
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nsky,1,2,3\nroad,4,5,6\n")
    assert [issue.text for issue in find_unused(read_index(tmp_path))] == [
        "class_dict.csv is not read: the classes are those of the format"
    ]


def test_files_among_pictures_that_are_called_otherwise_are_said(shapes: Path) -> None:
    (shapes / "images/train/b.mp4").write_bytes(b"")
    (shapes / "masks/train/Thumbs.db").write_bytes(b"")
    issues = list(find_unused(read_index(shapes)))
    assert [(issue.type, issue.file) for issue in issues] == [
        ("file-ignored", shapes / "images/train/b.mp4")
    ]
    line = "1 file left aside: .mp4 1"
    assert line in open_dataset(shapes).notes


@pytest.mark.parametrize("name", ["label_map.pbtxt", "masks.clr", "classes.rtf", "classes.docx"])
def test_files_that_may_hold_the_names_are_said(shapes: Path, name: str) -> None:
    (shapes / name).write_bytes(b"")
    assert [issue.text for issue in find_unused(read_index(shapes))] == [f"{name} is not read"]


def test_names_above_the_folder_of_the_set_are_refused_unless_it_has_its_own(
    tmp_path: Path,
) -> None:
    base = tmp_path / "data"
    write_shapes(base, train=3, val=1, test=1, size=(24, 32))
    own = next(path for path in base.iterdir() if path.name.startswith("classes"))
    shutil.copy(own, tmp_path)
    assert any(f"{own.name} is not read" in note for note in open_dataset(tmp_path).notes)
    own.unlink()
    with pytest.raises(
        DataError, match=r"not read, as the data is that of data/; move it in there"
    ):
        open_dataset(tmp_path)
    assert [issue.severity for issue in read_index(tmp_path).issues if issue.refusal] == ["error"]
    shutil.move(tmp_path / own.name, own)
    assert len(open_dataset(tmp_path).classes) > 1


def test_a_list_above_the_folder_of_the_set_is_said(tmp_path: Path) -> None:
    write_shapes(tmp_path / "data", train=3, val=1, test=1, size=(24, 32))
    (tmp_path / "train.txt").write_text("000\n")
    assert any("train.txt is not read" in note for note in open_dataset(tmp_path).notes)


def test_masks_beside_annotation_files_are_said(tmp_path: Path) -> None:
    for name in ("images/a.png", "masks/a.png", "labels_old/a.png", "notes/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2]]}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 4, "width": 4}],
        "annotations": [annotation],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (tmp_path / "instances.json").write_text(json.dumps(content))
    text = (
        "labels_old/ (1 pictures), masks/ (1 pictures) are not read: the labels are those of the "
        "annotation files"
    )
    assert [issue.text for issue in find_unused(read_index(tmp_path))] == [text]
    assert f"{tmp_path}: {text}" in open_dataset(tmp_path).notes


def test_tables_above_the_folder_of_the_set_are_said(tmp_path: Path) -> None:
    write_shapes(tmp_path / "data/raw", train=3, val=1, test=1, size=(24, 32))
    (tmp_path / "metadata.csv").write_text("image,site\n")
    notes = open_dataset(tmp_path).notes
    assert f"{tmp_path}: metadata.csv is not read" in notes
