"""Lists of classes in plain text: a class a line, with its id, its colour or both."""

import re
from collections.abc import Mapping, Sequence

from pixelwise.datasets.class_entries import COLUMNS, ClassEntry, parse_colour
from pixelwise.datasets.class_tables import parse_csv

_SEPARATOR = r"[ \t,;]+"
_COLOUR = rf"(?P<r>\d+){_SEPARATOR}(?P<g>\d+){_SEPARATOR}(?P<b>\d+)"
_NAME = r"(?P<name>.*\D.*?)"
_ID_FIRST = re.compile(rf"(?P<id>-?\d+)[ \t]*(?:[:=,;)\t]\s*|[.]\s+|-\s+|\s+){_NAME}")
# A class may be called "type 2": after a blank it is an id only where no name stands twice.
_ID_AFTER_BLANK = re.compile(rf"{_NAME}\s+(?P<id>\d+)")
# The first style that fits every line is meant; a list of names alone fits none.
_LINE_STYLES = (
    # labelmap.txt of CVAT and Datumaro: name:r,g,b:parts:actions
    re.compile(r"(?P<name>[^:]+):(?P<r>\d+),(?P<g>\d+),(?P<b>\d+)(:.*)?"),
    re.compile(rf"(?P<id>\d+){_SEPARATOR}{_NAME}{_SEPARATOR}{_COLOUR}"),
    # label_colors.txt of CamVid
    re.compile(rf"{_COLOUR}{_SEPARATOR}{_NAME}"),
    re.compile(rf"{_NAME}{_SEPARATOR}{_COLOUR}"),
    re.compile(rf"(?:(?P<id>\d+)[:=]?{_SEPARATOR})?{_NAME}[:=]?{_SEPARATOR}(?P<colour>#\w{{6}})"),
    _ID_FIRST,
    re.compile(rf"{_NAME}[ \t]*[:=,;\t]\s*(?P<id>-?\d+)"),
    _ID_AFTER_BLANK,
)
_ORDERS = (
    ("id", "name"),
    ("name", "id"),
    ("id", "name", "r", "g", "b"),
    ("name", "r", "g", "b"),
    ("r", "g", "b", "name"),
    ("name", "colour"),
    ("id", "name", "colour"),
)
# A class may be called #1.
_COMMENT = re.compile(r"(#\s|#$|//).*")
_MARKS = "\ufeff\u200b"


def parse_lines(text: str) -> list[ClassEntry]:
    """A name a line, or a name with its id, its colour or both, as tools write them.

    Raises ValueError where some lines have an id before the name and others have not.
    """
    lines = _read_lines(text)
    if lines and any(_columns_of(re.split(r"[,;\t]", lines[0]))):
        return parse_csv("\n".join(lines))
    lines = _without_heading(lines)
    # A list that begins with a class called #1 has no other lines of that kind in a style.
    uncommented = [line for line in lines if not line.startswith("#")]
    for style in _LINE_STYLES:
        matches = [match for line in uncommented if (match := style.fullmatch(line))]
        if len(matches) < max(2, len(uncommented)):
            continue
        names = {match["name"] for match in matches}
        if style is not _ID_AFTER_BLANK or len(names) == len(matches):
            return [
                _entry_of(position, match.groupdict()) for position, match in enumerate(matches)
            ]
    _check_ids(lines)
    # LabelMe counts from -1, which is __ignore__.
    first = -1 if lines and lines[0] == "__ignore__" else 0
    return [ClassEntry(raw, _unquoted(name)) for raw, name in enumerate(lines, first)]


def parse_labelmap(text: str) -> list[ClassEntry]:
    """name:r,g,b:parts:actions, a class a line; ids are positions. Other files of this name are
    lists as any.
    """
    lines = [line.strip() for line in text.splitlines()]
    rows = [line.split(":") for line in lines if line and not line.startswith("#")]
    if all(len(row) == 1 for row in rows):
        return parse_lines(text)
    return [
        ClassEntry(raw, name.strip(), parse_colour(colour.split(",")))
        for raw, (name, colour, *_) in enumerate(rows)
    ]


def _read_lines(text: str) -> list[str]:
    """The lines without comments, blanks and what lists in programs have around a name."""
    lines = [line.strip(_MARKS).strip() for line in text.translate({0x200B: None}).splitlines()]
    lines = [re.sub(r"\s+#(\s.*)?$", "", line) for line in lines if not _COMMENT.fullmatch(line)]
    lines = [line.rstrip(",; \t") for line in lines]
    lines = [line for line in lines if line]
    if all(line.startswith("- ") for line in lines):
        lines = [line[2:].strip() for line in lines]
    return lines


def _columns_of(words: Sequence[str]) -> tuple[str, ...]:
    """What the words of a header mean; empty where they are no header of two columns and more."""
    columns = tuple(COLUMNS.get(word.strip().lower(), "") for word in words)
    # Two known words may be two words for one thing: "class name".
    return columns if all(columns) and len(set(columns)) > 1 else ()


def _without_heading(lines: Sequence[str]) -> list[str]:
    """The lines after "Classes:", "id name" and the like.

    Raises ValueError where such a line has its columns in an order that no style has.
    """
    heading = lines[0].rstrip(":").strip().lower() if lines else ""
    columns = _columns_of(heading.split())
    if columns and columns not in _ORDERS:
        raise ValueError(f"columns {heading!r}: part them by commas")
    return list(lines[1:] if columns or COLUMNS.get(heading) == "name" else lines)


def _check_ids(lines: Sequence[str]) -> None:
    """Names such as "2 wheeler" are few; ids that most lines have are meant as ids."""
    matches = [match for line in lines if (match := _ID_FIRST.fullmatch(line))]
    names = {match["name"] for match in matches}
    if len(matches) > 1 and len(names) == len(matches) and 2 * len(matches) >= len(lines):
        other = next(line for line in lines if not _ID_FIRST.fullmatch(line))
        raise ValueError(f"{other!r} has no id before the name as {matches[0].string!r} has")


def _entry_of(position: int, cells: Mapping[str, str | None]) -> ClassEntry:
    """An entry by the groups of a style."""
    id = cells.get("id")
    colour = cells.get("colour")
    channels = [cells.get(channel) for channel in ("r", "g", "b")]
    raw = int(id) if id else position
    name = _unquoted(str(cells["name"]).strip())
    return ClassEntry(raw, name, parse_colour(colour or (channels if channels[0] else None)))


def _unquoted(name: str) -> str:
    quoted = re.fullmatch(r"(['\"])(.+)\1", name)
    return quoted[2] if quoted else name
