"""What the labels of shapes mean, in formats whose files name no classes beside them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pixelwise.datasets.annotations.rasterize import ClassMapping, map_classes
from pixelwise.datasets.class_files import ClassEntry, read_class_file
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.types import DataOptions, first
from pixelwise.errors import DataError

_NUMBERED = re.compile(r"(.*[^\d _.-])[ _.-]?\d+")
CLASS_FILES = ("labels.txt", "classes.txt", "classes.json", "classes.csv")


@dataclass
class LabelMeaning:
    """The classes, the files that list them, and issues."""

    mapping: ClassMapping
    sources: list[Path] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


def find_class_files(folders: Iterable[Path]) -> list[Path]:
    """The files that may list classes, in `folders`."""
    paths = (folder / name for folder in dict.fromkeys(folders) for name in CLASS_FILES)
    return [path for path in paths if path.is_file()]


def explain_labels(
    root: Path, files: Sequence[Path], uses: Mapping[str, Sequence[Path]], options: DataOptions
) -> LabelMeaning:
    """The classes that the first of `files` lists, else the labels by name; `uses` are the
    annotation files of each label.

    Labels that are not listed, files that cannot be read or disagree, and labels that differ only
    in case become issues.
    """
    issues: list[Issue] = []
    lists: list[tuple[Path, list[ClassEntry]]] = []
    for path in files:
        try:
            lists.append((path, read_class_file(path)))
        except DataError as error:
            refusal = "" if lists else str(error)
            issues.append(Issue("classes-malformed", path, error.reason, refusal=refusal))
    if not lists:
        issues += _find_alike(uses)
        issues += _find_numbered(uses)
        mapping = map_classes([(name, None) for name in sorted(uses)], root)
        return LabelMeaning(mapping, [], issues)
    source, entries = lists[0]
    names = [entry.name for entry in entries]
    for path, other_entries in lists[1:]:
        others = [entry.name for entry in other_entries]
        if set(others) != set(names):
            text = f"lists {first(others)}, but {source.name}, which is used, {first(names)}"
            issues.append(Issue("classes-contradict", path, text))
    issues += _find_unlisted(source, names, uses, options)
    mapping = map_classes([(entry.name, entry.colour) for entry in entries], source)
    return LabelMeaning(mapping, [source], issues)


def _find_unlisted(
    source: Path, names: Sequence[str], uses: Mapping[str, Sequence[Path]], options: DataOptions
) -> Iterable[Issue]:
    by_case = {name.lower(): name for name in names}
    for label in sorted(set(uses) - set(names)):
        paths = uses[label]
        alike = by_case.get(label.lower())
        advice = f"did you mean '{alike}'?" if alike else "add it or rename the shapes"
        where = paths[0].name
        if len(paths) > 1:
            where += f" and {len(paths) - 1} more files"
        refusal = f"{source}: lacks '{label}', which shapes of {where} are called; {advice}"
        if options.skip_broken:
            refusal = ""
        text = f"'{label}' is not in {source.name}; {advice}"
        yield Issue("class-unlisted", paths[0], text, count=len(paths), refusal=refusal)


def _find_alike(uses: Mapping[str, Sequence[Path]]) -> Iterable[Issue]:
    by_case: dict[str, list[str]] = defaultdict(list)
    for label in sorted(uses):
        by_case[label.lower()].append(label)
    for labels in by_case.values():
        if len(labels) > 1:
            rarest = min(labels, key=lambda label: len(uses[label]))
            counts = ", ".join(f"'{label}' in {len(uses[label])} files" for label in labels)
            yield Issue("classes-alike", uses[rarest][0], counts)


def _find_numbered(uses: Mapping[str, Sequence[Path]]) -> Iterable[Issue]:
    """Labels that number what may be objects of one class."""
    by_stem: dict[str, list[str]] = defaultdict(list)
    for label in sorted(uses):
        match = _NUMBERED.fullmatch(label)
        if match:
            by_stem[match[1]].append(label)
    for stem, labels in by_stem.items():
        if len(labels) > 1:
            advice = f"if they are objects of one, call all '{stem}'"
            text = f"{first(labels)} are a class each; {advice}"
            yield Issue("classes-numbered", uses[labels[0]][0], text, count=len(labels))
