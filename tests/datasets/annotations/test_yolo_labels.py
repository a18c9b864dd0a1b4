from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.datasets.annotations.yolo_labels import holds_labels, read_label_file

PARTS = st.floats(0, 1, width=32)


def write(folder: Path, data: bytes) -> Path:
    path = folder / "a.txt"
    path.write_bytes(data)
    return path


@given(
    rows=st.lists(st.tuples(st.integers(0, 99), st.lists(PARTS, min_size=6, max_size=12))),
    separator=st.sampled_from([" ", "\t", ",", ", ", "  "]),
    end=st.sampled_from(["\n", "\r\n", "\n\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, list[float]]],
    separator: str,
    end: str,
    mark: str,
) -> None:
    rows = [(label, numbers[: len(numbers) // 2 * 2]) for label, numbers in rows]
    lines = [separator.join(map(repr, (label, *numbers))) for label, numbers in rows]
    path = write(tmp_path_factory.mktemp("labels"), (mark + end.join(lines)).encode())
    content, polygons = read_label_file(path)
    assert polygons == rows
    assert (content.boxes, content.faults, content.reaches_out) == ([], [], False)


@pytest.mark.parametrize(
    ("line", "boxes", "faults"),
    [
        ("0 .5 .5 .1 .1", [1], 0),
        ("0 .5 .5 .1 .1 .9", [1], 0),
        ("0 .5 .5", [], 1),
        ("0", [], 1),
        ("0 .1 .1 .2 .2 .3 .3 .9", [], 1),
        ("0 .1 .1 .2 .2 .3 3", [], 1),
        ("inf .1 .1 .2 .2 .3 .3", [], 1),
    ],
)
def test_lines_of_other_lengths(tmp_path: Path, line: str, boxes: list[int], faults: int) -> None:
    content, polygons = read_label_file(write(tmp_path, line.encode()))
    assert (content.boxes, len(content.faults), polygons) == (boxes, faults, [])


def test_first_lines_of_classes_and_corners_outside(tmp_path: Path) -> None:
    text = b"3 0 0 1 0 1 1\n\n1 0 0 1 0 1 1.5\n3 0 0 1 0 1 1\n"
    content, _ = read_label_file(write(tmp_path, text))
    assert (content.labels, content.reaches_out) == ({3: 1, 1: 3}, True)
    rounded, _ = read_label_file(write(tmp_path, b"0 0 0 1.0004 0 1 1\n"))
    assert not rounded.reaches_out


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"0 .1 .1 .2 .2\n", True), (b"\n\n", None), (b"leaf\nstem\n", False), (b"\xff\xd2", False)],
)
def test_label_files_are_recognised(tmp_path: Path, data: bytes, expected: bool | None) -> None:
    assert holds_labels(write(tmp_path, data)) is expected
