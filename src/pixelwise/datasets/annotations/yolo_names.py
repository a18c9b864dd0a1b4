"""The class names of a YOLO set: of data.yaml, or of the list of names that other tools write."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pixelwise.datasets.issues import Issue
from pixelwise.datasets.types import first
from pixelwise.errors import DataError
from pixelwise.io.text import list_files, read_head, read_text

_NAMES_KEY = re.compile(r"""^\s*\{?\s*["']?names["']?\s*:""", re.MULTILINE)
_YAML = (".yaml", ".yml")
# In the order in which they count: Label Studio and labelImg write the first, Darknet the second.
NAME_LISTS = ("classes.txt", "obj.names", "classes.names", "names.txt")


@dataclass
class NameSource:
    """Class names by number, the file that has them, the contents of data.yaml, and issues."""

    path: Path
    names: list[str] = field(default_factory=list)
    content: Mapping[str, Any] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)

    def complete(self, labels: Sequence[int]) -> list[str]:
        """The names; where they cannot be read, a number for each of the `labels` used."""
        if self.names:
            return self.names
        return [f"class {number}" for number in range(max(labels, default=0) + 1)]


def find_yaml(root: Path) -> Path | None:
    """The file of names and folders: data.yaml, else the first that holds names."""
    return next(iter(_list_yaml(root)), None)


def _list_yaml(root: Path) -> list[Path]:
    """The files that hold names, data.yaml first."""
    files = [
        path
        for path in list_files(root, _YAML)
        if _NAMES_KEY.search(read_head(path)) or path.stem.lower() == "data"
    ]
    return sorted(files, key=lambda path: (path.stem.lower() != "data", path.name))


def compare_yaml(names: NameSource, root: Path) -> None:
    """Add an issue for each further YAML file of names: training refuses it where its names are
    not those of data.yaml.
    """
    for path in _list_yaml(root):
        if path == names.path or path.suffix.lower() not in _YAML:
            continue
        other = NameSource(path)
        try:
            _read_source(other)
        except DataError as error:
            names.issues.append(Issue("names-malformed", path, error.reason))
            continue
        if not other.names or not names.names or other.names == names.names:
            text = f"the names are taken from {names.path.name}"
            names.issues.append(Issue("annotations-unread", path, text))
            continue
        text = f"names {first(other.names)}, but {names.path.name} {first(names.names)}"
        refusal = f"{path}: {text}; keep the right one of the two files"
        names.issues.append(Issue("classes-contradict", path, text, refusal=refusal))


def find_name_lists(folders: Sequence[Path]) -> list[Path]:
    """The lists of names in `folders`."""
    candidates = (folder / name for folder in folders for name in NAME_LISTS)
    return [path for path in candidates if path.is_file()]


def is_name_list(path: Path) -> bool:
    """Whether a text file among label files is a list of names by its own name."""
    return path.name.lower() in (*NAME_LISTS, "predefined_classes.txt", "labels.txt")


def read_names(source: Path, lists: Sequence[Path]) -> NameSource:
    """The names of data.yaml or of the list `source`, compared with the further `lists`.

    What cannot be read, gaps, repeated names and lists that disagree become issues.
    """
    result = NameSource(source)
    try:
        _read_source(result)
    except DataError as error:
        result.issues.append(_malformed_issue(source, error.reason))
    if not result.names and not result.issues:
        _read_further(result, lists)
    _check_unique(result)
    for path in lists:
        if path not in (source, result.path):
            _compare(result, path)
    return result


def _read_source(result: NameSource) -> None:
    if result.path.suffix.lower() not in _YAML:
        _fill_gaps(result, dict(_read_list(result.path)))
        return
    try:
        # Texts alone: a class may be called no, on or 1e3, which YAML takes for other values.
        content = yaml.load(read_text(result.path), Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        reason = f"malformed YAML: {' '.join(str(error).split())}; correct it"
        raise DataError(reason) from error
    if not isinstance(content, dict):
        raise DataError("is no mapping of names; write `names: [cat, dog]`")
    result.content = content
    names = content.get("names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if names is None or names == "":
        return
    if not isinstance(names, dict):
        raise DataError(f"names are '{names}'; allowed are a list, or numbers with names")
    _fill_gaps(result, _number_names(names))
    _compare_count(result, content.get("nc"))


def _number_names(names: Mapping[Any, Any]) -> dict[int, str]:
    numbered = {}
    for key, name in names.items():
        if not str(key).strip().isdecimal():
            raise DataError(f"names have the key '{key}'; allowed are numbers from 0")
        if not isinstance(name, str):
            raise DataError(f"name {key} is {name}; allowed is a text")
        numbered[int(key)] = name.strip()
    return numbered


def _fill_gaps(result: NameSource, numbered: Mapping[int, str]) -> None:
    """Names in the order of their numbers; a number that lacks a name is an issue."""
    count = max(numbered, default=-1) + 1
    missing = [str(number) for number in range(count) if not numbered.get(number)]
    if missing:
        number = "number" if len(missing) == 1 else "numbers"
        text = f"names lack {number} {first(missing)}; add them"
        result.issues.append(_malformed_issue(result.path, text))
    result.names = [numbered.get(number) or f"class {number}" for number in range(count)]


def _read_list(path: Path) -> list[tuple[int, str]]:
    """Number and name of each line; blank lines at the end count for nothing."""
    lines = [line.strip() for line in read_text(path).rstrip().splitlines()]
    return list(enumerate(lines))


def _read_further(result: NameSource, lists: Sequence[Path]) -> None:
    """Take the names of the first list, where data.yaml has none."""
    if not lists:
        text = "has no names; write `names: [cat, dog]`"
        result.issues.append(_malformed_issue(result.path, text))
        return
    result.path = lists[0]
    try:
        _fill_gaps(result, dict(_read_list(lists[0])))
    except DataError as error:
        result.issues.append(_malformed_issue(lists[0], error.reason))


def _check_unique(result: NameSource) -> None:
    """A name that stands twice is an issue; each gets its number, so that the rest can be read."""
    counts = Counter(result.names)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        text = f"{first(sorted(repeated))} stands there twice; give each class its own name"
        result.issues.append(_malformed_issue(result.path, text))
        result.names = [
            f"{name} {number}" if counts[name] > 1 else name
            for number, name in enumerate(result.names)
        ]


def _compare_count(result: NameSource, count: Any) -> None:
    if count is None or str(count).strip() == str(len(result.names)):
        return
    text = f"nc is {count}, but there are {len(result.names)} names"
    result.issues.append(Issue("classes-count", result.path, text))


def _compare(result: NameSource, path: Path) -> None:
    """A list that disagrees with the names that are used is an issue."""
    try:
        names = [name for _, name in _read_list(path)]
    except DataError as error:
        result.issues.append(Issue("names-malformed", path, error.reason))
        return
    if result.names and names != result.names:
        text = f"lists {first(names)}, but {result.path.name}, which is used, {first(result.names)}"
        result.issues.append(Issue("classes-contradict", path, text))


def _malformed_issue(path: Path, reason: str) -> Issue:
    return Issue("names-malformed", path, reason, refusal=f"{path}: {reason}")
