"""Fields of option dataclasses: declared with their range, checked, flattened and documented.

A field is written once, as

    ema: float = option(0.99, valid=Range(0, 1, high_open=True, text="a number from 0 to below 1"))
    "Decay of the moving average of the weights; 0 for none."

and the command line, `--set`, run.json and the reference pages are made from it.
"""

import ast
import inspect
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import pairwise
from textwrap import dedent
from typing import Any, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from pixelwise.errors import ConfigError, unknown_choice_error

Function = TypeVar("Function", bound=Callable[..., Any])

# By dataclass: type hints and source are read once.
_FIELDS: dict[Any, "dict[str, OptionField]"] = {}
_DOCS: dict[Any, dict[str, str]] = {}


class Valid(Protocol):
    """What a value may be: a test, and the words for an error message."""

    @property
    def text(self) -> str:
        """What is allowed, as in "a number above 0"."""

    def accepts(self, value: Any) -> bool:
        """Whether the value is allowed."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, without an end that is `open`."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    text: str = ""

    def accepts(self, value: float) -> bool:
        """Whether the number lies in the range; not-a-number never does."""
        if self.low_open and value == self.low:
            return False
        if self.high_open and value == self.high:
            return False
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Rule:
    """Values for which `test` holds."""

    test: Callable[[Any], bool]
    text: str

    def accepts(self, value: Any) -> bool:
        """Whether the value is allowed; one of a type that cannot be tested is not."""
        try:
            return self.test(value)
        except TypeError:
            return False


@dataclass(frozen=True)
class OptionField:
    """One field as its dataclass declares it; `group` names the group it stands in, if any."""

    name: str
    type: Any
    default: Any
    owner: type[Any]
    group: str
    metadata: Mapping[str, Any]

    @property
    def takes_tuple(self) -> bool:
        """Whether the value is a tuple, so that a single string would be read by letters."""
        return any(get_origin(part) is tuple for part in (self.type, *get_args(self.type)))

    @property
    def doc(self) -> str:
        """The string under the field, in one line."""
        return field_docs(self.owner).get(self.name, "")

    @property
    def choices(self) -> tuple[str, ...]:
        """The values to choose from: those of a `Literal`, or as declared."""
        return choices_of(self.type) or self.metadata.get("choices", ())

    @property
    def metavar(self) -> str | None:
        """What stands for the value in help texts, where it is declared."""
        return self.metadata.get("metavar")

    @property
    def valid(self) -> Valid | None:
        """What a value may be, where the type alone does not say it."""
        return self.metadata.get("valid")

    @property
    def has_own_option(self) -> bool:
        """Whether the command line has an option of this name; else `--set` reaches it."""
        return bool(self.metadata.get("own"))


def option(
    default: Any,
    *,
    valid: Valid | None = None,
    own: bool = False,
    suggest: bool = False,
    metavar: str | None = None,
    cli: str | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field with what is known of its values.

    own: the command line has an option for it, called `cli` where it is not the field's name, with
    `metavar` for its value. suggest: an unknown choice is answered with the nearest known one.
    choices: for help and completion, where the type is no Literal and another place checks them.
    """
    metadata = {
        "valid": valid,
        "own": own,
        "suggest": suggest,
        "metavar": metavar,
        "cli": cli,
        "choices": choices,
    }
    return field(default=default, metadata=metadata)


def check_fields(config: Any) -> None:
    """Raises ConfigError for the first field whose value is none of its choices or out of range.

    The parts of a tuple are not checked: a field may have its own words for these.
    """
    for name, known in option_fields(type(config)).items():
        value = getattr(config, name)
        if value is None and is_optional(known.type):
            continue  # left open: chosen later
        if isinstance(value, str) and known.takes_tuple:
            raise not_allowed_error(name, value, f"a tuple, such as ({value!r},)")
        if known.choices and not known.takes_tuple and value not in known.choices:
            if known.metadata.get("suggest"):
                raise unknown_choice_error(name, str(value), known.choices)
            raise not_allowed_error(name, value, f"one of {', '.join(known.choices)}")
        if known.valid is not None and not known.valid.accepts(value):
            raise not_allowed_error(name, value, known.valid.text)


def not_allowed_error(name: str, value: Any, allowed: str) -> ConfigError:
    """The error for a value outside of what its field allows."""
    return ConfigError(f"{name} is {value!r}: allowed is {allowed}")


def option_fields(kind: type[Any]) -> dict[str, OptionField]:
    """The fields of a dataclass by name; those of its groups (fields that are dataclasses) flat."""
    if kind not in _FIELDS:
        _FIELDS[kind] = _read_fields(kind)
    return _FIELDS[kind]


def _read_fields(kind: type[Any]) -> dict[str, OptionField]:
    hints = get_type_hints(kind)
    result: dict[str, OptionField] = {}
    for item in fields(kind):
        name = item.name
        hint = hints[name]
        if isinstance(hint, type) and is_dataclass(hint):  # a class, not an instance of one
            # A group: its fields are known by their flat names.
            for inner in option_fields(hint).values():
                result[inner.name] = replace(inner, group=name)
        else:
            result[name] = OptionField(name, hint, item.default, kind, "", item.metadata)
    return result


def list_options(*kinds: type[Any]) -> Callable[[Function], Function]:
    """A decorator for a function whose last parameter is `**options`: its signature, which `help`
    shows and notebooks complete from, has a keyword for each field of the dataclasses instead.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        *own, _ = signature.parameters.values()
        keywords = {
            known.name: inspect.Parameter(
                known.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=known.default,
                annotation=known.type,
            )
            for kind in kinds
            for known in option_fields(kind).values()
            if known.name not in signature.parameters
        }
        listed = signature.replace(parameters=[*own, *keywords.values()])
        function.__signature__ = listed  # type: ignore[attr-defined]
        return function

    return decorate


def own_options(kind: type[Any]) -> tuple[str, ...]:
    """Names of the fields that have an option of their own on the command line."""
    return tuple(name for name, known in option_fields(kind).items() if known.has_own_option)


def check_names(values: Mapping[str, Any], *kinds: type[Any]) -> None:
    """Raises ConfigError for a name that is a field of none of the dataclasses, with the nearest
    one as advice.
    """
    known = set[str]()
    for kind in kinds:
        known.update(option_fields(kind))
    for name in values:
        if name not in known:
            raise unknown_choice_error("option", name, known)


def select_fields(values: Mapping[str, Any], kind: type[Any]) -> dict[str, Any]:
    """Those of the values that are fields of the dataclass."""
    known = option_fields(kind)
    return {name: value for name, value in values.items() if name in known}


def group_values(kind: type[Any], flat: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Flat values sorted into the groups of a dataclass. Raises ConfigError for an unknown name."""
    check_names(flat, kind)
    known = option_fields(kind)
    groups: dict[str, dict[str, Any]] = {}
    for name, value in flat.items():
        groups.setdefault(known[name].group, {})[name] = value
    return groups


def field_docs(kind: type[Any]) -> dict[str, str]:
    """The string under each field of a dataclass, in one line; read from its source, and nothing
    where the source is not installed.
    """
    if kind not in _DOCS:
        _DOCS[kind] = _read_docs(kind)
    return _DOCS[kind]


def _read_docs(kind: type[Any]) -> dict[str, str]:
    try:
        source = inspect.getsource(kind)
    except OSError:
        return {}
    # Python does not record the strings under fields: they are read from the source.
    body = ast.parse(dedent(source)).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for line, following in pairwise(body.body):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            text = _string_of(following)
            if text is not None:
                docs[line.target.id] = " ".join(text.split())
    return docs


def _string_of(statement: ast.stmt) -> str | None:
    """The text of a statement that is only a string."""
    if not isinstance(statement, ast.Expr):
        return None
    value = statement.value
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
        return None
    return value.value


def choices_of(hint: Any) -> tuple[str, ...]:
    """The values of a `Literal`, also beside None; empty for another type."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    if is_optional(hint):
        for part in get_args(hint):
            choices = choices_of(part)
            if choices:
                return choices
    return ()


def is_optional(hint: Any) -> bool:
    """Whether None is among the types."""
    return get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)


def type_name(hint: Any) -> str:
    """A type as a message writes it: `int | None`, `tuple[float, float]`; a Literal is `str`."""
    if get_origin(hint) is Literal:
        return "str"
    if get_origin(hint) in (Union, types.UnionType):
        return " | ".join(type_name(part) for part in get_args(hint))
    if hint is type(None):  # whose own name, NoneType, nobody types
        return "None"
    # `list[int]` is a type too, but its name is `list`.
    if isinstance(hint, type) and not get_args(hint):
        return hint.__name__
    return str(hint)
