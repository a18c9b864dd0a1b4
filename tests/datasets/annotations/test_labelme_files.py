import json
from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.annotations.labelme_files import (
    Annotation,
    ImageMatcher,
    holds_shapes,
    list_json,
    read_annotation,
)


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4)).save(path)
    return path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"version": "5", "shapes": []}, True),
        ({"imageData": "A" * 90_000, "shapes": []}, True),
        ({"images": [], "annotations": []}, False),
        ([{"shapes": 1}], False),
        ("", False),
    ],
)
def test_files_with_shapes(tmp_path: Path, content: object, expected: bool) -> None:
    assert holds_shapes(write(tmp_path / "a.json", content)) is expected


def test_files_two_folders_deep_but_for_lists_of_classes(tmp_path: Path) -> None:
    expected = [write(tmp_path / name, {}) for name in ("a.json", "train/b.json")]
    expected.append(write(tmp_path / "train/labels/c.JSON", {}))
    for name in ("classes.json", "._a.json", ".cache/d.json", "train/labels/deep/e.json"):
        write(tmp_path / name, {})
    assert list(list_json(tmp_path)) == expected


def test_contents_faults_and_other_files(tmp_path: Path) -> None:
    read = read_annotation(write(tmp_path / "a.json", {"shapes": None, "imageData": "AAAA"}))
    assert read == Annotation(tmp_path / "a.json", {"shapes": []})
    assert read_annotation(write(tmp_path / "b.json", {"images": []})) is None
    assert read_annotation(write(tmp_path / "c.json", "{}{")) is None
    broken = read_annotation(write(tmp_path / "d.json", '{"shapes":\n [}'))
    assert broken is not None
    assert (broken.position, broken.fault[:25]) == ((2, 3), "malformed JSON at line 2,")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.json", "photos/x.png"),  # beside it and called as it, whatever it names
        ("y.json", "other/y.jpg"),  # the only one called so
        ("z.json", None),  # two of that name
        ("q.json", "photos/x.png"),  # what it names
    ],
)
def test_the_image_of_a_file(tmp_path: Path, name: str, expected: str | None) -> None:
    for image in ("photos/x.png", "other/x.png", "other/y.jpg", "other/z.jpg", "third/z.jpg"):
        picture(tmp_path / image)
    matcher = ImageMatcher(tmp_path)
    image_path = {"q.json": "D:\\work\\photos\\x.png", "z.json": "z.bmp"}.get(name, "gone.jpg")
    path = tmp_path / "photos" / name
    image = matcher.find(Annotation(path, {"imagePath": image_path}))
    assert image == (None if expected is None else tmp_path / expected)
    differs = [issue.file for issue in matcher.issues if issue.type == "image-path-differs"]
    assert differs == ([path] if name == "y.json" else [])
    assert len(matcher.list_by_name()) == (name == "q.json")
