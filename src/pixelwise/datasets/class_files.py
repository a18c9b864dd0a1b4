"""Classes files: classes.txt, .json or .csv, with the position of an error, and compared."""

import csv
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.classes import VOID, Colour
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.types import first
from pixelwise.errors import DataError

CLASS_FILES = ("classes.txt", "classes.json", "classes.csv")
VOID_NAMES = frozenset({"void", "ignore"})

# A list of classes is small: a larger file is something else and is not read into memory.
_MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class ClassEntry:
    """A line of a classes file: the raw value in the masks, its name and, where given, its
    colour.
    """

    raw: int
    name: str
    colour: Colour | None = None


@dataclass(frozen=True)
class DeclaredClasses:
    """What the classes file says: classes in order, void entries, and the file; all empty where
    there is none.
    """

    classes: tuple[ClassEntry, ...] = ()
    void: tuple[ClassEntry, ...] = ()
    source: Path | None = None

    @property
    def colours(self) -> tuple[Colour, ...]:
        """The colours that the file gives to classes."""
        return tuple(entry.colour for entry in self.classes if entry.colour)


def find_declared_classes(root: Path) -> tuple[DeclaredClasses, list[Issue]]:
    """Read every classes file at `root`; the first that can be read counts.

    Training refuses a set whose first file is malformed: the next one may say something else.
    """
    issues: list[Issue] = []
    lists: list[tuple[Path, list[ClassEntry]]] = []
    for path in (root / name for name in CLASS_FILES):
        if not path.is_file():
            continue
        try:
            _check_size(path)
            lists.append((path, read_class_file(path)))
        except (DataError, OSError) as error:
            issues.append(_malformed_issue(path, error, refused=not lists))
    if not lists:
        return DeclaredClasses(), issues
    source, entries = lists[0]
    for path, other_entries in lists[1:]:
        difference = _difference(entries, other_entries)
        if difference:
            text = f"{difference} in {source.name}; {source.name} is used"
            issues.append(Issue("classes-contradict", path, text))
    void = tuple(entry for entry in entries if entry.name.lower() in VOID_NAMES)
    classes = tuple(entry for entry in entries if entry not in void)
    return DeclaredClasses(classes, void, source), issues


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise DataError.of_file(path, f"{size} bytes, hardly a list of classes")


def _malformed_issue(
    path: Path,
    error: DataError | OSError,
    *,
    refused: bool,
) -> Issue:
    if isinstance(error, DataError):
        reason = error.reason
        refusal = str(error)
        position = _json_error_position(path)
    else:
        reason = error.strerror or str(error)
        refusal = f"{path}: {reason}; make it readable"
        position = None
    if not refused:
        refusal = ""
    return Issue(
        "classes-malformed",
        path,
        reason,
        position,
        refusal=refusal,
    )


def _difference(used: list[ClassEntry], rows: list[ClassEntry]) -> str:
    """The first thing in which two lists disagree, as it stands in the second."""
    by_value = {entry.raw: entry for entry in used}
    if len(used) != len(rows):
        return f"{len(rows)} classes, but {len(used)}"
    for entry in rows:
        match = by_value.get(entry.raw)
        if match is None:
            return f"{entry.raw} is '{entry.name}', but nothing"
        if match.name != entry.name:
            return f"{entry.raw} is '{entry.name}', but {match.name!r}"
        if entry.colour and match.colour and entry.colour != match.colour:
            return f"'{entry.name}' is {entry.colour}, but {match.colour}"
    return ""


def _json_error_position(path: Path) -> tuple[int, int] | None:
    """(line, column), from 1, of malformed JSON."""
    try:
        json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        return error.lineno, error.colno
    except (ValueError, OSError):
        return None
    return None


def read_class_file(source: Path) -> list[ClassEntry]:
    """The entries of classes.txt, .json or .csv, void among them. DataError for what cannot be or
    stands twice.
    """
    try:
        # utf-8-sig: Windows editors and spreadsheets put a mark before the first name.
        text = source.read_text(encoding="utf-8-sig")
        entries = _PARSERS[source.suffix](text)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError.of_file(
            source,
            f"cannot be read as a list of classes ({error}); write one name a line "
            "in classes.txt, or name,r,g,b in classes.csv",
        ) from error
    if not entries:
        raise DataError.of_file(
            source,
            "is empty; write one class name a line, or remove the file to have them numbered",
        )
    for entry in entries:
        if not 0 <= entry.raw <= VOID or not _is_colour(entry.colour):
            raise DataError.of_file(
                source,
                f"'{entry.name}' has id {entry.raw}, colour {entry.colour}; allowed: 0 to 255",
            )
    _check_unique(source, [entry.name for entry in entries])
    _check_unique(source, [str(entry.raw) for entry in entries])
    _check_unique(source, [str(entry.colour) for entry in entries if entry.colour])
    return entries


def _check_unique(source: Path, column: list[str]) -> None:
    double = [value for value, count in Counter(column).items() if count > 1]
    if double:
        raise DataError.of_file(
            source,
            f"{first(sorted(double))} stands there twice; give each class its own name, id and "
            "colour",
        )


def _is_colour(colour: Colour | None) -> bool:
    return colour is None or (len(colour) == 3 and all(0 <= channel <= 255 for channel in colour))


def _parse_txt(text: str) -> list[ClassEntry]:
    names = [line.strip() for line in text.splitlines() if line.strip()]
    return [ClassEntry(raw, name) for raw, name in enumerate(names)]


def _parse_json(text: str) -> list[ClassEntry]:
    content = json.loads(text)
    if isinstance(content, dict):
        return _parse_mapping(content)
    return [_parse_item(position, item) for position, item in enumerate(content)]


def _parse_mapping(content: dict[str, Any]) -> list[ClassEntry]:
    """Names by id, or ids by name: tools write either."""
    rows = []
    for key, value in content.items():
        if str(key).isdigit():
            rows.append((int(key), str(value)))
        else:
            rows.append((int(value), str(key)))
    return [ClassEntry(raw, name) for raw, name in sorted(rows)]


def _parse_item(position: int, item: Any) -> ClassEntry:
    if isinstance(item, str):
        return ClassEntry(position, item)
    channels = item.get("color", item.get("colour"))
    colour = _colour(channels) if channels else None
    return ClassEntry(int(item.get("id", position)), str(item["name"]), colour)


def _parse_csv(text: str) -> list[ClassEntry]:
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    rows = [row for row in rows if any(row)]
    if rows and _is_header(rows[0]):
        rows = rows[1:]
    entries = []
    for position, row in enumerate(rows):
        # An id goes before the name; a name of digits alone is one only where no column is left.
        has_id = len(row) in (2, 5) and row[0].isdigit()
        raw = int(row[0]) if has_id else position
        name, *channels = row[1:] if has_id else row
        colour = _colour(channels) if channels else None
        entries.append(ClassEntry(raw, name, colour))
    return entries


def _is_header(row: list[str]) -> bool:
    # A class may be called "class": its row has numbers.
    has_numbers = any(cell.isdigit() for cell in row)
    return row[0].lower() in ("name", "class", "id") and not has_numbers


def _colour(channels: Iterable[object]) -> Colour:
    red, green, blue = (int(str(channel)) for channel in channels)
    return red, green, blue


_PARSERS = {".txt": _parse_txt, ".json": _parse_json, ".csv": _parse_csv}
