from pathlib import Path

import pytest

from pixelwise.datasets.annotations.yolo_names import find_name_lists, find_yaml, read_names


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "names: [cat, dog]",
        "names:\n- cat\n- dog\nnc: 2\n",
        "names:\n  0: cat\n  1: dog\n",
        "names:\n  '1': dog\n  '0': cat\n",
        "\ufeffpath: .\r\nnames: {0: cat, 1: dog}\r\n",
        "{names: [cat, dog], nc: 2}",
    ],
)
def test_names_as_list_and_by_number(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "data.yaml", text)
    assert find_yaml(tmp_path) == path
    source = read_names(path, [])
    assert (source.names, source.issues) == (["cat", "dog"], [])


def test_names_that_yaml_takes_for_other_values_stay_texts(tmp_path: Path) -> None:
    source = read_names(write(tmp_path / "data.yaml", "names: [no, on, 1e3, null, 07]"), [])
    assert source.names == ["no", "on", "1e3", "null", "07"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("names: {0: cat, 2: dog}", "names lack number 1; add them"),
        ("names: {0: cat, 4: dog}", "names lack numbers 1, 2, 3; add them"),
        ("names: cat", "names are 'cat'; allowed are a list, or numbers with names"),
        ("names: {cat: 0}", "names have the key 'cat'; allowed are numbers from 0"),
        ("names: [cat, cat]", "cat stands there twice; give each class its own name"),
        ("nc: 2\nnames:\n", "has no names; write `names: [cat, dog]`"),
        ("- names: 1", "is no mapping of names; write `names: [cat, dog]`"),
        (b"names: [\xd2\xd2, b]", "is not UTF-8 text (0xd2 at byte 8); save it as UTF-8"),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path: Path, text: str | bytes, reason: str) -> None:
    path = write(tmp_path / "data.yaml", text)
    (issue,) = read_names(path, []).issues
    assert (issue.type, issue.text) == ("names-malformed", reason)
    assert issue.refusal == f"{path}: {reason}"


def test_a_number_of_classes_that_is_not_that_of_the_names_is_said(tmp_path: Path) -> None:
    source = read_names(write(tmp_path / "data.yaml", "nc: 3\nnames: [cat, dog]"), [])
    (issue,) = source.issues
    assert (issue.type, issue.refusal) == ("classes-count", "")
    assert issue.text == "nc is 3, but there are 2 names"


def test_lists_of_names_serve_where_yaml_has_none(tmp_path: Path) -> None:
    names = write(tmp_path / "classes.txt", "\ufeffcat\r\ndog\r\n\r\n")
    assert find_name_lists([tmp_path]) == [names]
    assert read_names(names, [names]).names == ["cat", "dog"]
    source = read_names(write(tmp_path / "data.yaml", "train: images\nnc: 2\n"), [names])
    assert (source.path, source.names, source.issues) == (names, ["cat", "dog"], [])
    (issue,) = read_names(write(tmp_path / "data.yaml", "names: [dog, cat]"), [names]).issues
    assert (issue.type, issue.file, issue.refusal) == ("classes-contradict", names, "")
    write(names, "cat\n\ndog\n")  # a blank line is a number without name
    assert read_names(names, []).issues[0].text == "names lack number 1; add them"


def test_numbers_stand_for_names_that_cannot_be_read(tmp_path: Path) -> None:
    source = read_names(write(tmp_path / "data.yaml", "names: cat"), [])
    assert source.complete([0, 2]) == ["class 0", "class 1", "class 2"]
    assert source.complete([]) == ["class 0"]


def test_yaml_of_other_kinds_is_not_taken(tmp_path: Path) -> None:
    write(tmp_path / "environment.yml", "name: lab\nchannels: [a]\n")
    write(tmp_path / "._data.yaml", "names: [x]")
    assert find_yaml(tmp_path) is None
    write(tmp_path / "coco8.yaml", "path: x\nnames: [cat]\n")
    assert find_yaml(tmp_path) == tmp_path / "coco8.yaml"
