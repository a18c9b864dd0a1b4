"""Lists of classes as tables: CSV as spreadsheets and tools write it."""

import csv

from pixelwise.datasets.class_entries import COLUMNS, ClassEntry, parse_colour

# Numbers of a class that are neither its id nor its colour.
_OTHER_NUMBERS = frozenset(
    {
        "count",
        "counts",
        "pixels",
        "pixel_count",
        "area",
        "n",
        "total",
        "images",
        "instances",
        "weight",
        "frequency",
        "percent",
        "a",
        "alpha",
        "anzahl",
    }
)
_MAX_ID = 255


def parse_csv(text: str) -> list[ClassEntry]:
    """A table with or without a header: name, colour and id in any order."""
    rows = _read_rows(text)
    columns = _header_of(rows) if rows else {}
    wide = [row for row in rows[1:] if any(row[len(rows[0]) :])]
    if columns and wide:
        raise ValueError(f"{', '.join(wide[0])} has more cells than the header")
    if not columns:
        return [_parse_row(position, row) for position, row in enumerate(rows)]
    return [
        _entry_of(position, {column: row[place] for column, place in columns.items()})
        for position, row in enumerate(rows[1:])
    ]


def _read_rows(text: str) -> list[list[str]]:
    """The cells, without the empty columns at the end that spreadsheets write."""
    lines = [line for line in text.splitlines() if line.strip()]
    # Excel's own line, which says the delimiter.
    if lines and lines[0].lower().startswith("sep="):
        lines = lines[1:]
    if not lines:
        return []
    delimiter = max(",;\t", key=lines[0].count)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    rows = [[cell.strip() for cell in row] for row in reader]
    rows = [row for row in rows if any(row)]
    while rows and all(len(row) > 1 and not row[-1] for row in rows):
        rows = [row[:-1] for row in rows]
    return rows


def _header_of(rows: list[list[str]]) -> dict[str, int]:
    """The place of each known column; empty where the first row is none of column names.

    Raises ValueError for a column that may hold the ids and is called in no known way.
    """
    header = rows[0]
    # A class may be called "class": its row has numbers.
    if any(cell.isdigit() for cell in header):
        return {}
    columns: dict[str, int] = {}
    doubtful: list[str] = []
    for place, cell in enumerate(header):
        column = COLUMNS.get(cell.lower())
        cells = [row[place] if place < len(row) else "" for row in rows[1:]]
        is_number = bool(cells) and all(_is_whole(text) for text in cells)
        # "label" and "class" are names in one tool and numbers in the other.
        if is_number and (column == "name" or not cell):
            column = "id"
        if column:
            columns.setdefault(column, place)
        elif is_number and cell.lower() not in _OTHER_NUMBERS and _may_be_ids(cells):
            doubtful.append(cell)
    known = header[0].lower() in COLUMNS or len(columns) > 1
    if "name" not in columns or not known:
        return {}
    if doubtful and "id" not in columns:
        raise ValueError(f"column {doubtful[0]!r} may hold the ids of classes: call it id")
    return columns


def _is_whole(text: str) -> bool:
    digits = text.removesuffix(".0").lstrip("-")
    return digits.isdigit()


def _may_be_ids(cells: list[str]) -> bool:
    """Whether numbers may be ids, other than those that rows have anyway."""
    ids = [int(text.removesuffix(".0")) for text in cells]
    is_distinct = len(set(ids)) == len(ids)
    return is_distinct and max(ids) <= _MAX_ID and ids != list(range(len(ids)))


def _parse_row(position: int, row: list[str]) -> ClassEntry:
    if len(row) == 4 and not row[3].isdigit() and all(cell.isdigit() for cell in row[:3]):
        return ClassEntry(position, row[3], parse_colour(row[:3]))
    # An id goes before the name; a name of digits alone is one only where no column is left.
    has_id = len(row) in (2, 5) and row[0].lstrip("-").isdigit()
    raw = int(row[0]) if has_id else position
    name, *channels = row[1:] if has_id else row
    if not channels:
        return ClassEntry(raw, name)
    if len(channels) == 1 and channels[0].lstrip("-").isdigit():
        return ClassEntry(int(channels[0]), name)
    return ClassEntry(raw, name, parse_colour(channels[0] if len(channels) == 1 else channels))


def _entry_of(position: int, cells: dict[str, str]) -> ClassEntry:
    """An entry by the names of its columns."""
    id = cells.get("id", "").removesuffix(".0")
    colour = parse_colour(cells.get("colour"))
    if "r" in cells:
        colour = parse_colour([cells[channel] for channel in ("r", "g", "b")])
    return ClassEntry(int(id) if id else position, cells["name"], colour)
