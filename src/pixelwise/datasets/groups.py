"""Images that belong together, as those of one patient, one film, or the tiles of one scene."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pixelwise.datasets.types import Pair, first, path_within
from pixelwise.errors import ConfigError, DataError
from pixelwise.io.text import read_text

GROUPS_FILE = "groups.csv"
_IMAGE_COLUMNS = ("image", "name", "file", "filename", "file_name")
_GROUP_COLUMN = "group"


@dataclass(frozen=True)
class Groups:
    """The group of each image by its path; `rule` says where that is from."""

    by_image: Mapping[Path, str]
    rule: str

    def of(self, pair: Pair) -> str:
        """The group of a pair; one that no rule names is a group of its own."""
        # by name, not by path: what is held out is the same wherever the data lies
        return self.by_image.get(pair.image, f"\0{pair.name}")

    def describe(self) -> str:
        """The line for the user."""
        count = len(set(self.by_image.values()))
        return f"{count} groups by {self.rule}, each kept in one split"


def find_groups(root: Path, pairs: Iterable[Pair], pattern: str | None) -> Groups | None:
    """The groups of a data set: by `pattern` if given, else by the `groups.csv` in `root`; None
    where there is neither.

    Raises ConfigError for a pattern that is none or that no image fits, DataError for a table that
    cannot be used.
    """
    listed = list(dict.fromkeys(pairs))
    if pattern is not None:
        return _by_pattern(listed, pattern)
    table = root / GROUPS_FILE
    return _by_table(root, listed, table) if table.is_file() else None


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of names. Raises ConfigError for what is no regular expression, or has no group in
    brackets.
    """
    example = r"'(.*)_\d+' puts film1_01 and film1_02 together"
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(
            f"group '{pattern}' is no regular expression ({error}); {example}"
        ) from error
    if not compiled.groups:
        raise ConfigError(
            f"group '{pattern}' has no brackets around what images of a group have in common; "
            f"{example}"
        )
    return compiled


def group_by_pattern(pairs: Iterable[Pair], pattern: re.Pattern[str]) -> dict[Path, str]:
    """What the brackets of the pattern hold in each image's name; images it does not fit are left
    out.
    """
    by_image = {}
    for pair in pairs:
        match = pattern.fullmatch(pair.name)
        if match:
            by_image[pair.image] = "/".join(part or "" for part in match.groups())
    return by_image


def _by_pattern(pairs: list[Pair], pattern: str) -> Groups:
    by_image = group_by_pattern(pairs, compile_pattern(pattern))
    if not by_image:
        raise ConfigError(
            f"group '{pattern}' fits no name of an image, such as {pairs[0].name}; the names are "
            "without folder and ending, and all of a name must fit"
        )
    return Groups(by_image, f"'{pattern}'{_describe_rest(pairs, by_image)}")


def _describe_rest(pairs: list[Pair], by_image: Mapping[Path, str]) -> str:
    rest = [pair.name for pair in pairs if pair.image not in by_image]
    return f" ({first(rest)}: no group, each for itself)" if rest else ""


def _by_table(root: Path, pairs: list[Pair], table: Path) -> Groups:
    rows = _read_table(table)
    by_image = {}
    used = set()
    for pair in pairs:
        key = next((key for key in _names_of(root, pair) if key in rows), None)
        if key is not None:
            by_image[pair.image] = rows[key]
            used.add(key)
    unknown = [name for name in rows if name not in used]
    if unknown:
        raise DataError(
            f"{table}: no image is called {first(unknown)}; write the names of images as they "
            "are, with or without ending, or their paths within the data set"
        )
    return Groups(by_image, f"{GROUPS_FILE}{_describe_rest(pairs, by_image)}")


def _names_of(root: Path, pair: Pair) -> tuple[str, ...]:
    """What a table may call an image."""
    return (path_within(root, pair.image), pair.image.name, pair.name)


def _read_table(table: Path) -> dict[str, str]:
    """The group of each name."""
    text = read_text(table)
    lines = [line for line in text.splitlines() if line.strip()]
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    reader = csv.DictReader(lines, delimiter=delimiter, skipinitialspace=True)
    columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    image = next((columns[name] for name in _IMAGE_COLUMNS if name in columns), None)
    group = columns.get(_GROUP_COLUMN)
    if image is None or group is None:
        raise DataError(
            f"{table}: its first line is '{lines[0] if lines else ''}'; write 'image,group', then "
            "an image and its group on each line"
        )
    rows: dict[str, str] = {}
    for row in reader:
        name = (row[image] or "").strip().replace("\\", "/")
        value = (row[group] or "").strip()
        if not name or not value:
            raise DataError(f"{table}, line {reader.line_num}: name an image and its group")
        if rows.setdefault(name, value) != value:
            raise DataError(f"{table}: {name} is of group {rows[name]} and of {value}")
    return rows
