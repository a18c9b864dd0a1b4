import json
from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError, ImageError

OPTIONS = DataOptions(hold_out=False)
SQUARE = [1, 1, 3, 1, 3, 3, 1, 3]  # four pixels


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def coco(
    root: Path, annotations: list[dict], *, split: str = "train", images: list[str] | None = None
) -> DataSet:
    names = images or ["a.jpg"]
    listed = [
        {"id": at, "file_name": name, "height": 4, "width": 6} for at, name in enumerate(names)
    ]
    content = {
        "images": listed,
        "annotations": [{"id": at, "image_id": 0} | one for at, one in enumerate(annotations)],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
    }
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(content))
    return open_dataset(root, OPTIONS)


def test_a_changed_annotation_changes_the_fingerprint(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    one = {"category_id": 3, "segmentation": [SQUARE]}
    before = coco(tmp_path, [one]).fingerprint()
    assert before == coco(tmp_path, [one]).fingerprint()
    assert before != coco(tmp_path, [one | {"segmentation": [[2, *SQUARE[1:]]]}]).fingerprint()


@pytest.mark.parametrize(
    ("drawn", "reason"),
    [
        ({"size": [4, 6], "counts": [3, 1]}, "sum to 4 where 4 x 6 = 24"),
        ({"size": [5, 6], "counts": [30]}, "RLE of 5 x 6 pixels does not fit the image's 4 x 6"),
        ({"size": [4, 6], "counts": "~~"}, "compressed RLE"),
        ([[1, 2, 3, 4, 5]], "annotation is not as the format has it"),
        ([[1, 2, float("nan"), 4, 5, 6]], "finite"),
        ([["a", 2, 3, 4, 5, 6]], "could not convert"),
        ({"counts": [24]}, "lacks 'size'"),
    ],
)
def test_a_record_that_cannot_be_drawn_names_the_image(
    tmp_path: Path, drawn: object, reason: str
) -> None:
    path = picture(tmp_path / "images/a.jpg")
    data = coco(tmp_path, [{"category_id": 3, "segmentation": drawn}])
    with pytest.raises(ImageError, match=f"^{path}: .*{reason}"):
        data.read_labels(path)


def test_malformed_json_names_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "instances.json").write_text('{"images": [],\n "annotations": [,]}')
    with pytest.raises(DataError, match=r"instances\.json: malformed JSON at line 2, column 18"):
        open_dataset(tmp_path)


def test_images_of_one_name_in_two_folders_keep_names_of_their_own(tmp_path: Path) -> None:
    for city in ("bonn", "ulm"):
        picture(tmp_path / "images" / city / "a.jpg")
    data = coco(tmp_path, [], images=["bonn/a.jpg", "ulm/a.jpg"])
    assert [pair.name for pair in data.pairs("train")] == ["images_bonn_a", "images_ulm_a"]
