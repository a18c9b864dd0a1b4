from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError

OPTIONS = DataOptions(hold_out=False)
NAMES = ("background", "cat", "dog")


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def yolo(root: Path, text: str) -> DataSet:
    picture(root / "train/images/a.jpg")
    picture(root / "train/images/b.jpg")
    (root / "train/labels").mkdir(parents=True, exist_ok=True)
    (root / "train/labels/a.txt").write_text(text)
    (root / "data.yaml").write_text("nc: 2\nnames: ['cat', 'dog']\n")
    return open_dataset(root, OPTIONS)


def test_yolo_polygons_and_images_without_labels(tmp_path: Path) -> None:
    data = yolo(tmp_path, "1 0.1667 0.25 0.5 0.25 0.5 0.75 0.1667 0.75\n\n0 0 0 .2 0 .2 .3 0 .3\n")
    assert (data.format, data.classes.names) == ("yolo", NAMES)
    assert (
        "Images without a label file: b.jpg: no b.txt. They count as background: "
        "remove those that nobody has labelled." in data.notes
    )
    first, second = data.pairs("train")
    assert data.read_labels(first.mask).tolist() == [
        [1, *[0] * 5],
        [0, 2, 2, 0, 0, 0],
        [0, 2, 2, 0, 0, 0],
        [0] * 6,
    ]
    assert not data.read_labels(second.mask).any()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2 0 0 1 0 1 1", "line 1: class 2, but the names are 0 to 1"),
        ("0 0 0 1 0 1 1 1", "line 1: 7 coordinates"),
        ("cat 0 0 1 0 1 1", "line 1: 'cat' is no number"),
    ],
)
def test_yolo_lines_that_are_no_polygon_are_named(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        yolo(tmp_path, line)


def test_yaml_that_cannot_be_read_names_the_place(tmp_path: Path) -> None:
    yolo(tmp_path, "")
    (tmp_path / "data.yaml").write_text("names: [cat\nb: ]: c")
    with pytest.raises(DataError, match=r"data\.yaml: malformed YAML: .*line 2"):
        open_dataset(tmp_path)
