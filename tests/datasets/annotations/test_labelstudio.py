import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.check_dataset import check
from pixelwise.datasets.annotations import labelstudio as reader
from pixelwise.datasets.open_dataset import open_dataset, read_index
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError

OPTIONS = DataOptions(hold_out=False)
LEFT = [[0, 0], [50, 0], [50, 100], [0, 100]]
SIZE = {"original_width": 8, "original_height": 4, "image_rotation": 0}


def pack(painted: np.ndarray) -> list[int]:
    """A mask (H, W) as Label Studio's run lengths: one block of all its bytes, not repeated."""
    pixels = np.repeat(painted.ravel(), 4).astype(np.uint8) * 255
    head = f"{len(pixels):032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    bits = f"{head}011{len(pixels) - 1:016b}" + "".join(f"{value:08b}" for value in pixels)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def picture(path: Path, size: tuple[int, int] = (4, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def region(kind: str, label: str | None, number: str = "r", **value: object) -> dict:
    """An entry of a result: kind is polygon, brush, rectangle, ellipse or keypoint."""
    labels = {f"{kind}labels": [label]} if label else {}
    entry_type = f"{kind}labels" if label else kind
    return {
        "id": number,
        "type": entry_type,
        "value": {**value, **labels},
        **SIZE,
        "from_name": "t",
    }


def task(number: int, image: str, result: list[dict] | None, **more: object) -> dict:
    """A task with one annotation, or without any where there is no result."""
    annotations = [] if result is None else [{"id": number, "result": result, **more}]
    return {
        "id": number,
        "annotations": [{"was_cancelled": False, **entry} for entry in annotations],
        "file_upload": f"0a1b2c3d-{image}",
        "data": {"image": f"/data/upload/3/0a1b2c3d-{image}"},
        "total_annotations": len(annotations),
    }


def export(root: Path, tasks: object, name: str = "project-1-at-2025-01-01.json") -> DataSet:
    (root / name).write_text(json.dumps(tasks))
    return open_dataset(root, OPTIONS)


def rows(data: DataSet, name: str = "a") -> list[list[int]]:
    (pair,) = [pair for split in data.splits.values() for pair in split if pair.name == name]
    return data.read_labels(pair.mask).tolist()


def test_shapes_in_per_cent_and_brushes(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    painted = np.zeros((4, 8), bool)
    painted[1:3, 6] = True
    data = export(
        tmp_path,
        [
            task(
                1,
                "a.jpg",
                [
                    region("polygon", "leaf", points=LEFT, closed=True),
                    region("rectangle", "stem", x=25, y=50, width=50, height=50, rotation=0),
                    region("brush", "bud", format="rle", rle=pack(painted)),
                    region("keypoint", "tip", x=1, y=1, width=0.5),
                ],
            )
        ],
    )
    assert (data.format, data.classes.names) == (
        "labelstudio",
        ("background", "bud", "leaf", "stem", "tip"),
    )
    assert rows(data) == [
        [2, 2, 2, 2, 0, 0, 0, 0],
        [2, 2, 2, 2, 0, 0, 1, 0],
        [2, 2, 3, 3, 3, 3, 1, 0],
        [2, 2, 3, 3, 3, 3, 0, 0],
    ]
    assert "1 keypoints label no pixel, in a.jpg" in data.notes
    assert data.issues == ()


def test_ellipses_and_turned_rectangles(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    # Two pixels wide and four long, turned by a right angle about its upper left corner (4, 0):
    # from there it reaches down by its width and to the left by its height.
    turned = region("rectangle", "stem", x=50, y=0, width=25, height=100, rotation=90)
    # A circle of radius 1 about (6, 3) covers the four pixels around.
    circle = region("ellipse", "leaf", x=75, y=75, radiusX=12.5, radiusY=25, rotation=30)
    assert rows(export(tmp_path, [task(1, "a.png", [turned, circle])])) == [
        [2, 2, 2, 2, 0, 0, 0, 0],
        [2, 2, 2, 2, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1, 1, 0],
        [0, 0, 0, 0, 0, 1, 1, 0],
    ]


def test_the_short_export_has_the_same_regions(tmp_path: Path) -> None:
    picture(tmp_path / "images/0a1b2c3d-a.jpg")
    entry = {"points": LEFT, "closed": True, "polygonlabels": ["leaf"], **SIZE}
    short = {
        "image": "/data/upload/3/0a1b2c3d-a.jpg",
        "id": 1,
        "tag": [entry],
        "annotator": 1,
        "annotation_id": 9,
        "lead_time": 3.5,
        "updated_at": "2025-01-01T00:00:00Z",
    }
    data = export(tmp_path, [short])
    assert data.classes.names == ("background", "leaf")
    assert rows(data, "0a1b2c3d-a")[0] == [1, 1, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("file", "image"),
    [
        ("images/a.jpg", "/data/upload/3/0a1b2c3d-a.jpg"),
        ("images/0a1b2c3d-a.jpg", "/data/upload/3/0a1b2c3d-a.jpg"),
        ("day 1/a.jpg", "/data/local-files/?d=plants/day%201/a.jpg"),
        ("images/a.jpg", "https://example.org/plants/a.jpg?token=1"),
        ("images/a b.jpg", "s3://bucket/plants/a%20b.jpg"),
        ("images/a.jpg", "C:\\plants\\a.jpg"),
    ],
)
def test_images_are_found_by_what_tasks_say(tmp_path: Path, file: str, image: str) -> None:
    picture(tmp_path / file)
    content = task(1, "x.jpg", [region("polygon", "leaf", points=LEFT)])
    del content["file_upload"]
    content["data"] = {"caption": "a leaf", "image": image}
    data = export(tmp_path, [content])
    assert [pair.image for pair in data.pairs("train")] == [tmp_path / file]


def test_labels_of_a_tag_of_their_own_stand_beside_the_shape(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    shape = region("polygon", None, "r1", points=LEFT)
    label = shape | {"type": "labels", "value": {"points": LEFT, "labels": ["leaf"]}}
    sure = shape | {"type": "choices", "value": {"points": LEFT, "choices": ["sure"]}}
    data = export(tmp_path, [task(1, "a.jpg", [shape, label, sure])])
    assert data.classes.names == ("background", "leaf")
    assert data.issues == ()


def test_tasks_that_nobody_annotated_are_left_out_and_said(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        picture(tmp_path / f"images/{name}.jpg")
    drawn = [region("polygon", "leaf", points=LEFT)]
    tasks = [
        task(1, "a.jpg", drawn),
        task(2, "b.jpg", None),
        task(3, "c.jpg", drawn, was_cancelled=True),
        task(4, "d.jpg", []),  # looked at, and nothing there
    ]
    data = export(tmp_path, tasks)
    assert [pair.name for pair in data.pairs("train")] == ["a", "d"]
    assert not np.any(rows(data, "d"))
    assert [issue.type for issue in data.issues] == ["image-unannotated"] * 2
    assert any(note.startswith("Images that nobody has annotated (2)") for note in data.notes)


def test_tasks_of_predictions_alone_are_refused_as_such(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    predicted = [{"result": [{"from_name": "tag"}]}]
    with pytest.raises(DataError, match="nobody has annotated these tasks, or submitted what"):
        export(tmp_path, [{"id": 1, "data": {"image": "a.png"}, "predictions": predicted}])


def test_the_ground_truth_or_the_latest_of_several_annotations_counts(tmp_path: Path) -> None:
    for name in "abc":
        picture(tmp_path / f"images/{name}.jpg")

    def several(number: int, *entries: tuple[str, str, bool]) -> dict:
        content = task(number, f"{'abc'[number]}.jpg", [])
        content["annotations"] = [
            {
                "result": [region("polygon", label, points=LEFT)],
                "updated_at": day,
                "ground_truth": t,
            }
            for label, day, t in entries
        ]
        return content

    tasks = [
        several(0, ("leaf", "2025-01-02", False), ("stem", "2025-01-01", False)),
        several(1, ("leaf", "2025-01-02", False), ("stem", "2025-01-01", True)),
        several(2, ("stem", "2025-01-02", False)),
    ]
    data = export(tmp_path, tasks)
    assert [rows(data, name)[0][0] for name in "abc"] == [1, 2, 2]
    (issue,) = data.issues
    assert (issue.type, issue.text) == ("image-annotated-twice", "task 0 (a.jpg) has 2 annotations")


def test_regions_without_or_with_several_labels_are_said(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    two = region("polygon", "leaf", "r1", points=LEFT)
    two["value"]["polygonlabels"] = ["leaf", "stem"]
    data = export(tmp_path, [task(1, "a.jpg", [two, region("brush", None, "r2", rle=[])])])
    assert rows(data)[0] == [1, 1, 1, 1, 0, 0, 0, 0]
    assert {issue.type: issue.text for issue in data.issues} == {
        "shape-left-out": "task 1 (a.jpg): 1 regions without label",
        "shape-with-labels": "task 1 (a.jpg): leaf/stem",
    }


def test_faults_of_single_tasks_are_issues(tmp_path: Path) -> None:
    for name in "abcd":
        picture(tmp_path / f"images/{name}.jpg")
    turned = region("polygon", "leaf", points=LEFT) | {"image_rotation": 90}
    film = region("videorectangle", "leaf", sequence=[])
    small = region("polygon", "leaf", points=LEFT) | {"original_width": 4}
    good = region("polygon", "leaf", points=LEFT)
    tasks = [
        task(1, "a.jpg", [turned]),
        task(2, "b.jpg", [film]),
        task(3, "c.jpg", [good, small]),
        task(4, "d.jpg", [good]),
        "no task",
    ]
    with pytest.raises(DataError, match=r"a task that is not as its format has it .*and 3 more"):
        export(tmp_path, tasks)
    texts = [issue.text for issue in read_index(tmp_path).issues]
    assert [text[:30] for text in texts[1:]] == [
        "task 1: its image was turned b",
        "task 2: a region of type video",
        "task 3: regions of other sizes",
    ]
    tasks.pop()
    (tmp_path / "project-1-at-2025-01-01.json").write_text(json.dumps(tasks))
    lenient = open_dataset(tmp_path, DataOptions(skip_broken=True, hold_out=False))
    assert rows(lenient, "d")[0] == [1, 1, 1, 1, 0, 0, 0, 0]


def test_a_brush_that_cannot_be_decoded_is_found_with_its_image(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    export(tmp_path, [task(1, "a.jpg", [region("brush", "leaf", rle=[0, 1, 2, 3])])])
    result, _ = check(tmp_path)
    (finding,) = [finding for finding in result.findings if finding.id == "mask-unreadable"]
    assert "brush mask of 66051 bytes" in finding.issues[0].text


def test_missing_images_and_two_uploads_of_one_name_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    drawn = [region("polygon", "leaf", points=LEFT)]
    with pytest.raises(DataError, match=r"1 of 2 images of project.*/0a1b2c3d-gone\.jpg; add them"):
        export(tmp_path, [task(1, "a.jpg", drawn), task(2, "gone.jpg", drawn)])
    other = task(2, "a.jpg", drawn)
    other["file_upload"] = "ffffffff-a.jpg"
    other["data"]["image"] = "/data/upload/3/ffffffff-a.jpg"
    with pytest.raises(DataError, match=r"tasks 1 and 2 .* both seem to be of a\.jpg"):
        export(tmp_path, [task(1, "a.jpg", drawn), other])


def test_exports_without_regions_are_refused_and_boxes_alone_said(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    choice = {"type": "choices", "value": {"choices": ["good"]}, "from_name": "c"}
    with pytest.raises(DataError, match="no region labels pixels"):
        export(tmp_path, [task(1, "a.jpg", [choice])])
    box = region("rectangle", "leaf", x=0, y=0, width=50, height=100)
    data = export(tmp_path, [task(1, "a.jpg", [box])])
    assert rows(data)[0] == [1, 1, 1, 1, 0, 0, 0, 0]
    assert [issue.type for issue in data.issues] == ["boxes-alone"]


def test_classes_of_a_list_keep_its_order(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    (tmp_path / "classes.txt").write_text("stem\nleaf\n")
    data = export(tmp_path, [task(1, "a.jpg", [region("polygon", "leaf", points=LEFT)])])
    assert data.classes.names == ("background", "stem", "leaf")
    with pytest.raises(DataError, match=r"classes\.txt: lacks 'bud', which shapes of a\.jpg"):
        export(tmp_path, [task(1, "a.jpg", [region("polygon", "bud", points=LEFT)])])


@pytest.mark.parametrize("json_beside", [False, True])
def test_brush_pictures_do_not_say_whose_image_they_are_of(
    tmp_path: Path, json_beside: bool
) -> None:
    picture(tmp_path / "images/a.jpg")
    picture(tmp_path / "masks/task-1-annotation-9-by-1-tag-leaf-0.png")
    assert reader.matches(tmp_path)
    if json_beside:
        data = export(tmp_path, [task(1, "a.jpg", [region("polygon", "leaf", points=LEFT)])])
        assert (data.format, len(data.pairs("train"))) == ("labelstudio", 1)
        return
    for opened in (open_dataset, check):
        with pytest.raises(DataError, match=r"task-1-annotation-9.*export the project as JSON or"):
            opened(tmp_path)


def test_splits_are_those_of_folders_or_of_the_files(tmp_path: Path) -> None:
    drawn = [region("polygon", "leaf", points=LEFT)]
    for name in "abc":
        picture(tmp_path / f"images/{name}.jpg")
    (tmp_path / "val.json").write_text(json.dumps([task(1, "a.jpg", drawn)]))
    data = export(tmp_path, [task(2, "b.jpg", drawn), task(3, "c.jpg", drawn)], "train.json")
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {"train": 2, "val": 1}
