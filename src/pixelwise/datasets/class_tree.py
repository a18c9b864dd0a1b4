"""Classes that belong together, as car and bus are vehicles: a tree above the classes of a data
set.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.classes import ClassTree
from pixelwise.datasets.class_json import TREE
from pixelwise.errors import ConfigError, DataError
from pixelwise.io.text import read_text


def parse_tree(texts: Sequence[str]) -> ClassTree:
    """The tree of "vehicle=car,bus" each. Raises ConfigError as `check_tree`."""
    tree = list[tuple[str, tuple[str, ...]]]()
    for text in texts:
        name, equals, members = text.partition("=")
        listed = tuple(part.strip() for part in members.split(",") if part.strip())
        if not name.strip() or not equals or not listed:
            raise ConfigError(f"tree '{text}': give NAME=CLASS,CLASS, as in vehicle=car,bus")
        tree.append((name.strip(), listed))
    check_tree(tree)
    return tuple(tree)


def read_tree(path: Path | None) -> ClassTree:
    """The tree in a classes.json, {"tree": {"vehicle": ["car", "bus"]}}; empty without one. Raises
    DataError for one that is none.
    """
    if path is None or path.suffix.lower() != ".json":
        return ()
    content = json.loads(read_text(path))  # which was read as classes already
    own = content.get(TREE) if isinstance(content, dict) else None
    if own is None:
        return ()
    try:
        tree = tuple(_parse_members(own))
        check_tree(tree)
    except (ConfigError, ValueError) as error:
        raise DataError.of_file(path, str(error)) from error
    return tree


def _parse_members(content: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not isinstance(content, Mapping):
        raise ValueError(f'its {TREE} is no table; write {{"vehicle": ["car", "bus"]}}')
    for name, members in content.items():
        is_list = isinstance(members, list) and all(isinstance(part, str) for part in members)
        if not is_list or not members:
            raise ValueError(f"{TREE} {name}: give a list of names of classes")
        yield str(name), tuple(members)


def check_tree(tree: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    """Raises ConfigError for a name that stands twice, a class with two parents, a circle."""
    parents = dict[str, str]()
    names = [name for name, _ in tree]
    for name, members in tree:
        if names.count(name) > 1:
            raise ConfigError(f"tree: {name} stands there twice; list its classes in one")
        for member in members:
            if member in parents:
                raise ConfigError(
                    f"tree: {member} belongs to {parents[member]} and to {name}; a class has one "
                    "parent: name it in one of them"
                )
            parents[member] = name
    for name in names:
        above = [name]
        while above[-1] in parents:
            above.append(parents[above[-1]])
            if above[-1] == name:
                raise ConfigError(f"tree: {' in '.join(above)} is a circle; leave one of them out")


def check_members(tree: ClassTree, names: Sequence[str]) -> None:
    """Raises ConfigError for a member that is neither a class of `names` nor a parent, and for a
    parent that is a class.
    """
    parents = [name for name, _ in tree]
    for name, members in tree:
        if name in names:
            raise ConfigError(
                f"tree: {name} is a class of the data itself; name what is above its classes"
            )
        unknown = [member for member in members if member not in (*names, *parents)]
        if unknown:
            raise ConfigError(
                f"tree: {name} has {', '.join(unknown)}, which the data lacks; it has "
                f"{', '.join(names)}"
            )


def find_members(tree: ClassTree) -> dict[str, tuple[str, ...]]:
    """All that lies beneath each parent, parents too."""
    direct = dict(tree)

    def list_beneath(name: str) -> Iterator[str]:
        for member in direct.get(name, ()):
            yield member
            yield from list_beneath(member)

    return {name: tuple(list_beneath(name)) for name in direct}


def prune_tree(tree: ClassTree, names: Sequence[str]) -> ClassTree:
    """What is above at least two of the classes `names` and none of these, with those beneath."""
    beneath = {
        parent: tuple(name for name in names if name in members)
        for parent, members in find_members(tree).items()
        if parent not in names
    }
    return tuple((parent, own) for parent, own in beneath.items() if len(own) > 1)


def join_trees(*trees: ClassTree) -> ClassTree:
    """All of them, but for what contradicts an earlier one."""
    joined: ClassTree = ()
    for tree in trees:
        for parent, members in tree:
            own = (*joined, (parent, members))
            try:
                check_tree(own)
            except ConfigError:
                continue
            joined = own
    return joined
