"""Lists of classes as tools and people write them."""

from pathlib import Path

import pytest

from pixelwise.datasets.class_entries import ClassEntry
from pixelwise.datasets.class_files import read_class_file
from pixelwise.errors import DataError

SKY_ROAD = [ClassEntry(0, "sky", (1, 2, 3)), ClassEntry(1, "road side", (4, 5, 6))]
NAMED = [ClassEntry(0, "sky"), ClassEntry(1, "road side")]


@pytest.mark.parametrize(
    ("name", "text", "entries"),
    [
        ("labelmap.txt", "# label:color_rgb:parts:actions\nsky:1,2,3::\nroad side:4,5,6::\n", 2),
        ("label_colors.txt", "1 2 3\tsky\n4 5 6\t\troad side\n", 2),
        ("classes.txt", "sky 1 2 3\nroad side 4 5 6\n", 2),
        ("classes.txt", "sky,1,2,3\nroad side,4,5,6\n", 2),
        ("classes.txt", "0 sky 1 2 3\n1 road side 4 5 6\n", 2),
        ("class_dict.csv", "name,r,g,b\nsky,1,2,3\nroad side,4,5,6\n", 2),
        ("class_dict_seg.csv", "name, r, g, b\nsky, 1, 2, 3\nroad side, 4, 5, 6\n", 2),
        ("classes.csv", "r,g,b,name\n1,2,3,sky\n4,5,6,road side\n", 2),
        ("classes.csv", "1,2,3,sky\n4,5,6,road side\n", 2),
        ("classes.csv", "Red;Green;Blue;Class\n1;2;3;sky\n4;5;6;road side\n", 2),
        ("classes.csv", "label,colour\nsky,#010203\nroad side,#040506\n", 2),
        ("classes.json", '[{"title": "sky", "color": "#010203"}, "road side"]', 0),
        ("_classes.csv", "Pixel Value, Class\n0, sky\n1, road side\n", 1),
        ("classes.csv", "id,name\n1,road side\n0,sky\n", 1),
        ("class_names.txt", "sky\nroad side\n", 1),
        ("codes.txt", "0: sky\n1: road side\n", 1),
        ("obj.names", "sky\n\nroad side", 1),
        ("dataset.json", '{"labels": {"sky": 0, "road side": 1}, "channel_names": {"0": "R"}}', 1),
        ("dataset.json", '{"labels": {"0": "sky", "1": "road side"}}', 1),
        ("labels.json", '{"names": ["sky", "road side"]}', 1),
    ],
)
def test_the_lists_of_tools_are_read(tmp_path: Path, name: str, text: str, entries: int) -> None:
    (tmp_path / name).write_text(text)
    found_entries = sorted(read_class_file(tmp_path / name), key=lambda entry: entry.raw)
    mixed = [ClassEntry(0, "sky", (1, 2, 3)), ClassEntry(1, "road side")]
    assert found_entries == (mixed, NAMED, SKY_ROAD)[entries]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_windows_marks_and_line_ends_are_no_part_of_a_name(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "Classes.TXT").write_bytes("Straße\r\nsky\r\n".encode(encoding))
    names = [entry.name for entry in read_class_file(tmp_path / "Classes.TXT")]
    assert names == ["Straße", "sky"]


@pytest.mark.parametrize("text", ["2 wheeler\n4 wheeler", "0\n1", "#1\n#2", "sky: blue\nroad"])
def test_names_that_look_like_numbers_stay_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "classes.txt").write_text(text + "\ncar\n")
    names = [entry.name for entry in read_class_file(tmp_path / "classes.txt")]
    assert names == [*text.splitlines(), "car"]


def test_supervisely_counts_its_classes_from_1(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text('{"classes": [{"title": "kiwi", "color": "#00FF00"}]}')
    assert read_class_file(tmp_path / "meta.json") == [
        ClassEntry(0, "background", (0, 0, 0)),
        ClassEntry(1, "kiwi", (0, 255, 0)),
    ]


def test_labelme_counts_from_minus_1(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\ncat\n")
    entries = read_class_file(tmp_path / "labels.txt")
    assert [(entry.raw, entry.name) for entry in entries] == [
        (-1, "__ignore__"),
        (0, "_background_"),
        (1, "cat"),
    ]


BACKGROUND_CAT_DOG = {0: "background", 1: "cat", 2: "dog"}


@pytest.mark.parametrize(
    "text",
    [
        "# my classes\nbackground\ncat\ndog\n",
        "// my classes\nbackground\ncat\ndog\n",
        "Classes:\nbackground\ncat\ndog\n",
        "background  # 0\ncat # 1\ndog\n",
        "background,\ncat,\ndog,\n",
        "'background',\n'cat',\n'dog'\n",
        "background\ncat\u200b\ndog\n",
        "- background\n- cat\n- dog\n",
        "background: 0\ndog: 2\ncat: 1\n",
        "background 0\ndog 2\ncat 1\n",
        "dog\t2\nbackground\t0\ncat\t1\n",
        "0 - background\n2 - dog\n1 - cat\n",
        "0) background\n2) dog\n1) cat\n",
        "0. background\n2. dog\n1. cat\n",
        "0: 'background',\n2: 'dog',\n1: 'cat',\n",
        "names:\n  0: background\n  2: dog\n  1: cat\n",
        "id name\n0 background\n2 dog\n1 cat\n",
        "id,name\n0,background\n2,dog\n1,cat\n",
        "0\tbackground\t#000000\n1\tcat\t#FF0000\n2\tdog\t#0000FF\n",
    ],
)
def test_lines_with_ids_headings_and_comments_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "classes.txt").write_text(text, encoding="utf-8")
    entries = read_class_file(tmp_path / "classes.txt")
    assert {entry.raw: entry.name for entry in entries} == BACKGROUND_CAT_DOG


@pytest.mark.parametrize(
    "text", ["type 1\ntype 2\n", "C # sharp\n#2\n"[10:] + "grade 1\ngrade 2\n"]
)
def test_numbers_after_one_name_are_part_of_the_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "classes.txt").write_text(text)
    names = [entry.name for entry in read_class_file(tmp_path / "classes.txt")]
    assert names == text.splitlines()


def test_a_line_without_id_among_lines_with_ids_is_refused(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("0 background\n1 cat\ndog\n")
    with pytest.raises(DataError, match="'dog' has no id before the name as '0 background' has"):
        read_class_file(tmp_path / "classes.txt")


def test_colours_in_an_order_that_no_line_has_are_refused(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("name b g r\nsky 3 2 1\nroad 6 5 4\n")
    with pytest.raises(DataError, match="'name b g r': part them by commas"):
        read_class_file(tmp_path / "classes.txt")


def test_a_labelmap_of_names_alone_is_a_list_of_names(tmp_path: Path) -> None:
    (tmp_path / "labelmap.txt").write_text("0 background\n2 dog\n1 cat\n")
    entries = read_class_file(tmp_path / "labelmap.txt")
    assert {entry.raw: entry.name for entry in entries} == BACKGROUND_CAT_DOG
