"""How lists of classes are written: names by line, tables of names and colours, JSON of tools."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pixelwise.classes import Colour


@dataclass(frozen=True)
class ClassEntry:
    """A line of a classes file: the raw value in the masks, its name and, where given, its
    colour.
    """

    raw: int
    name: str
    colour: Colour | None = None


Parse = Callable[[str], list[ClassEntry]]
"""Entries of a file's text. Raises ValueError, KeyError, TypeError, IndexError or AttributeError
for text that is no list of classes."""

_SEPARATOR = r"[ \t,;]+"
_COLOUR = rf"(?P<r>\d+){_SEPARATOR}(?P<g>\d+){_SEPARATOR}(?P<b>\d+)"
_NAME = r"(?P<name>.*\D.*?)"
# The first style that fits every line is meant; a list of names alone fits none.
_LINE_STYLES = tuple(
    re.compile(pattern)
    for pattern in (
        # labelmap.txt of CVAT and Datumaro: name:r,g,b:parts:actions
        r"(?P<name>[^:]+):(?P<r>\d+),(?P<g>\d+),(?P<b>\d+)(:.*)?",
        rf"(?P<id>\d+){_SEPARATOR}{_NAME}{_SEPARATOR}{_COLOUR}",
        # label_colors.txt of CamVid
        rf"{_COLOUR}{_SEPARATOR}{_NAME}",
        rf"{_NAME}{_SEPARATOR}{_COLOUR}",
        rf"(?P<id>-?\d+)[ \t]*[:=,;\t ][ \t]*{_NAME}",
    )
)
# What tools call the columns of a table.
_COLUMNS = {
    "name": "name",
    "class": "name",
    "class name": "name",
    "class_name": "name",
    "label": "name",
    "id": "id",
    "class id": "id",
    "class_id": "id",
    "pixel value": "id",
    "value": "id",
    "index": "id",
    "r": "r",
    "red": "r",
    "g": "g",
    "green": "g",
    "b": "b",
    "blue": "b",
    "color": "colour",
    "colour": "colour",
    "hex": "colour",
}
# Where the JSON of tools has its list: nnU-Net, Supervisely, YOLO, COCO.
_LIST_KEYS = ("labels", "classes", "names", "categories")
_BLACK = (0, 0, 0)


def parse_lines(text: str) -> list[ClassEntry]:
    """A name a line, or a name with its id, its colour or both, as tools write them."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # labelmap.txt begins with a comment; a class may be called #1.
    uncommented = [line for line in lines if not line.startswith("#")]
    for style in _LINE_STYLES:
        matches = [style.fullmatch(line) for line in uncommented]
        if len(matches) > 1 and all(matches):
            return [
                _entry_of(position, match.groupdict())
                for position, match in enumerate(matches)
                if match
            ]
    # LabelMe counts from -1, which is __ignore__.
    first = -1 if lines and lines[0] == "__ignore__" else 0
    return [ClassEntry(raw, name) for raw, name in enumerate(lines, first)]


def parse_labelmap(text: str) -> list[ClassEntry]:
    """name:r,g,b:parts:actions, a class a line; ids are positions."""
    lines = [line.strip() for line in text.splitlines()]
    rows = [line.split(":") for line in lines if line and not line.startswith("#")]
    return [
        ClassEntry(raw, name.strip(), _colour(colour.split(",")))
        for raw, (name, colour, *_) in enumerate(rows)
    ]


def parse_csv(text: str) -> list[ClassEntry]:
    """A table with or without a header: name, colour and id in any order."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    delimiter = max(",;\t", key=lines[0].count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    rows = [row for row in rows if any(row)]
    columns = _header_of(rows[0]) if rows else {}
    if not columns:
        return [_parse_row(position, row) for position, row in enumerate(rows)]
    return [
        _entry_of(position, {column: row[place] for column, place in columns.items()})
        for position, row in enumerate(rows[1:])
    ]


def _header_of(row: list[str]) -> dict[str, int]:
    """The place of each known column; empty where the row is none of column names."""
    # A class may be called "class": its row has numbers.
    if any(cell.isdigit() for cell in row):
        return {}
    columns: dict[str, int] = {}
    for place, cell in enumerate(row):
        column = _COLUMNS.get(cell.lower())
        if column:
            columns.setdefault(column, place)
    known = row[0].lower() in _COLUMNS or len(columns) > 1
    return columns if "name" in columns and known else {}


def _parse_row(position: int, row: list[str]) -> ClassEntry:
    if len(row) == 4 and not row[3].isdigit() and all(cell.isdigit() for cell in row[:3]):
        return ClassEntry(position, row[3], _colour(row[:3]))
    # An id goes before the name; a name of digits alone is one only where no column is left.
    has_id = len(row) in (2, 5) and row[0].lstrip("-").isdigit()
    raw = int(row[0]) if has_id else position
    name, *channels = row[1:] if has_id else row
    return ClassEntry(raw, name, _colour(channels) if channels else None)


def _entry_of(position: int, cells: Mapping[str, str | None]) -> ClassEntry:
    """An entry by the names of its columns."""
    id = cells.get("id")
    colour = None
    if cells.get("r") is not None:
        colour = _colour(cells[channel] for channel in ("r", "g", "b"))
    elif cells.get("colour"):
        colour = _parse_colour(cells["colour"])
    return ClassEntry(int(id) if id else position, str(cells["name"]).strip(), colour)


def parse_json(text: str) -> list[ClassEntry]:
    """A list of names or of objects, a mapping of names and ids either way, or one of these under
    `labels` or `classes`, as nnU-Net and others write it.
    """
    content = json.loads(text)
    if not isinstance(content, dict):
        return [_parse_item(position, item) for position, item in enumerate(content)]
    for key in _LIST_KEYS:
        if isinstance(content.get(key), dict | list):
            return parse_json(json.dumps(content[key]))
    return _parse_mapping(content)


def parse_supervisely(text: str) -> list[ClassEntry]:
    """meta.json: masks that Supervisely renders number its classes from 1 and leave 0, black, to
    what no class covers.
    """
    classes = json.loads(text)["classes"]
    drawn = [_parse_item(position, item) for position, item in enumerate(classes, 1)]
    return [ClassEntry(0, "background", _BLACK), *drawn]


def _parse_mapping(content: dict[str, Any]) -> list[ClassEntry]:
    """Names by id, or ids by name: tools write either."""
    rows = []
    for key, value in content.items():
        if str(key).lstrip("-").isdigit():
            rows.append((int(key), str(value)))
        else:
            rows.append((int(value), str(key)))
    return [ClassEntry(raw, name) for raw, name in sorted(rows)]


def _parse_item(position: int, item: Any) -> ClassEntry:
    if isinstance(item, str):
        return ClassEntry(position, item)
    name = item.get("title", item.get("label")) or item["name"]
    colour = item.get("color", item.get("colour"))
    return ClassEntry(int(item.get("id", position)), str(name), _parse_colour(colour))


def _parse_colour(colour: Any) -> Colour | None:
    """A colour as three numbers or as #rrggbb."""
    if not colour:
        return None
    if isinstance(colour, str):
        digits = colour.lstrip("#")
        if len(digits) != 6:
            raise ValueError(f"colour {colour}")
        return _colour(int(digits[start : start + 2], 16) for start in (0, 2, 4))
    return _colour(colour)


def _colour(channels: Iterable[object]) -> Colour:
    red, green, blue = (int(str(channel)) for channel in channels)
    return red, green, blue
