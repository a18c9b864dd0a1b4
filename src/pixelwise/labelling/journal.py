"""The journal: one line of JSON for each thing that happened, appended and never changed.

What is labelled follows from it alone. A line is on the disk before `append` returns.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from pixelwise.errors import DataError, OutputError

FILE_NAME = "strokes.jsonl"
FORMAT_VERSION = 1

Entry = dict[str, Any]


class Journal:
    """A journal that is open for appending. Whoever opens one holds the folder's lock.

    `entries` are those that were in it; a last line that was cut, of which nobody was told that it
    is kept, goes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        data = _read(path)
        complete = data.rfind(b"\n") + 1
        self.entries = _parse(data[:complete], path)
        self.length = len(self.entries)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("ab", buffering=0)
            self._file.truncate(complete)
            _sync_folder(path.parent)
        except OSError as error:
            raise _write_error(path, error) from error

    def append(self, entry: Mapping[str, Any]) -> int:
        """Write one entry through to the disk; returns its number, from 0 on.

        Raises OutputError where it cannot be written, for example as the disk is full: the journal
        is then as it was before.
        """
        line = json.dumps(entry, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        size = os.fstat(self._file.fileno()).st_size
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(size)
            raise _write_error(self.path, error) from error
        number = self.length
        self.length += 1
        return number

    def close(self) -> None:
        """Nothing is appended any more."""
        self._file.close()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _parse(data: bytes, path: Path) -> list[Entry]:
    entries = list[Entry]()
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            entry = json.loads(line)
            if not isinstance(entry, dict) or "kind" not in entry:
                raise ValueError
        except ValueError as error:
            raise DataError(
                f"{path}: line {number} is damaged; nothing was changed: put a copy of the file "
                "back, or remove that line, with which what it held is gone"
            ) from error
        entries.append(entry)
    if entries and entries[0].get("version") != FORMAT_VERSION:
        raise DataError(
            f"{path}: a journal of version {entries[0].get('version')}, but this pixelwise reads "
            f"version {FORMAT_VERSION}; install the pixelwise that wrote it"
        )
    return entries


def _sync_folder(folder: Path) -> None:
    """Write a new file's name through, where the system can do that."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_error(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path}: cannot be written ({error.strerror or error}); what was kept before is "
        "untouched: free some space or give the right to write, and do it again"
    )
