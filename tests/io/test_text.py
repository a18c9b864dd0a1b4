"""Text files in every encoding that a byte-order mark can name."""

from pathlib import Path

import pytest

from pixelwise.errors import DataError
from pixelwise.io.text import is_side_file, list_files, read_head, read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marked_encodings_read_alike(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "names.txt"
    path.write_text("Straße\n人\n", encoding=encoding)
    assert read_text(path) == "Straße\n人\n"
    assert read_head(path).startswith("Straße")


def test_other_encodings_are_refused_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes("a 中文".encode("gb18030"))
    with pytest.raises(DataError, match=r"not UTF-8 text \(0xd6 at byte 2\); save it as UTF-8"):
        read_text(path)


def test_side_files_of_systems_are_left_out(tmp_path: Path) -> None:
    for name in ("b.json", "a.JSON", "._a.json", "Thumbs.db", ".hidden.json", "c.txt"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "folder.json").mkdir()
    assert [path.name for path in list_files(tmp_path, [".json"])] == ["a.JSON", "b.json"]
    assert is_side_file(tmp_path / "Thumbs.db")
    assert list_files(tmp_path / "missing", [".json"]) == []
