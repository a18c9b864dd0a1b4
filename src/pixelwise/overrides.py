"""Fields of a configuration from the command line's `--set NAME=VALUE`."""

import ast
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pixelwise.config_fields import option_fields, type_name
from pixelwise.errors import ConfigError, unknown_choice_error


def parse_overrides(
    texts: Sequence[str],
    kind: type[Any],
    *,
    own: Collection[str] = (),
) -> dict[str, Any]:
    """Fields of the dataclass `kind` from texts such as `ema=0.999`, `scale=(0.5, 2)`,
    `optimizer=sgd`.

    Raises ConfigError for a text without `=`, an unknown field, one that has an option of its
    `own`, and a value of another type than the field's.
    """
    known = option_fields(kind)
    overrides = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"'{text}': write NAME=VALUE, as in ema=0.999")
        if name not in known:
            raise unknown_choice_error("field", name, known)
        if name in own:
            raise ConfigError(f"{name} has an option of its own: give it by that, not by --set")
        overrides[name] = _read_value(name, value, type_name(known[name].type))
    return overrides


def _read_value(name: str, text: str, kind: str) -> Any:
    if kind.startswith("str"):
        return text
    literal = text
    if text in ("true", "false", "none"):  # as YAML and shells write them
        literal = text.capitalize()
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError):
        value = text
    allowed = [part.strip() for part in kind.split("|")]
    if not any(_FITS[part](value) for part in allowed):
        raise ConfigError(f"{name} is '{text}': allowed is {kind}")
    if kind.startswith("float") and value is not None:
        return float(value)  # run.json shall say 2.0, however it was typed
    return value


def _is_number(value: Any) -> bool:
    is_bool = isinstance(value, bool)  # which Python counts among the whole numbers
    return isinstance(value, int | float) and not is_bool


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_two(value: Any, fits: Callable[[Any], bool]) -> bool:
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    return all(map(fits, value))


# By the names of types as `type_name` writes them.
_FITS: dict[str, Callable[[Any], bool]] = {
    "int": _is_whole,
    "float": _is_number,
    "bool": lambda value: isinstance(value, bool),
    "None": lambda value: value is None,
    "tuple[int, int]": lambda value: _are_two(value, _is_whole),
    "tuple[float, float]": lambda value: _are_two(value, _is_number),
}
