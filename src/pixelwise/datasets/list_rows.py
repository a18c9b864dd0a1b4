"""Rows of the text files that list the images of a split, as tools of all systems write them."""

import re
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from pixelwise.io.images import IMAGE_SUFFIXES
from pixelwise.io.text import read_text

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'')
# Whether the image shows a class, in the lists of Pascal VOC.
_FLAG = re.compile(r"\s+-?[01]$")
_SEPARATORS = re.compile(r"\s*[,;\t]\s*|\s+")


def read_rows(path: Path) -> list[str]:
    """The rows of a list that are not empty and no comments."""
    rows = [row.strip() for row in read_text(path).splitlines()]
    return [row for row in rows if row and not row.startswith("#")]


def list_row(root: Path, image: Path, mask: Path) -> str:
    """The row of a pair in a list at `root`, as `split_row` reads it."""
    names = [path.relative_to(root).as_posix() for path in (image, mask)]
    return " ".join(f'"{name}"' if _SEPARATORS.search(name) else name for name in names)


def id_of_row(row: str, known: Collection[str]) -> str:
    """The id that a row of one image means: a name, in quotes where it has blanks, or a path with
    or without ending. `known` are the names that there are, which decide.
    """
    candidates = list(_candidates(row))
    for candidate in candidates:
        for name in _names_of(candidate):
            if name in known:
                return name
    return candidates[0]


def _candidates(row: str) -> Iterator[str]:
    """What a row may mean, the likeliest first."""
    quoted = _QUOTED.match(row)
    if quoted:
        # Datumaro puts a backslash before a quotation mark in a name.
        yield re.sub(r'\\(["\\])', r"\1", quoted[1] or quoted[2] or "")
        return
    yield _FLAG.sub("", row)
    yield _SEPARATORS.split(row)[0]


def _names_of(text: str) -> Iterator[str]:
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, text)
        yield name
        path = PurePosixPath(name.replace("\\", "/"))
        yield path.name
        if path.suffix.lower() in IMAGE_SUFFIXES:
            yield path.stem


def split_row(row: str) -> Iterator[tuple[str, str]]:
    """The ways to read a row as the path of an image and that of its mask; blanks may be part of
    either.
    """
    quoted = [first or second for first, second in _QUOTED.findall(row)]
    if len(quoted) == 2:
        yield quoted[0], quoted[1]
        return
    for separator in _SEPARATORS.finditer(row):
        image = row[: separator.start()].strip("\"'")
        mask = row[separator.end() :].strip("\"'")
        if image and mask:
            yield image, mask
