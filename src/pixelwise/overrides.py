"""Fields of a configuration from the command line's `--set NAME=VALUE`."""

import ast
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from typing import Any, Literal, get_origin

from pixelwise.errors import ConfigError, unknown_choice_error


def parse_overrides(
    texts: Sequence[str], kind: type[Any], *, own: Collection[str] = ()
) -> dict[str, Any]:
    """Fields of the dataclass `kind` from texts such as `ema=0.999`, `scale=(0.5, 2)`,
    `optimizer=sgd`.

    Raises ConfigError for a text without `=`, an unknown field, one that has an option of its
    `own`, and a value of another type than the field's.
    """
    known = {field.name: _type_name(field.type) for field in fields(kind)}
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"'{text}': write NAME=VALUE, as in ema=0.999")
        if name not in known:
            raise unknown_choice_error("field", name, known)
        if name in own:
            raise ConfigError(f"{name} has an option of its own: give it by that, not by --set")
        found[name] = _read_value(name, value, known[name])
    return found


def _type_name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "str"
    return kind.__name__ if isinstance(kind, type) else str(kind)


def _read_value(name: str, text: str, kind: str) -> Any:
    if kind.startswith("str"):
        return text
    try:
        value = ast.literal_eval(text.capitalize() if text in ("true", "false", "none") else text)
    except (ValueError, SyntaxError):
        value = text
    if not any(_FITS[part.strip()](value) for part in kind.split("|")):
        raise ConfigError(f"{name} is '{text}': allowed is {kind}")
    return float(value) if kind.startswith("float") and value is not None else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FITS: dict[str, Callable[[Any], bool]] = {
    "int": lambda value: _is_number(value) and isinstance(value, int),
    "float": _is_number,
    "bool": lambda value: isinstance(value, bool),
    "None": lambda value: value is None,
    "tuple[int, int]": lambda value: (
        isinstance(value, tuple) and len(value) == 2 and all(map(_FITS["int"], value))
    ),
    "tuple[float, float]": lambda value: (
        isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value))
    ),
}
