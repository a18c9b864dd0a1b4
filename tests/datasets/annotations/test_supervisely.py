import base64
import io
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset, read_index
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError, ImageError

OPTIONS = DataOptions(hold_out=False)
NAMES = ("background", "cat", "dog")


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def png(mask: list[list[int]]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.array(mask, bool)).save(file, format="PNG")
    return file.getvalue()


def only(data: DataSet) -> list[list[int]]:
    ((pair,),) = data.splits.values()
    return data.read_labels(pair.mask).tolist()


def supervisely(root: Path, objects: list[dict]) -> DataSet:
    picture(root / "ds/img/a.jpg")
    (root / "ds/ann").mkdir(exist_ok=True)
    record = {"size": {"height": 4, "width": 6}, "objects": objects}
    (root / "ds/ann/a.jpg.json").write_text(json.dumps(record))
    classes = [{"title": "cat", "color": "#FF0000"}, {"title": "dog"}]
    (root / "meta.json").write_text(json.dumps({"classes": classes}))
    return open_dataset(root, OPTIONS)


def test_supervisely_bitmaps_and_polygons_with_holes(tmp_path: Path) -> None:
    data = base64.b64encode(zlib.compress(png([[1, 0], [1, 1]]))).decode()
    ring = {
        "exterior": [[0, 0], [3, 0], [3, 3], [0, 3]],
        "interior": [[[1, 1], [2, 1], [2, 2], [1, 2]]],
    }
    result = supervisely(
        tmp_path,
        [
            {"classTitle": "cat", "geometryType": "polygon", "points": ring},
            {
                "classTitle": "dog",
                "geometryType": "bitmap",
                "bitmap": {"data": data, "origin": [4, 3]},
            },
        ],
    )
    assert (result.format, result.classes.names, result.classes.palette[1]) == (
        "supervisely",
        NAMES,
        (255, 0, 0),
    )
    assert only(result) == [
        [1, 1, 1, 0, 0, 0],
        [1, 0, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 0, 2, 0],
    ]
    ((pair,),) = result.splits.values()
    assert result.read_labels.rasterize(pair.mask).clipped == 1


def test_supervisely_bitmaps_that_cannot_be_unpacked_and_unknown_classes_are_refused(
    tmp_path: Path,
) -> None:
    broken = {"data": base64.b64encode(b"no").decode(), "origin": [0, 0]}
    with pytest.raises(ImageError, match="a bitmap that cannot be unpacked"):
        only(
            supervisely(
                tmp_path, [{"classTitle": "cat", "geometryType": "bitmap", "bitmap": broken}]
            )
        )
    with pytest.raises(DataError, match=r"class 'cow' is not in meta\.json"):
        supervisely(tmp_path, [{"classTitle": "cow", "geometryType": "point"}])


RECTANGLE = {
    "classTitle": "dog",
    "geometryType": "rectangle",
    "points": {"exterior": [[0, 0], [2, 1]]},
}


def add_image(folder: Path, name: str, *, tags: list[dict] | None = None) -> None:
    picture(folder / "img" / name)
    (folder / "ann").mkdir(exist_ok=True)
    size = {"height": 4, "width": 6}
    record = {"size": size, "objects": [RECTANGLE], "tags": tags or []}
    (folder / "ann" / f"{name}.json").write_text(json.dumps(record))


def write_meta(root: Path) -> None:
    classes = [{"title": "cat"}, {"title": "dog"}]
    (root / "meta.json").write_text(json.dumps({"classes": classes}))


def names_by_split(data: DataSet) -> dict[str, list[str]]:
    return {
        split: sorted(pair.image.name for pair in pairs) for split, pairs in data.splits.items()
    }


def test_side_files_and_other_json_are_not_read(tmp_path: Path) -> None:
    add_image(tmp_path / "ds 1", "IMG ä.JPEG")
    write_meta(tmp_path)
    (tmp_path / "ds 1/ann/._IMG ä.JPEG.json").write_bytes(b"\x00\x05\x16\x07\xb0" + bytes(60))
    (tmp_path / "ds 1/ann/.DS_Store").write_bytes(b"\x00")
    (tmp_path / "ds 1/ann/notes.json").write_text("[1]")
    (tmp_path / "obj_class_to_machine_color.json").write_text('{"dog": [1, 1, 1]}')
    data = open_dataset(tmp_path, OPTIONS)
    assert names_by_split(data) == {"train": ["IMG ä.JPEG"]}
    assert only(data) == [[2, 2, 0, 0, 0, 0], [0] * 6, [0] * 6, [0] * 6]
    assert any("1 that are no annotation of an image: notes.json" in note for note in data.notes)


def test_nested_data_sets_and_their_splits(tmp_path: Path) -> None:
    add_image(tmp_path / "train/datasets/day", "a.jpg")
    add_image(tmp_path / "val", "a.jpg")
    add_image(tmp_path / "val/datasets/night", "b.jpg")
    write_meta(tmp_path)
    data = open_dataset(tmp_path, OPTIONS)
    assert names_by_split(data) == {"train": ["a.jpg"], "val": ["a.jpg", "b.jpg"]}


def test_tags_are_splits_where_folders_are_none(tmp_path: Path) -> None:
    add_image(tmp_path / "ds", "a.jpg", tags=[{"name": "sunny"}, {"name": "train"}])
    add_image(tmp_path / "ds", "b.jpg", tags=[{"name": "val", "value": None}])
    write_meta(tmp_path)
    data = open_dataset(tmp_path, OPTIONS)
    assert names_by_split(data) == {"train": ["a.jpg"], "val": ["b.jpg"]}


def test_a_project_one_folder_deeper_and_with_marks(tmp_path: Path) -> None:
    project = tmp_path / "321_kiwi"
    add_image(project / "ds", "a.jpg")
    write_meta(project)
    text = (project / "meta.json").read_text()
    (project / "meta.json").write_text(text, encoding="utf-16")
    path = project / "ds/ann/a.jpg.json"
    path.write_text(path.read_text(), encoding="utf-8-sig")
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, data.classes.names) == ("supervisely", NAMES)
    assert only(data)[0] == [2, 2, 0, 0, 0, 0]


def test_files_that_leave_out_the_suffix_of_their_image(tmp_path: Path) -> None:
    add_image(tmp_path / "ds", "a.jpg")
    (tmp_path / "ds/ann/a.jpg.json").rename(tmp_path / "ds/ann/a.json")
    write_meta(tmp_path)
    assert only(open_dataset(tmp_path, OPTIONS))[0] == [2, 2, 0, 0, 0, 0]


def test_every_fault_is_an_issue_and_training_refuses_the_first(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
        add_image(tmp_path / "ds", name)
    write_meta(tmp_path)
    ann = tmp_path / "ds/ann"
    (ann / "b.jpg.json").write_text("{")
    (ann / "c.jpg.json").write_text('{"size": {"height": 4, "width": 6}}')
    (tmp_path / "ds/img/d.jpg").unlink()
    cow = RECTANGLE | {"classTitle": "cow"}
    size = {"height": 4, "width": 6}
    (ann / "a.jpg.json").write_text(json.dumps({"size": size, "objects": [cow]}))
    index = read_index(tmp_path)
    assert {(issue.type, issue.file, issue.text.split(":")[0]) for issue in index.issues} == {
        ("annotation-malformed", ann / "b.jpg.json", "malformed JSON at line 1, column 2"),
        (
            "annotation-malformed",
            ann / "c.jpg.json",
            "is not laid out as its format demands ('objects' is missing)",
        ),
        ("class-unlisted", ann / "a.jpg.json", "class 'cow' is not in meta.json"),
        ("list-entry-missing", ann, "1 of 2 images of ann are not here"),
        (
            "picture-not-listed",
            tmp_path / "ds/img",
            "2 that no annotation file names",
        ),
    }
    with pytest.raises(DataError, match=r"b\.jpg\.json: malformed JSON at line 1, column 2"):
        open_dataset(tmp_path, OPTIONS)


def test_sizes_that_are_missing_are_the_pictures(tmp_path: Path) -> None:
    add_image(tmp_path / "ds", "a.jpg")
    write_meta(tmp_path)
    (tmp_path / "ds/ann/a.jpg.json").write_text(json.dumps({"objects": [RECTANGLE]}))
    assert only(open_dataset(tmp_path, OPTIONS))[0] == [2, 2, 0, 0, 0, 0]


def test_alpha_masks_are_bitmaps(tmp_path: Path) -> None:
    data = base64.b64encode(zlib.compress(png([[1, 0], [1, 1]]))).decode()
    bitmap = {"data": data, "origin": [0, 0]}
    result = supervisely(
        tmp_path, [{"classTitle": "dog", "geometryType": "alpha_mask", "bitmap": bitmap}]
    )
    assert [row[:2] for row in only(result)[:2]] == [[2, 0], [2, 2]]
