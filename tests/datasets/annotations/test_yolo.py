import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.check_dataset import check
from pixelwise.datasets.annotations import yolo as reader
from pixelwise.datasets.open_dataset import open_dataset, read_index
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError

OPTIONS = DataOptions(hold_out=False)
NAMES = ("background", "cat", "dog")
CAT = "0 0 0 0.5 0 0.5 1 0 1"  # the left half
DOG = "1 0.5 0 1 0 1 1 0.5 1"  # the right half


def picture(path: Path, size: tuple[int, int] = (4, 6), *, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def yolo(root: Path, text: str) -> DataSet:
    picture(root / "train/images/a.jpg")
    picture(root / "train/images/b.jpg")
    write(root / "train/labels/a.txt", text)
    write(root / "data.yaml", "nc: 2\nnames: ['cat', 'dog']\n")
    return open_dataset(root, OPTIONS)


def halves(root: Path, *, names: str = "names: [cat, dog]\n") -> Path:
    """Two pictures, cat on the left and dog on the right, and one of a cat alone to score on."""
    for number, (split, labels) in enumerate(
        (("train", f"{CAT}\n{DOG}\n"), ("train", f"{DOG}\n{CAT}\n"), ("val", f"{CAT}\n"))
    ):
        picture(root / f"images/{split}/p{number}.png", seed=number)
        write(root / f"labels/{split}/p{number}.txt", labels)
    if names:
        write(root / "data.yaml", names)
    return root


def labels_of(data: DataSet) -> dict[str, list[list[int]]]:
    """The first row of labels of each image, by name."""
    pairs = (pair for split in data.splits.values() for pair in split)
    return {pair.name: data.read_labels(pair.mask)[0].tolist() for pair in pairs}


BOTH = [1, 1, 1, 2, 2, 2]


def test_yolo_polygons_and_images_without_labels(tmp_path: Path) -> None:
    data = yolo(tmp_path, "1 0.1667 0.25 0.5 0.25 0.5 0.75 0.1667 0.75\n\n0 0 0 .2 0 .2 .3 0 .3\n")
    assert (data.format, data.classes.names) == ("yolo", NAMES)
    assert (
        "Images without annotation: b.jpg: no b.txt. They count as background: "
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
        ("-1 0 0 1 0 1 1", "line 1: class -1, but the names are 0 to 1"),
        ("0.5 0 0 1 0 1 1", "line 1: class 0.5; allowed are whole numbers"),
        ("0 0 0 1 0 1 1 1", "line 1: 7 coordinates"),
        ("cat 0 0 1 0 1 1", "line 1: 'cat' is no number"),
        ("0 0 0 nan 0 1 1", "line 1: 'nan' is no number"),
        ("0 0 0 320 0 320 240", "line 1: coordinate 320, in pixels; allowed are 0 to 1"),
    ],
)
def test_yolo_lines_that_are_no_polygon_are_named(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        yolo(tmp_path, line)


def test_all_faults_are_listed_and_the_first_is_refused_with_their_number(tmp_path: Path) -> None:
    halves(tmp_path)
    write(tmp_path / "labels/train/p0.txt", f"{CAT}\n0 0 0 1\n7 0 0 1 0 1 1\n")
    write(tmp_path / "labels/val/p2.txt", b"\xff\x00\xd2")
    index = read_index(tmp_path)
    assert [(issue.type, issue.file.name, issue.position) for issue in index.issues] == [
        ("annotation-malformed", "p0.txt", (2, 1)),
        ("class-unlisted", "p0.txt", (3, 1)),
        ("annotation-malformed", "p2.txt", (1, 1)),
    ]
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/labels/train/p0.txt: line 2: 3 coordinates; a polygon has x and y of three "
        "corners or more; correct it, or train without the image: --skip-broken (and 2 more; "
        "`pixelwise check` lists them all)"
    )
    result, _ = check(tmp_path)
    assert {"annotation-malformed", "class-unlisted"} <= result.findings.ids()
    lenient = open_dataset(tmp_path, DataOptions(skip_broken=True))
    assert "left out: annotations that cannot be read (2): p0.txt, p2.txt" in lenient.notes
    broken, good = lenient.pairs("train")
    assert lenient.read_labels(good.mask)[0].tolist() == BOTH
    with pytest.raises(DataError, match=r"p0\.txt, line 2: 3 coordinates"):
        lenient.read_labels(broken.mask)


def test_a_box_among_polygons_is_left_out_and_named(tmp_path: Path) -> None:
    halves(tmp_path)
    write(tmp_path / "labels/train/p0.txt", f"{CAT}\n1 .5 .5 .2 .2\n1 .5 .5 .2 .2 .93\n")
    data = open_dataset(tmp_path, OPTIONS)
    assert labels_of(data)["p0"] == [1, 1, 1, 0, 0, 0]
    (issue,) = data.issues
    assert (issue.type, issue.file.name, issue.count) == ("box-left-out", "p0.txt", 2)
    assert data.notes[3] == (
        "Boxes among outlines: p0.txt: 2 boxes, the first in line 2. They are left out, so their "
        "pixels are background: draw outlines of these objects."
    )
    result, _ = check(tmp_path)
    assert "box-left-out" in {finding.id for finding in result.findings.of("warning")}


def test_boxes_alone_are_a_set_for_detection(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"all 2 labels are boxes .* for detection; segmentation"):
        yolo(tmp_path, "0 .5 .5 .1 .1\n1 .2 .2 .1 .1 .9\n")


def test_poses_are_no_polygons(tmp_path: Path) -> None:
    halves(tmp_path, names="kpt_shape: [4, 2]\nnames: [cat, dog]\n")
    with pytest.raises(DataError, match=r"kpt_shape is of a data set of poses; export polygons"):
        open_dataset(tmp_path)


def test_lists_of_names_and_side_files_among_labels_are_no_labels(tmp_path: Path) -> None:
    halves(tmp_path)
    write(tmp_path / "labels/train/classes.txt", "cat\r\ndog\r\n")
    write(tmp_path / "labels/train/._p0.txt", b"\x00\x05\x16\x07\xb0")
    write(tmp_path / "images/train/._p0.png", b"\x00\x05\x16\x07\xb0")
    write(tmp_path / "labels/train.cache", b"\x93NUMPY")
    data = open_dataset(tmp_path, OPTIONS)
    assert labels_of(data) == {"p0": BOTH, "p1": BOTH, "p2": [1, 1, 1, 0, 0, 0]}
    assert (data.issues, data.classes.names) == ((), NAMES)
    write(tmp_path / "labels/train/classes.txt", "dog\ncat\n")
    write(tmp_path / "labels/train/notes.txt", "drawn by hand\n")
    data = open_dataset(tmp_path, OPTIONS)
    assert {issue.type for issue in data.issues} == {"classes-contradict", "annotations-unread"}
    assert data.classes.names == NAMES
    assert any("lists dog, cat, but data.yaml, which is used, cat, dog" in n for n in data.notes)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff0 0 0 .5 0 .5 1 0 1\r\n1 .5 0 1 0 1 1 .5 1\r\n",
        "0.0 0 0 .5 0 .5 1 0 1\n\n\n1.0\t.5\t0\t1\t0\t1\t1\t.5\t1",
        "0, 0, 0, .5, 0, .5, 1, 0, 1\n1 .5,0 1,0 1,1 .5,1\n",
        "# drawn on Monday\n0 0 0 .5 0 .5 1 0 1 # a cat\n1 .5 0 1 0 1 1 .5 1",
    ],
)
def test_label_files_are_read_as_they_arrive(tmp_path: Path, text: str) -> None:
    halves(tmp_path)
    (tmp_path / "labels/train/p0.txt").unlink()
    write(tmp_path / "labels/train/p0.TXT", text)
    data = open_dataset(tmp_path, OPTIONS)
    assert labels_of(data)["p0"] == BOTH
    assert data.issues == ()


def test_the_export_of_label_studio_has_no_yaml(tmp_path: Path) -> None:
    picture(tmp_path / "images/0a1b2c3d-plant_1.jpg")
    picture(tmp_path / "images/plant_2.jpg", seed=1)
    write(tmp_path / "labels/0a1b2c3d-plant_1.txt", f"{CAT}\n{DOG}\n")
    write(tmp_path / "labels/4e5f6a7b-plant_2.txt", f"{DOG}\n")  # the image has its own name
    write(tmp_path / "classes.txt", "cat\ndog\n")
    notes = {"categories": [{"id": 0, "name": "cat"}], "info": {"contributor": "Label Studio"}}
    write(tmp_path / "notes.json", json.dumps(notes))
    assert reader.matches(tmp_path)
    data = open_dataset(tmp_path, DataOptions(format="yolo", hold_out=False))
    assert (data.classes.names, data.notes[0]) == (NAMES, "format yolo: classes.txt")
    assert labels_of(data) == {"0a1b2c3d-plant_1": BOTH, "plant_2": [0, 0, 0, 2, 2, 2]}
    assert data.issues == ()


def test_a_list_of_names_beside_masks_does_not_make_a_yolo_set(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    write(tmp_path / "labels/a.txt", CAT)
    write(tmp_path / "classes.txt", "cat\ndog\n")
    assert reader.matches(tmp_path)
    (tmp_path / "masks").mkdir()
    Image.new("L", (6, 4)).save(tmp_path / "masks/a.png")
    assert not reader.matches(tmp_path)


def test_a_label_file_of_two_images_is_refused(tmp_path: Path) -> None:
    halves(tmp_path)
    picture(tmp_path / "images/train/p0.jpg")
    with pytest.raises(DataError, match=r"p0\.txt: is of two images, p0\.jpg and p0\.png; remove"):
        open_dataset(tmp_path)
    (issue,) = read_index(tmp_path).issues
    assert (issue.type, issue.file.name) == ("image-name-twice", "p0.png")


def test_label_files_without_image_are_refused_or_left_out(tmp_path: Path) -> None:
    halves(tmp_path)
    write(tmp_path / "labels/val/gone.txt", CAT)
    write(tmp_path / "labels/test/lost.txt", "")
    with pytest.raises(DataError, match=r"2 label files without image: gone\.txt, lost\.txt; add"):
        open_dataset(tmp_path)
    data = open_dataset(tmp_path, DataOptions(skip_unpaired=True))
    assert "left out: masks without image (2): gone.txt, lost.txt" in data.notes
    assert [len(data.pairs(split)) for split in ("train", "val")] == [2, 1]


def test_polygons_that_reach_out_are_said(tmp_path: Path) -> None:
    halves(tmp_path)
    write(tmp_path / "labels/train/p0.txt", "0 -.2 0 .5 0 .5 1.2 -.2 1.2\n1 .5 0 1 0 1 1 .5 1\n")
    data = open_dataset(tmp_path, OPTIONS)
    assert labels_of(data)["p0"] == BOTH
    assert "polygons reach outside their image and are cut at its border, in p0.txt" in data.notes
    result, _ = check(tmp_path)
    assert "shapes-clipped" in result.findings.ids()


def test_yaml_that_cannot_be_read_names_the_place(tmp_path: Path) -> None:
    yolo(tmp_path, "")
    (tmp_path / "data.yaml").write_text("names: [cat\nb: ]: c")
    with pytest.raises(DataError, match=r"data\.yaml: malformed YAML: .*line 2"):
        open_dataset(tmp_path)


def test_names_with_a_gap_are_refused_and_the_rest_is_checked(tmp_path: Path) -> None:
    halves(tmp_path, names="nc: 3\nnames:\n  0: cat\n  2: dog\n")
    with pytest.raises(DataError, match=r"data\.yaml: names lack number 1; add them$"):
        open_dataset(tmp_path)
    result, _ = check(tmp_path)
    assert result.encoding.classes.names == ("background", "cat", "class 1", "dog")
    assert "names-malformed" in result.findings.ids()


def test_a_second_yaml_of_other_names_is_refused_and_one_of_the_same_said(tmp_path: Path) -> None:
    halves(tmp_path)
    write(tmp_path / "dataset.yaml", "nc: 2\nnames: {0: cat, 1: dog}\n")
    data = open_dataset(tmp_path, OPTIONS)
    text = "dataset.yaml: the names are taken from data.yaml"
    assert len([note for note in data.notes if text in note]) == 1
    write(tmp_path / "dataset.yaml", "names: [dog, cat]\n")
    with pytest.raises(
        DataError,
        match=r"dataset\.yaml: names dog, cat, but data\.yaml cat, dog; keep the right one",
    ):
        open_dataset(tmp_path, OPTIONS)


def test_decimal_commas_are_refused_with_the_line(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"a\.txt: line 2: '0,5' has a decimal comma; write a point: 0\.5; correct"
    ):
        yolo(tmp_path, f"{CAT}\n1 0,5 0 1 0 1 1\n")


@pytest.mark.parametrize("line", ["0,0,0,0.5,0,0.5,1,0,1", "0;0;0;0.5;0;0.5;1;0;1"])
def test_commas_between_numbers_are_read(tmp_path: Path, line: str) -> None:
    data = yolo(tmp_path, line)
    assert labels_of(data)["a"] == [1, 1, 1, 0, 0, 0]


def test_an_empty_list_of_a_split_is_said(tmp_path: Path) -> None:
    halves(tmp_path, names="train: images/train\nval: val.txt\nnames: [cat, dog]\n")
    write(tmp_path / "val.txt", "\n")
    index = read_index(tmp_path)
    (issue,) = (issue for issue in index.issues if issue.type == "split-missing")
    assert issue.text == "val is 'val.txt', which names no image"
    assert any(issue.text in note for note in index.notes)


def test_labels_without_names_say_what_to_add(tmp_path: Path) -> None:
    halves(tmp_path, names="")
    with pytest.raises(
        DataError,
        match=r"if these are labels of YOLO, name the classes in data\.yaml beside images/ and "
        r"labels/, such as `names: \[cat, dog\]`",
    ):
        open_dataset(tmp_path, OPTIONS)
