"""Classes files, read as training reads them, but with the place of an error and with all of them
compared.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from pixelwise.checks.findings import Hit
from pixelwise.datasets.readers.folder import CLASS_FILES, VOID_NAMES, ClassEntry, read_class_file
from pixelwise.errors import DataError

_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True)
class Declared:
    """What the classes file says: classes in order, void entries, and the file; nothing where there
    is none.
    """

    kept: tuple[ClassEntry, ...] = ()
    void: tuple[ClassEntry, ...] = ()
    source: Path | None = None


def declared_classes(root: Path) -> tuple[Declared, list[Hit]]:
    """Read every classes file; the first that can be read counts, as in training."""
    hits: list[Hit] = []
    found: list[tuple[Path, list[ClassEntry]]] = []
    for name in CLASS_FILES:
        path = root / name
        if not path.is_file():
            continue
        try:
            if path.stat().st_size > _LARGEST:
                raise DataError(f"{path}: {path.stat().st_size} bytes, hardly a list of classes")
            found.append((path, read_class_file(path)))
        except DataError as error:
            hits.append(
                Hit(
                    "classes-malformed", path, str(error).removeprefix(f"{path}: "), _position(path)
                )
            )
        except OSError as error:
            hits.append(Hit("classes-malformed", path, error.strerror or str(error)))
    if not found:
        return Declared(), hits
    (source, entries), *others = found
    for other, theirs in others:
        unlike = _unlike(entries, theirs)
        if unlike:
            hits.append(
                Hit(
                    "classes-contradict", other, f"{unlike} in {source.name}; {source.name} is used"
                )
            )
    void = tuple(entry for entry in entries if entry.name.lower() in VOID_NAMES)
    return Declared(tuple(entry for entry in entries if entry not in void), void, source), hits


def _unlike(ours: list[ClassEntry], theirs: list[ClassEntry]) -> str:
    """The first thing in which two lists disagree, said of the second."""
    mine = {entry.raw: entry for entry in ours}
    if len(ours) != len(theirs):
        return f"{len(theirs)} classes, but {len(ours)}"
    for entry in theirs:
        other = mine.get(entry.raw)
        if other is None or other.name != entry.name:
            return f"{entry.raw} is '{entry.name}', but {repr(other.name) if other else 'nothing'}"
        if entry.colour and other.colour and entry.colour != other.colour:
            return f"'{entry.name}' is {entry.colour}, but {other.colour}"
    return ""


def _position(path: Path) -> tuple[int, int] | None:
    """(line, column), from 1, of malformed JSON."""
    try:
        json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        return error.lineno, error.colno
    except (ValueError, OSError):
        return None
    return None
