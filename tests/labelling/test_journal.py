import errno
from pathlib import Path
from typing import Any

import pytest

from pixelwise.errors import DataError, OutputError
from pixelwise.labelling.journal import Entry, Journal

FIRST = {"kind": "begin", "version": 1}
STROKE = {"kind": "stroke", "points": [[1.5, 2]]}


def reread(path: Path) -> list[Entry]:
    journal = Journal(path)
    journal.close()
    return journal.entries


def test_what_was_appended_is_there_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "strokes.jsonl")
    assert [journal.append(entry) for entry in (FIRST, STROKE)] == [0, 1]
    journal.close()
    assert reread(journal.path) == [FIRST, STROKE]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_last_line_that_was_cut_goes_and_the_next_one_stands_alone(
    tmp_path: Path, cut: int
) -> None:
    journal = Journal(tmp_path / "strokes.jsonl")
    journal.append(FIRST)
    journal.append(STROKE)
    journal.close()
    journal.path.write_bytes(journal.path.read_bytes()[:-cut])
    again = Journal(journal.path)
    assert again.entries == [FIRST]
    assert again.append({"kind": "undo"}) == 1
    again.close()
    assert reread(journal.path) == [FIRST, {"kind": "undo"}]


def test_a_damaged_line_within_is_named_and_nothing_changed(tmp_path: Path) -> None:
    path = tmp_path / "strokes.jsonl"
    text = b'{"kind":"begin","version":1}\n{"kind":\n{"kind":"undo"}\n'
    path.write_bytes(text)
    with pytest.raises(DataError, match="line 2 is damaged"):
        Journal(path)
    assert path.read_bytes() == text


def test_a_journal_of_a_later_version_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "strokes.jsonl"
    path.write_text('{"kind":"begin","version":2}\n')
    with pytest.raises(DataError, match="version 2, but this pixelwise reads version 1"):
        Journal(path)


def test_a_full_disk_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "strokes.jsonl")
    journal.append(FIRST)
    file = journal._file

    class Full:
        def __getattr__(self, name: str) -> Any:
            return getattr(file, name)

        def write(self, data: bytes) -> int:
            file.write(data[:5])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal, "_file", Full())
    with pytest.raises(OutputError, match="No space left on device"):
        journal.append(STROKE)
    monkeypatch.undo()
    assert journal.append(STROKE) == 1
    journal.close()
    assert reread(journal.path) == [FIRST, STROKE]
