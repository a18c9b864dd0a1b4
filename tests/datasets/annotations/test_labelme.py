import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.check_dataset import check
from pixelwise.datasets.annotations import labelme as reader
from pixelwise.datasets.open_dataset import open_dataset, read_index
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError, ImageError

OPTIONS = DataOptions(hold_out=False)
NAMES = ("background", "cat", "dog")
LEFT = [[0, 0], [3, 0], [3, 4], [0, 4]]  # half of 4 x 6 pixels
RIGHT = [[3, 0], [6, 0], [6, 4], [3, 4]]
BOTH = [1, 1, 1, 2, 2, 2]


def picture(path: Path, size: tuple[int, int] = (4, 6), *, exif: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size[::-1])
    tags = Image.Exif()
    tags[0x0112] = exif
    image.save(path, exif=tags)
    return path


def png(mask: list[list[int]]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.array(mask, bool)).save(file, format="PNG")
    return file.getvalue()


def only(data: DataSet) -> list[list[int]]:
    ((pair,),) = data.splits.values()
    return data.read_labels(pair.mask).tolist()


def first_rows(data: DataSet) -> dict[str, list[int]]:
    pairs = (pair for split in data.splits.values() for pair in split)
    return {pair.name: data.read_labels(pair.mask)[0].tolist() for pair in pairs}


def shape(label: object, points: list, kind: str | None = "polygon", **more: object) -> dict:
    return {"label": label, "points": points, "shape_type": kind, **more}


def record(image: str, shapes: object, **more: object) -> dict:
    return {
        "version": "5.4.1",
        "flags": {},
        "shapes": shapes,
        "imagePath": image,
        "imageData": None,
        "imageHeight": 4,
        "imageWidth": 6,
        **more,
    }


def write(path: Path, content: object, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_bytes(text.encode(encoding))
    return path


def pair(folder: Path, name: str = "a", shapes: object = None, **more: object) -> Path:
    """A picture and its annotation beside it, cat on the left and dog on the right."""
    picture(folder / f"{name}.jpg")
    both = [shape("cat", LEFT), shape("dog", RIGHT)]
    content = record(f"{name}.jpg", both if shapes is None else shapes, **more)
    return write(folder / f"{name}.json", content)


def labelme(root: Path, shapes: list[dict], name: str = "a") -> DataSet:
    pair(root, name, shapes)
    return open_dataset(root, OPTIONS)


def test_labelme_shapes_the_later_covers_the_earlier(tmp_path: Path) -> None:
    mask = base64.b64encode(png([[1, 0], [1, 1]])).decode()
    data = labelme(
        tmp_path,
        [
            {"label": "dog", "points": [[0, 0], [2, 2]], "shape_type": "rectangle"},
            {"label": "cat", "points": [[1, 1], [3, 1], [3, 3], [1, 3]], "shape_type": "polygon"},
            {"label": "__ignore__", "points": [[4, 2], [5, 3]], "shape_type": "mask", "mask": mask},
            {"label": "dog", "points": [[4.5, 0.5], [4.5, 1.1]], "shape_type": "circle"},
            {"label": "dog", "points": [[0, 0], [6, 4]], "shape_type": "line"},
        ],
    )
    assert (data.format, data.classes.names) == ("labelme", NAMES)
    assert only(data) == [
        [2, 2, 0, 0, 2, 0],
        [2, 1, 1, 0, 0, 0],
        [0, 1, 1, 0, 255, 0],
        [0, 0, 0, 0, 255, 255],
    ]
    assert "1 shapes have no area and label nothing (1 line), in a.json" in data.notes


def test_labelme_labels_that_are_not_listed_and_masks_that_do_not_fit_are_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\ndog\ncat\n")
    shape = {"label": "dog", "points": [[0, 0], [9, 9]], "shape_type": "mask"}
    data = labelme(tmp_path, [shape | {"mask": base64.b64encode(png([[1]])).decode()}])
    assert data.classes.names == ("_background_", "dog", "cat")
    with pytest.raises(
        ImageError, match=r"a mask of 1 x 1 pixels does not fit its box \(0, 0\) to \(9, 9\)"
    ):
        only(data)
    with pytest.raises(DataError, match=r"labels\.txt: lacks 'cow'"):
        labelme(tmp_path, [shape | {"label": "cow"}])


@pytest.mark.parametrize("folder", ["labels", "annotations", "json files", "sub/labels"])
@pytest.mark.parametrize(
    "name",
    [
        "../images/a.jpg",
        "..\\images\\a.jpg",
        "C:\\Users\\jo\\images\\a.jpg",
        "/home/jo/plants/images/a.jpg",
        "a.jpg",
        "a.png",
        None,
    ],
)
def test_images_are_found_by_what_annotations_in_a_folder_of_their_own_name(
    tmp_path: Path, folder: str, name: str | None
) -> None:
    picture(tmp_path / "images/a.jpg")
    picture(tmp_path / "images/b.jpg")
    both = [shape("cat", LEFT), shape("dog", RIGHT)]
    write(tmp_path / folder / "a.json", record(name, both))  # type: ignore[arg-type]
    write(tmp_path / folder / "b.json", record("../images/b.jpg", both[:1]))
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, data.classes.names) == ("labelme", NAMES)
    assert first_rows(data) == {"a": BOTH, "b": [1, 1, 1, 0, 0, 0]}
    assert {issue.type for issue in data.issues} <= {"image-by-name"}


def test_an_annotation_named_otherwise_than_its_image_is_of_what_it_names(tmp_path: Path) -> None:
    picture(tmp_path / "images/frame_0001.jpg")
    write(
        tmp_path / "labels/task-7.json", record("..\\images\\frame_0001.jpg", [shape("cat", LEFT)])
    )
    assert first_rows(open_dataset(tmp_path, OPTIONS)) == {"frame_0001": [1, 1, 1, 0, 0, 0]}


def test_a_path_copied_from_another_frame_is_said(tmp_path: Path) -> None:
    pair(tmp_path, "frame_1")
    pair(tmp_path, "frame_2", [shape("cat", LEFT)], imagePath="frame_1.jpg")
    data = open_dataset(tmp_path, OPTIONS)
    assert first_rows(data) == {"frame_1": BOTH, "frame_2": [1, 1, 1, 0, 0, 0]}
    (issue,) = data.issues
    assert (issue.type, issue.file.name) == ("image-path-differs", "frame_2.json")
    assert any("names frame_1.jpg, but is read as that of frame_2.jpg" in n for n in data.notes)


def test_splits_are_those_of_the_images(tmp_path: Path) -> None:
    pair(tmp_path / "train", "a")
    picture(tmp_path / "val/images/b.jpg")
    write(tmp_path / "val/labels/b.json", record("../images/b.jpg", [shape("dog", LEFT)]))
    data = open_dataset(tmp_path)
    assert {split: [p.name for p in pairs] for split, pairs in data.splits.items()} == {
        "train": ["a"],
        "val": ["b"],
    }


@pytest.mark.parametrize(
    "other",
    [
        {"name": "plants", "owner": "jo"},
        {"images": [], "annotations": [], "categories": []},
        [1, 2],
        "not json at all",
    ],
)
def test_other_json_files_are_left_aside_and_said(tmp_path: Path, other: object) -> None:
    pair(tmp_path, "p")
    write(tmp_path / "a_project.json", other)
    data = open_dataset(tmp_path, DataOptions(format="labelme", hold_out=False))
    assert first_rows(data) == {"p": BOTH}
    assert [(issue.type, issue.file.name) for issue in data.issues] == [
        ("annotations-unread", "a_project.json")
    ]
    assert reader.matches(tmp_path)


def test_side_files_of_macos_are_ignored(tmp_path: Path) -> None:
    pair(tmp_path, "p")
    for name in ("._p.json", "._p.jpg"):
        (tmp_path / name).write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X\xb0")
    data = open_dataset(tmp_path, OPTIONS)
    assert (first_rows(data), data.issues) == ({"p": BOTH}, ())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_annotations_with_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    picture(tmp_path / "a.jpg")
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    text = mark + json.dumps(record("a.jpg", [shape("叶子", LEFT)]), indent=2, ensure_ascii=False)
    write(tmp_path / "a.json", text, encoding)
    assert open_dataset(tmp_path, OPTIONS).classes.names == ("background", "叶子")


def test_annotations_in_another_encoding_are_all_named(tmp_path: Path) -> None:
    for name in "ab":
        picture(tmp_path / f"{name}.jpg")
        write(tmp_path / f"{name}.json", record(f"{name}.jpg", [shape("叶子", LEFT)]), "gb18030")
    with pytest.raises(
        DataError, match=r"a\.json: is not UTF-8 text .*; save it as UTF-8, or .*1 more"
    ):
        open_dataset(tmp_path)
    issues = read_index(tmp_path).issues
    assert [issue.file.name for issue in issues] == ["a.json", "b.json"]
    assert {issue.type for issue in issues} == {"annotation-malformed"}


@pytest.mark.parametrize(
    ("content", "reason", "position"),
    [
        ('{"shapes": [}', "malformed JSON at line 1, column 13", (1, 13)),
        (record("a.jpg", {"x": 1}), "'shapes' is no list", None),
        (record("a.jpg", [shape("", LEFT)]), "shape 1 has no label", None),
        (record("a.jpg", [shape("cat", LEFT), {"points": LEFT}]), "shape 2 has no label", None),
        (record("a.jpg", [shape("cat", None)]), "shape 1 has no points", None),  # type: ignore[arg-type]
        (record("a.jpg", [shape("cat", LEFT, "cuboid")]), "shape 1 is a cuboid; draw it", None),
    ],
)
def test_a_malformed_file_is_an_issue_among_others(
    tmp_path: Path, content: object, reason: str, position: tuple[int, int] | None
) -> None:
    picture(tmp_path / "a.jpg")
    write(tmp_path / "a.json", content)
    pair(tmp_path, "b")
    (issue,) = read_index(tmp_path).issues
    assert (issue.type, issue.position) == ("annotation-malformed", position)
    assert issue.text.startswith(reason)
    with pytest.raises(DataError, match=reason):
        open_dataset(tmp_path)
    lenient = open_dataset(tmp_path, DataOptions(skip_broken=True, hold_out=False))
    assert "left out: annotations that cannot be read (1): a.json" in lenient.notes
    assert lenient.read_labels(tmp_path / "b.jpg")[0].tolist() == BOTH
    with pytest.raises(ImageError):
        lenient.read_labels(tmp_path / "a.jpg")


@pytest.mark.parametrize("shapes", [[], None])
def test_no_shapes_are_background(tmp_path: Path, shapes: object) -> None:
    pair(tmp_path, "a")
    write(tmp_path / "b.json", record("b.jpg", shapes))
    picture(tmp_path / "b.jpg")
    assert first_rows(open_dataset(tmp_path, OPTIONS))["b"] == [0] * 6


def test_variants_of_other_tools(tmp_path: Path) -> None:
    extra = {"group_id": 3, "flags": {}, "difficult": False, "attributes": {}, "kie_linking": []}
    shapes = [
        shape(" cat ", LEFT, None, **extra),
        shape("dog", RIGHT, "rotation", direction=0.5, **extra),
        shape("dog", [[1, 1]], "point", **extra),
    ]
    pair(tmp_path, "a", shapes, description="", chatgpt={})
    content = record("a.jpg", shapes)
    for key in ("version", "flags", "imageHeight", "imageWidth"):
        content.pop(key)
    write(tmp_path / "a.json", content)
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.classes.names, first_rows(data)) == (NAMES, {"a": BOTH})


def test_a_picture_embedded_before_the_shapes_hides_nothing(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    content = {"imageData": "A" * 100_000, **record("a.jpg", [shape("cat", LEFT)])}
    content["imageData"] = "A" * 100_000
    write(tmp_path / "a.json", content)
    assert open_dataset(tmp_path, OPTIONS).format == "labelme"


def test_labels_that_differ_only_in_case_are_said(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    pair(tmp_path, "b")
    pair(tmp_path, "c", [shape("Cat", LEFT)])
    data = open_dataset(tmp_path, OPTIONS)
    assert data.classes.names == ("background", "Cat", "cat", "dog")
    (issue,) = data.issues
    assert (issue.type, issue.file.name) == ("classes-alike", "c.json")
    assert any("'Cat' in 1 files, 'cat' in 2 files" in note for note in data.notes)


def test_every_label_that_is_not_listed_is_named(tmp_path: Path) -> None:
    pair(tmp_path / "labels", "a", [shape("Cat", LEFT)])
    pair(tmp_path / "labels", "b", [shape("cow", LEFT)])
    pair(tmp_path / "labels", "c")
    write(tmp_path / "labels/classes.txt", "cat\ndog\n")
    with pytest.raises(DataError, match=r"lacks 'Cat'.*a\.json.*did you mean 'cat'\?.*1 more"):
        open_dataset(tmp_path)
    index = read_index(tmp_path)
    assert [(issue.type, issue.file.name) for issue in index.issues] == [
        ("class-unlisted", "a.json"),
        ("class-unlisted", "b.json"),
    ]
    assert index.classes is not None
    assert index.classes.names == NAMES
    result, _ = check(tmp_path)
    assert {"class-unlisted", "mask-unreadable"} <= result.findings.ids()


def test_images_and_annotations_without_the_other_are_refused_or_left_out(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    picture(tmp_path / "bare.jpg")
    write(tmp_path / "gone.json", record("gone.jpg", [shape("cat", LEFT)]))
    with pytest.raises(DataError, match=r"1 image without mask \(bare\.jpg\) and 1 mask without"):
        open_dataset(tmp_path)
    assert {issue.type for issue in read_index(tmp_path).issues} == {
        "image-without-mask",
        "mask-without-image",
    }
    data = open_dataset(tmp_path, DataOptions(skip_unpaired=True, hold_out=False))
    assert list(first_rows(data)) == ["a"]
    assert "left out: images without mask (1): bare.jpg" in data.notes
    assert "left out: masks without image (1): gone.json" in data.notes


def test_two_annotations_of_one_image_and_two_images_of_one_are_refused(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    write(tmp_path / "old/a.json", record("../a.jpg", []))
    with pytest.raises(
        DataError, match=r"a\.jpg: has two annotations, .*a\.json and .*old/a\.json"
    ):
        open_dataset(tmp_path)
    (tmp_path / "old/a.json").unlink()
    picture(tmp_path / "a.png")
    assert {issue.type for issue in read_index(tmp_path).issues} == {"image-without-mask"}
    pair(tmp_path, "a", imagePath="b.jpg")
    assert "image-name-twice" in {issue.type for issue in read_index(tmp_path).issues}


def test_masks_beside_annotations_in_their_own_folder_go_first(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    write(tmp_path / "annotations/a.json", record("../images/a.jpg", [shape("cat", LEFT)]))
    assert reader.matches(tmp_path)
    (tmp_path / "masks").mkdir()
    Image.new("L", (6, 4)).save(tmp_path / "masks/a.png")
    assert not reader.matches(tmp_path)


@pytest.mark.parametrize(
    ("size", "exif", "finding"),
    [((6, 4), 1, "size-transposed"), ((4, 6), 6, "orientation-mismatch")],
)
def test_a_size_that_is_not_that_of_the_file_is_found(
    tmp_path: Path, size: tuple[int, int], exif: int, finding: str
) -> None:
    pair(tmp_path, "a")
    picture(tmp_path / "a.jpg", size, exif=exif)
    result, _ = check(tmp_path)
    assert finding in {found.id for found in result.findings.of("error")}
