"""Classes files, and what is wrong with them."""

import json
from pathlib import Path

import pytest

from pixelwise.datasets.class_files import ClassEntry, find_declared_classes, read_class_file
from pixelwise.errors import DataError


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.csv", "name,r,g,b\nsky,1,2,3\nroad,4,5,6\n"),
        ("classes.csv", "\ufeff0,sky,1,2,3\n\n 1 , road , 4 , 5 , 6 \n"),
        (
            "classes.json",
            '[{"name": "sky", "color": [1, 2, 3]}, {"name": "road", "colour": [4,5,6]}]',
        ),
    ],
)
def test_every_way_to_write_the_same_list_is_read_alike(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    expected = [ClassEntry(0, "sky", (1, 2, 3)), ClassEntry(1, "road", (4, 5, 6))]
    assert read_class_file(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("sky\nroad\nsky\n", "sky stands there twice"),
        ("\n".join(f"c{number}" for number in range(257)), "257 classes; allowed are 1 to 255"),
        ("id,name\n300,sky\n", "'sky' has id 300; allowed: 0 to 255"),
    ],
)
def test_lists_that_cannot_be_are_errors(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / ("classes.csv" if text.startswith("id,") else "classes.txt")
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_class_file(path)


def test_void_is_no_class_and_the_first_file_counts(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("sky\nroad\nvoid\n")
    (tmp_path / "classes.csv").write_text("sky\nstreet\nvoid\n")
    declared, issues = find_declared_classes(tmp_path)
    assert [entry.name for entry in declared.classes] == ["sky", "road"]
    assert [entry.raw for entry in declared.void] == [2]
    assert [(issue.type, issue.text) for issue in issues] == [
        ("classes-contradict", "1 is 'street', but 'road' in classes.txt; classes.txt is used")
    ]


def test_only_a_malformed_first_file_stops_training(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text('{\n "0": "sky",\n "1" "road"\n}')
    _, issues = find_declared_classes(tmp_path)
    assert [(issue.position, bool(issue.refusal)) for issue in issues] == [((3, 6), True)]
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    declared, issues = find_declared_classes(tmp_path)
    assert [bool(issue.refusal) for issue in issues] == [False]
    assert declared.source == tmp_path / "classes.txt"


def test_a_class_file_is_found_in_any_case_and_beside_the_pictures(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train/Obj.Names").write_text("sky\nroad\n")
    declared, issues = find_declared_classes(tmp_path, [tmp_path / "train"])
    assert [entry.name for entry in declared.classes] == ["sky", "road"]
    assert issues == []


def test_colours_of_another_file_of_the_same_names_are_taken(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    (tmp_path / "label_colors.txt").write_text("1 2 3 sky\n4 5 6 road\n")
    declared, issues = find_declared_classes(tmp_path)
    assert (declared.colours, issues) == (((1, 2, 3), (4, 5, 6)), [])


def test_files_that_bear_a_common_name_are_said_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text('{"version": "1.2.3"}')
    declared, issues = find_declared_classes(tmp_path)
    assert declared.source is None
    assert [(issue.type, issue.text, issue.refusal) for issue in issues] == [
        ("beside-unused", "is no list of classes", "")
    ]


@pytest.mark.parametrize("raw", [-1, 65535])
def test_void_may_have_an_id_beyond_a_byte_and_classes_may_not(tmp_path: Path, raw: int) -> None:
    (tmp_path / "classes.csv").write_text(f"id,name\n0,land\n1,water\n{raw},void\n")
    declared, _ = find_declared_classes(tmp_path)
    assert declared.void == (ClassEntry(raw, "void"),)
    (tmp_path / "classes.csv").write_text(f"id,name\n0,land\n{raw},water\n")
    with pytest.raises(DataError, match=f"'water' has id {raw}"):
        read_class_file(tmp_path / "classes.csv")


def test_label_class_dict_and_the_config_of_mapillary_are_read(tmp_path: Path) -> None:
    path = tmp_path / "label_class_dict.csv"
    path.write_text("name,r,g,b\nbackground,0,0,0\nroad,255,255,255\n")
    declared, issues = find_declared_classes(tmp_path)
    assert [entry.name for entry in declared.classes] == ["background", "road"]
    assert not issues
    path.unlink()
    labels = [{"name": "animal--bird", "readable": "Bird", "color": [165, 42, 42]}]
    labels.append({"name": "road", "readable": "Road", "color": [128, 64, 128]})
    (tmp_path / "config.json").write_text(json.dumps({"labels": labels, "version": "1.1"}))
    declared, issues = find_declared_classes(tmp_path)
    assert [(entry.raw, entry.name) for entry in declared.classes] == [
        (0, "animal--bird"),
        (1, "road"),
    ]
    assert declared.colours == ((165, 42, 42), (128, 64, 128))
    assert not issues


@pytest.mark.parametrize(
    "content", ['{"id2label": {"0": "a"}}', '{"labels": ["a", "b"]}', '{"labels": [{"name": "a"}]}']
)
def test_another_config_is_no_list_of_classes(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    declared, issues = find_declared_classes(tmp_path)
    assert not declared.classes
    assert [(issue.type, issue.text) for issue in issues] == [
        ("beside-unused", "is no list of classes")
    ]
