"""Classes files: classes.txt, .json or .csv, with the position of an error, and compared."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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
    readable: list[tuple[Path, list[ClassEntry]]] = []
    for path in (root / name for name in CLASS_FILES):
        if not path.is_file():
            continue
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise DataError.of_file(
                    path, f"{path.stat().st_size} bytes, hardly a list of classes"
                )
            readable.append((path, read_class_file(path)))
        except DataError as error:
            refusal = "" if readable else str(error)
            position = _json_error_position(path)
            issues.append(Issue("classes-malformed", path, error.reason, position, refusal=refusal))
        except OSError as error:
            reason = error.strerror or str(error)
            refusal = "" if readable else f"{path}: {reason}; make it readable"
            issues.append(Issue("classes-malformed", path, reason, refusal=refusal))
    if not readable:
        return DeclaredClasses(), issues
    (source, entries), *others = readable
    for path, rows in others:
        difference = _difference(entries, rows)
        if difference:
            text = f"{difference} in {source.name}; {source.name} is used"
            issues.append(Issue("classes-contradict", path, text))
    void = tuple(entry for entry in entries if entry.name.lower() in VOID_NAMES)
    classes = tuple(entry for entry in entries if entry not in void)
    return DeclaredClasses(classes, void, source), issues


def _difference(used: list[ClassEntry], rows: list[ClassEntry]) -> str:
    """The first thing in which two lists disagree, said of the second."""
    by_value = {entry.raw: entry for entry in used}
    if len(used) != len(rows):
        return f"{len(rows)} classes, but {len(used)}"
    for entry in rows:
        match = by_value.get(entry.raw)
        if match is None or match.name != entry.name:
            return f"{entry.raw} is '{entry.name}', but {repr(match.name) if match else 'nothing'}"
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
    wrong = [
        entry for entry in entries if not 0 <= entry.raw <= VOID or not _is_colour(entry.colour)
    ]
    if wrong:
        raise DataError.of_file(
            source,
            f"'{wrong[0].name}' has id {wrong[0].raw}, colour {wrong[0].colour}; allowed: 0 to 255",
        )
    names = [entry.name for entry in entries]
    ids = [str(entry.raw) for entry in entries]
    colours = [str(entry.colour) for entry in entries if entry.colour]
    for column in (names, ids, colours):
        double = first(sorted({value for value in column if column.count(value) > 1}))
        if double:
            raise DataError.of_file(
                source, f"{double} stands there twice; give each class its own name, id and colour"
            )
    return entries


def _is_colour(colour: Colour | None) -> bool:
    return colour is None or (len(colour) == 3 and all(0 <= channel <= 255 for channel in colour))


def _parse_txt(text: str) -> list[ClassEntry]:
    names = [line.strip() for line in text.splitlines() if line.strip()]
    return [ClassEntry(raw, name) for raw, name in enumerate(names)]


def _parse_json(text: str) -> list[ClassEntry]:
    content = json.loads(text)
    if isinstance(content, dict):
        pairs = [
            (int(key), str(value)) if str(key).isdigit() else (int(value), str(key))
            for key, value in content.items()
        ]
        return [ClassEntry(raw, name) for raw, name in sorted(pairs)]
    entries = []
    for position, item in enumerate(content):
        if isinstance(item, str):
            entries.append(ClassEntry(position, item))
        else:
            colour = item.get("color", item.get("colour"))
            entries.append(
                ClassEntry(
                    int(item.get("id", position)),
                    str(item["name"]),
                    _colour(colour) if colour else None,
                )
            )
    return entries


def _parse_csv(text: str) -> list[ClassEntry]:
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(text.splitlines())
        if any(map(str.strip, row))
    ]
    if (
        rows
        and rows[0][0].lower() in ("name", "class", "id")
        and not any(cell.isdigit() for cell in rows[0])
    ):
        rows = rows[1:]
    entries = []
    for position, row in enumerate(rows):
        has_id = len(row) in (2, 5) and row[0].isdigit()
        name, *colour = row[1:] if has_id else row
        entries.append(
            ClassEntry(
                int(row[0]) if has_id else position, name, _colour(colour) if colour else None
            )
        )
    return entries


def _colour(channels: Iterable[object]) -> Colour:
    red, green, blue = (int(str(channel)) for channel in channels)
    return red, green, blue


_PARSERS = {".txt": _parse_txt, ".json": _parse_json, ".csv": _parse_csv}
