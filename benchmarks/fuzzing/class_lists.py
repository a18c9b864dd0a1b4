"""Classes files as tools write them, in the encodings that they arrive in."""

import json
from collections.abc import Callable
from pathlib import Path

from .truth import COLOURS, Truth

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16")
ENDS = ("\n", "\r\n")


def _names_txt(truth: Truth) -> tuple[str, str]:
    return "classes.txt", "\n".join(truth.names) + "\n"


def _json(truth: Truth) -> tuple[str, str]:
    entries = [
        {"id": label, "name": name, "color": list(COLOURS[label])}
        for label, name in enumerate(truth.names)
    ]
    return "classes.json", json.dumps(entries, indent=1)


def _csv(truth: Truth) -> tuple[str, str]:
    return "classes.csv", _rows("name,r,g,b", truth)


def _class_dict(truth: Truth) -> tuple[str, str]:
    return "class_dict.csv", _rows("name, r, g, b", truth)


def _rows(header: str, truth: Truth) -> str:
    lines = [header]
    for label, name in enumerate(truth.names):
        lines.append(",".join([name, *map(str, COLOURS[label])]))
    return "\n".join(lines) + "\n"


def _labelmap(truth: Truth) -> tuple[str, str]:
    lines = ["# label:color_rgb:parts:actions"]
    for label, name in enumerate(truth.names):
        lines.append(f"{name}:{','.join(map(str, COLOURS[label]))}::")
    return "labelmap.txt", "\n".join(lines) + "\n"


def _pixel_values(truth: Truth) -> tuple[str, str]:
    lines = ["Pixel Value, Class"]
    lines += [f"{label}, {name}" for label, name in enumerate(truth.names)]
    return "_classes.csv", "\n".join(lines) + "\n"


LISTS: dict[str, Callable[[Truth], tuple[str, str]]] = {
    "classes.txt": _names_txt,
    "classes.json": _json,
    "classes.csv": _csv,
    "class_dict.csv": _class_dict,
    "labelmap.txt": _labelmap,
    "_classes.csv": _pixel_values,
}
WITH_COLOURS = frozenset({"classes.json", "classes.csv", "class_dict.csv", "labelmap.txt"})


def write(truth: Truth, root: Path, name: str, encoding: str, end: str) -> None:
    """Write a classes file."""
    file_name, text = LISTS[name](truth)
    (root / file_name).write_bytes(text.replace("\n", end).encode(encoding))
