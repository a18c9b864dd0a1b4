"""Text files as they arrive: with byte-order marks, in UTF-16, beside the side files of systems."""

import codecs
import os
from collections.abc import Iterable
from pathlib import Path

from pixelwise.errors import DataError

# The longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What systems and editors leave beside files, none of it meant for a reader.
_SIDE_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def decode_text(data: bytes, path: Path) -> str:
    """The text of `path`, whose bytes are `data`: UTF-8, or what its byte-order mark says.

    Raises DataError naming the first byte that is not UTF-8.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        byte = f"0x{data[error.start]:02x}" if error.start < len(data) else "the end"
        raise DataError.of_file(
            path, f"is not {encoding.upper()} text ({byte} at byte {error.start}); save it as UTF-8"
        ) from error


def read_text(path: Path) -> str:
    """The text of a file; as `decode_text`."""
    return decode_text(path.read_bytes(), path)


def read_head(path: Path, size: int = 65_536) -> str:
    """About the first `size` bytes of a file as text, to recognise it by; what cannot be decoded is
    replaced.
    """
    with path.open("rb") as file:
        data = file.read(size)
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    return data.decode(encoding, errors="replace")


def is_side_file(path: Path) -> bool:
    """Whether a file is one that systems leave beside others: hidden (`._x` of macOS among them),
    Thumbs.db and the like.
    """
    return path.name.startswith(".") or path.name.lower() in _SIDE_FILES


def list_files(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """The files directly in `folder` of one of these endings (lower case, with the dot), by name;
    none where it is no folder. Side files are left out.
    """
    if not folder.is_dir():
        return []
    allowed = tuple(suffixes)
    # By their names alone, as a folder of pictures may hold a million others.
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.lower().endswith(allowed)]
    files = (folder / name for name in names)
    return sorted(path for path in files if not is_side_file(path) and path.is_file())
