"""ES modules of the page as one script, for a page that has no server to ask for files."""

import re
from pathlib import Path

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "(\.[^"]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (\w+))", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def bundle_modules(entry: Path) -> str:
    """A script that does what the module `entry` does with all that it imports.

    Each module is a function that runs once and gives its exports; the entry itself stands last.
    Modules import and export by name, at the beginning of a line. Raises ValueError for other
    imports and exports, and for a circle.
    """
    names = dict[Path, str]()
    parts = ['"use strict";']
    parts.append("{\n" + _define(entry.resolve(), names, parts, ()) + "}\n")
    return "\n".join(parts)


def _define(path: Path, names: dict[Path, str], parts: list[str], chain: tuple[Path, ...]) -> str:
    """The module's code without imports and exports; what it imports goes to `parts`, once."""
    if path in chain:
        raise ValueError(f"{path.name} imports itself")

    def bind(match: re.Match[str]) -> str:
        other = (path.parent / match[2]).resolve()
        if other not in names:
            name = f"${other.stem}"
            if name in names.values():
                raise ValueError(f"two modules are called {other.name}")
            source = _define(other, names, parts, (*chain, path))
            exports = ", ".join(_EXPORT.findall(other.read_text(encoding="utf-8")))
            parts.append(f"const {name} = (() => {{\n{source}return {{ {exports} }};\n}})();\n")
            names[other] = name
        return f"const {match[1]} = {names[other]};"

    source = _EXPORT.sub("", _IMPORT.sub(bind, path.read_text(encoding="utf-8")))
    left = _LEFT.search(source)
    if left:
        raise ValueError(f"{path.name} has a line that cannot be joined: {left[0]}")
    return source
