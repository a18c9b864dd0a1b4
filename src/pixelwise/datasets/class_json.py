"""How the JSON of tools lists classes."""

import json
from typing import Any

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.class_entries import COLUMNS, ClassEntry, parse_colour

TREE = "tree"
"""Of classes.json, what holds the classes' tree."""

_BLACK = (0, 0, 0)
_FIRST_KEYS = ("title", "label", "name", "id")
# Where the JSON of tools has its list: nnU-Net, Supervisely, YOLO, COCO.
_LIST_KEYS = ("labels", "classes", "names", "categories")


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
    content.pop(TREE, None)  # which is read by itself
    return _parse_mapping(content)


def parse_supervisely(text: str) -> list[ClassEntry]:
    """meta.json: masks that Supervisely renders number its classes from 1 and leave 0, black, to
    what no class covers.
    """
    classes = json.loads(text)["classes"]
    drawn = [_parse_item(position, item) for position, item in enumerate(classes, 1)]
    return [ClassEntry(0, "background", _BLACK), *drawn]


def parse_mapillary(text: str) -> list[ClassEntry]:
    """config.json of Mapillary Vistas, whose list has a name and a colour for each id from 0; other
    files of that name are no list of classes.
    """
    labels = json.loads(text)["labels"]
    if not all({"name", "color"} <= item.keys() for item in labels):
        raise ValueError("labels without name and color")
    return [_parse_item(position, item) for position, item in enumerate(labels)]


def _parse_mapping(content: dict[str, Any]) -> list[ClassEntry]:
    """Names by id, or ids, colours or objects by name: tools write any of them."""
    entries = [
        _parse_member(position, str(key), value)
        for position, (key, value) in enumerate(content.items())
    ]
    return sorted(entries, key=lambda entry: entry.raw)


def _parse_member(position: int, key: str, value: Any) -> ClassEntry:
    is_id = key.lstrip("-").isdigit()
    if isinstance(value, dict):
        return _parse_item(position, {"id" if is_id else "name": key, **value})
    if is_id:
        if isinstance(value, list):
            raise ValueError(f"{key} has no name")
        return ClassEntry(int(key), str(value))
    if isinstance(value, int) or str(value).lstrip("-").isdigit():
        return ClassEntry(int(value), key)
    return ClassEntry(position, key, parse_colour(value))


def _parse_item(position: int, item: Any) -> ClassEntry:
    """A name, or an object of which COLUMNS knows the keys."""
    if isinstance(item, str):
        return ClassEntry(position, item)
    cells: dict[str, list[Any]] = {}
    for key in sorted(item, key=_rank):
        column = COLUMNS.get(key.lower())
        # "label" and "class" are names in one tool and numbers in the other.
        if column == "name" and isinstance(item[key], int):
            column = "id"
        if column and item[key] is not None and item[key] != "":
            cells.setdefault(column, []).append(item[key])
    if "name" not in cells:
        raise ValueError(f"no name in {item}")
    colour = cells["colour"][0] if "colour" in cells else None
    if not colour and {"r", "g", "b"} <= set(cells):
        colour = [cells[channel][0] for channel in ("r", "g", "b")]
    id = cells["id"][0] if "id" in cells else position
    return ClassEntry(int(id), str(cells["name"][0]), parse_colour(colour))


def _rank(key: str) -> int:
    """Where an object has several names or ids, the first of these counts."""
    return _FIRST_KEYS.index(key.lower()) if key.lower() in _FIRST_KEYS else len(_FIRST_KEYS)


def encode_json(classes: Classes, *, void: bool) -> str:
    """The classes.json of masks that hold class ids, and VOID where `void`."""
    rows: list[dict[str, object]] = [
        {"id": label, "name": name, "color": colour}
        for label, (name, colour) in enumerate(zip(classes.names, classes.palette, strict=True))
    ]
    if void and "void" not in classes.names:
        rows.append({"id": VOID, "name": "void"})
    return json.dumps(rows, indent=1) + "\n"
