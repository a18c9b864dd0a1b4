from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset, read_index
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError

OPTIONS = DataOptions(hold_out=False)
CVAT = """<?xml version="1.0"?>
<annotations><version>1.1</version><meta><task><labels>
<label><name>dog</name><color>#0000ff</color></label><label><name>cat</name></label>
</labels></task></meta>
<image id="0" name="a.jpg" width="6" height="4" subset="val">
<polygon label="cat" points="1,1;3,1;3,3;1,3" z_order="1"/>
<box label="dog" xtl="0" ytl="0" xbr="2" ybr="2" z_order="0"/>
<mask label="dog" rle="1, 2, 1" left="4" top="2" width="2" height="2" z_order="0"/>
<ellipse label="dog" cx="4.5" cy="0.5" rx="0.6" ry="0.6" z_order="0"/>
<polyline label="dog" points="0,0;6,4" z_order="2"/>
</image></annotations>"""


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def only(data: DataSet) -> list[list[int]]:
    ((pair,),) = data.splits.values()
    return data.read_labels(pair.mask).tolist()


EXPECTED = [
    [1, 1, 0, 0, 1, 0],
    [1, 2, 2, 0, 0, 0],
    [0, 2, 2, 0, 0, 1],
    [0, 0, 0, 0, 1, 0],
]


def test_cvat_shapes_by_height(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    (tmp_path / "annotations.xml").write_text(CVAT)
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, list(data.splits), data.classes.names) == (
        "cvat",
        ["val"],
        ("background", "dog", "cat"),
    )
    assert data.classes.palette[1] == (0, 0, 255)
    assert any("the higher z_order covers the lower" in note for note in data.notes)
    assert only(data) == EXPECTED


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("</image>", "", r"malformed XML at line 11, column 3: mismatched tag"),
        ("<annotations>", '<!DOCTYPE x [<!ENTITY a "aa">]><annotations>', "never expanded"),
        ("<image ", '<track id="0"/><image ', "tracks of a video"),
        ('name="a.jpg"', 'name="b.jpg"', r"1 of 1 images of annotations\.xml are not here: b\.jpg"),
        ('name="a.jpg"', "", "'name' is missing"),
        ("#0000ff", "blue", "not laid out as its format demands"),
        ("<name>cat</name>", "<name>dog</name>", "stand twice: dog"),
        (
            'label="cat"',
            'label="cow"',
            "1 shapes have the label 'cow', which the task does not list",
        ),
        ("</annotations>", '<image name="a.jpg" width="6" height="4"/></annotations>', "twice"),
    ],
)
def test_cvat_files_that_cannot_be_used_are_refused(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    picture(tmp_path / "images/a.jpg")
    assert old in CVAT
    (tmp_path / "annotations.xml").write_text(CVAT.replace(old, new))
    with pytest.raises(DataError, match=reason):
        open_dataset(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings_of_the_file(tmp_path: Path, encoding: str) -> None:
    picture(tmp_path / "images/ä.jpg")
    text = CVAT.replace("a.jpg", "ä.jpg").replace('<?xml version="1.0"?>\n', "")
    (tmp_path / "annotations.xml").write_text(text, encoding=encoding)
    assert only(open_dataset(tmp_path, OPTIONS)) == EXPECTED


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("day one\\a.jpg", "images/day one/a.jpg"),
        ("day one\\a.jpg", "day one/a.jpg"),
        ("/home/django/data/a.jpg", "images/a.jpg"),
        ("a", "images/a.PNG"),
        ("val/a.jpg", "images/val/a.jpg"),
        ("val/a.jpg", "images/val/val/a.jpg"),
    ],
)
def test_names_and_folders_of_images(tmp_path: Path, name: str, place: str) -> None:
    picture(tmp_path / place)
    (tmp_path / "annotations.xml").write_text(CVAT.replace("a.jpg", name))
    data = open_dataset(tmp_path, OPTIONS)
    assert list(data.splits) == ["val"]
    assert only(data) == EXPECTED


def test_the_split_is_that_of_the_first_folder_where_no_subset_is(tmp_path: Path) -> None:
    picture(tmp_path / "images/validation/a.jpg")
    text = CVAT.replace(' subset="val"', "").replace("a.jpg", "validation\\a.jpg")
    (tmp_path / "annotations.xml").write_text(text)
    assert list(open_dataset(tmp_path, OPTIONS).splits) == ["val"]


def test_side_files_and_other_xml_are_not_read(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    (tmp_path / "annotations.xml").write_text(CVAT)
    (tmp_path / "._annotations.xml").write_bytes(b"\x00\x05\x16\x07<annotations>")
    (tmp_path / "a.xml").write_text("<annotation><filename>a.jpg</filename></annotation>")
    assert only(open_dataset(tmp_path, OPTIONS)) == EXPECTED


def test_several_files_are_one_set(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        picture(tmp_path / "images" / name)
        text = CVAT.replace("a.jpg", name).replace(' subset="val"', "")
        split = "train" if name == "a.jpg" else "val"
        (tmp_path / f"{split}.xml").write_text(text)
    data = open_dataset(tmp_path, OPTIONS)
    assert {split: [pair.name for pair in pairs] for split, pairs in data.splits.items()} == {
        "train": ["a"],
        "val": ["b"],
    }
    (tmp_path / "val.xml").write_text(text.replace("cat", "cow"))
    with pytest.raises(DataError, match=r"val\.xml: its labels are not those .*: cow; make them"):
        open_dataset(tmp_path, OPTIONS)


def test_labels_of_a_project_that_stand_again_for_each_task(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    labels = CVAT[CVAT.index("<labels>") : CVAT.index("</task>")]
    text = CVAT.replace("<meta>", f"<meta><project>{labels}</project>")
    (tmp_path / "annotations.xml").write_text(text)
    data = open_dataset(tmp_path, OPTIONS)
    assert data.classes.names == ("background", "dog", "cat")


def test_classes_without_a_list_are_the_labels_by_name(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    text = CVAT[: CVAT.index("<labels>")] + CVAT[CVAT.index("</task>") :]
    (tmp_path / "annotations.xml").write_text(text)
    data = open_dataset(tmp_path, OPTIONS)
    assert data.classes.names == ("background", "cat", "dog")
    assert "classes in the order of their names" in data.notes[0]


def test_sizes_that_are_missing_are_the_pictures(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    text = CVAT.replace('width="6" height="4" subset', 'width="0" subset')
    (tmp_path / "annotations.xml").write_text(text)
    data = open_dataset(tmp_path, OPTIONS)
    assert only(data) == EXPECTED
    assert any("1, such as a.jpg: the pictures' own are taken" in note for note in data.notes)


def test_every_fault_is_an_issue(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    picture(tmp_path / "images/unlisted.jpg")
    twice = '<image name="a.jpg" width="6" height="4"/><image name="c.jpg" width="1" height="1"/>'
    text = CVAT.replace('label="cat"', 'label="cow"').replace(
        "</annotations>", f"{twice}</annotations>"
    )
    (tmp_path / "annotations.xml").write_text(text)
    index = read_index(tmp_path)
    assert {(issue.type, issue.text) for issue in index.issues} == {
        ("class-unlisted", "1 shapes have the label 'cow', which the task does not list"),
        ("annotations-twice", "'a.jpg' stands there twice"),
        ("list-entry-missing", "1 of 3 images of annotations.xml are not here: c.jpg"),
        ("picture-not-listed", "1 that no annotation file names: unlisted.jpg"),
    }
    assert [pair.name for _, pair in index.pairs()] == ["a"]
