import json
from pathlib import Path

import pytest

from pixelwise.datasets.annotations.labelstudio_tasks import holds_tasks, read_task


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([{"id": 1, "annotations": [{"was_cancelled": False, "result": []}]}], True),
        ([{"image": "a.jpg", "annotator": 1, "annotation_id": 2}], True),
        ([{"id": 1, "annotations": [], "total_annotations": 0}], True),
        ({"id": 1, "annotations": [{"result": [{"from_name": "t"}]}]}, True),
        ({"images": [], "annotations": [], "categories": []}, False),
        ({"categories": [], "info": {"contributor": "Label Studio"}}, False),
        ({"shapes": [], "imagePath": "a.jpg"}, False),
        ([{"id": 0, "name": "leaf"}], False),
        ("text", False),
    ],
)
def test_exports_are_recognised_by_their_keys(
    tmp_path: Path, content: object, expected: bool
) -> None:
    path = tmp_path / "a.json"
    path.write_text("\ufeff" + json.dumps(content, indent=1), encoding="utf-8")
    assert holds_tasks(path) is expected


def test_names_of_an_image_likeliest_first() -> None:
    content = {
        "id": 3,
        "annotations": [],
        "file_upload": "0a1b2c3d-a.jpg",
        "data": {"text": "a leaf", "picture": "/data/local-files/?d=x/0a1b2c3d-a.jpg"},
    }
    read = read_task(content)
    assert read.names == ["/data/local-files/?d=x/0a1b2c3d-a.jpg", "0a1b2c3d-a.jpg", "a.jpg"]
    assert read.regions is None


def test_old_exports_call_annotations_completions() -> None:
    value = {"points": [[0, 0], [9, 0], [9, 9]], "polygonlabels": ["leaf"]}
    entry = {"original_width": 8, "original_height": 4, "value": value}
    read = read_task({"id": 1, "completions": [{"result": [entry]}], "data": {"image": "a.jpg"}})
    assert read.regions is not None
    assert [(region.label, region.kind, region.size) for region in read.regions] == [
        ("leaf", "polygon", (4, 8))
    ]
