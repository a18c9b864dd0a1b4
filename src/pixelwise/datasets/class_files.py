"""Classes files beside the masks: which there are, what they say, and how they differ."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pixelwise.classes import MAX_CLASSES, VOID, Colour
from pixelwise.datasets.class_entries import ClassEntry as ClassEntry  # noqa: PLC0414
from pixelwise.datasets.class_entries import Parse
from pixelwise.datasets.class_json import parse_json, parse_mapillary, parse_supervisely
from pixelwise.datasets.class_lines import parse_labelmap, parse_lines
from pixelwise.datasets.class_tables import parse_csv
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.types import first
from pixelwise.errors import DataError
from pixelwise.io.text import is_side_file, read_text

CLASS_FILES: dict[str, Parse] = {
    "classes.txt": parse_lines,
    "classes.json": parse_json,
    "classes.csv": parse_csv,
    "labelmap.txt": parse_labelmap,
    "label_map.txt": parse_lines,
    "class_dict.csv": parse_csv,
    "class_dict_seg.csv": parse_csv,
    "label_class_dict.csv": parse_csv,
    "_classes.csv": parse_csv,
    "class_names.txt": parse_lines,
    "class_list.txt": parse_lines,
    "label_colors.txt": parse_lines,
    "label_colours.txt": parse_lines,
    "obj.names": parse_lines,
    "codes.txt": parse_lines,
    "labels.txt": parse_lines,
    "labels.json": parse_json,
    "labels.csv": parse_csv,
    "dataset.json": parse_json,
    "id2label.json": parse_json,
    "meta.json": parse_supervisely,
    "config.json": parse_mapillary,
}
"""Parsers by the names, in lower case, under which tools write classes; the first that is there
counts."""

VOID_NAMES = frozenset({"void", "ignore", "__ignore__"})
_MOST_VOID_ID = 2**31
"""Void may have any number of 32 bits: -1, -9999 and 65535 are usual."""

# Names that often mean void, and are classes all the same until the file says so.
_DOUBTFUL_NAMES = frozenset(
    {"unknown", "unlabeled", "unlabelled", "undefined", "ignored", "unclassified", "dont care"}
)
# Names that other files bear as well: one that is no list of classes is not read, and no error.
_AMBIGUOUS = frozenset(
    {"labels.txt", "labels.json", "labels.csv", "dataset.json", "meta.json", "config.json"}
)
# A list of classes is small: a larger file is something else and is not read into memory.
_MAX_BYTES = 4 * 1024 * 1024


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


def find_declared_classes(
    root: Path, folders: Iterable[Path] = ()
) -> tuple[DeclaredClasses, list[Issue]]:
    """Read every classes file at `root` and in `folders`; the first that can be read counts, and
    takes colours from others that name the same classes.

    Training refuses a set whose first file is malformed: the next one may say something else.
    """
    issues: list[Issue] = []
    lists: list[tuple[Path, list[ClassEntry]]] = []
    for path in find_class_files(root, folders):
        try:
            _check_size(path)
            lists.append((path, read_class_file(path)))
        except (DataError, OSError) as error:
            if path.name.lower() in _AMBIGUOUS:
                issues.append(Issue("beside-unused", path, "is no list of classes"))
            else:
                issues.append(_malformed_issue(path, error, refused=not lists))
    if not lists:
        return DeclaredClasses(), issues
    source, entries = lists[0]
    for path, other_entries in lists[1:]:
        difference = _difference(entries, other_entries)
        if difference:
            text = f"{difference} in {source.name}; {source.name} is used"
            issues.append(Issue("classes-contradict", path, text))
        else:
            entries = _add_colours(entries, other_entries)
    issues += _find_doubtful_names(source, entries)
    void = tuple(entry for entry in entries if entry.name.lower() in VOID_NAMES)
    classes = tuple(entry for entry in entries if entry not in void)
    return DeclaredClasses(classes, void, source), issues


def find_class_files(root: Path, folders: Iterable[Path] = ()) -> list[Path]:
    """The files in `root` and `folders` that are called as a classes file, in the order in which
    they count.
    """
    files = []
    for place in dict.fromkeys((root, *folders)):
        if place.is_dir():
            by_name = {path.name.lower(): path for path in sorted(place.iterdir())}
            files += [by_name[name] for name in CLASS_FILES if name in by_name]
    return [path for path in files if path.is_file() and not is_side_file(path)]


def _add_colours(entries: list[ClassEntry], others: list[ClassEntry]) -> list[ClassEntry]:
    """The entries with the colours of other entries of the same names, where they lack theirs."""
    colours = {entry.name: entry.colour for entry in others}
    if any(entry.colour for entry in entries):
        return entries
    return [replace(entry, colour=colours[entry.name]) for entry in entries]


def _find_doubtful_names(source: Path, entries: Iterable[ClassEntry]) -> Iterator[Issue]:
    for entry in entries:
        if entry.name.lower().replace("'", "") in _DOUBTFUL_NAMES:
            text = f"'{entry.name}' is a class like any other; call it void to leave it out"
            yield Issue("class-doubtful", source, text)


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
        json.loads(read_text(path))
    except json.JSONDecodeError as error:
        return error.lineno, error.colno
    except (ValueError, OSError):
        return None
    return None


def read_class_file(source: Path) -> list[ClassEntry]:
    """The entries of a classes file, void among them. DataError for what cannot be or stands twice.

    What it is called says how it is written, or else its ending.
    """
    parse = CLASS_FILES.get(source.name.lower()) or _PARSERS[source.suffix.lower()]
    text = read_text(source)
    try:
        entries = parse(text)
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
        if not _is_id(entry) or not _is_colour(entry.colour):
            raise DataError.of_file(source, _describe_fault(entry, len(entries)))
    _check_unique(source, [entry.name for entry in entries])
    _check_unique(source, [str(entry.raw) for entry in entries])
    _check_unique(source, [str(entry.colour) for entry in entries if entry.colour])
    return entries


def _describe_fault(entry: ClassEntry, classes: int) -> str:
    if classes > MAX_CLASSES and _is_colour(entry.colour):
        return (
            f"{classes} classes; allowed are 1 to {MAX_CLASSES}, as {VOID} means void: merge some, "
            "in the masks too"
        )
    colour = f", colour {entry.colour}" if entry.colour else ""
    return f"'{entry.name}' has id {entry.raw}{colour}; allowed: 0 to 255"


def _is_id(entry: ClassEntry) -> bool:
    is_void = entry.name.lower() in VOID_NAMES
    return 0 <= entry.raw <= VOID or (is_void and abs(entry.raw) < _MOST_VOID_ID)


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


_PARSERS = {".txt": parse_lines, ".json": parse_json, ".csv": parse_csv}
