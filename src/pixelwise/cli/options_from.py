"""Command-line options made from the fields of dataclasses: name, type, default, help and panel."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.models import ArgumentInfo

from pixelwise.config_fields import OptionField, option_fields, own_options

# Headings of --help, by the group that a field stands in; some fields go elsewhere.
PANELS = {
    "model": "Model",
    "data": "Data",
    "augmentation": "Augmentation",
    "optim": "Training",
    "run": "Training",
}
HARDWARE = "Hardware"
OUTPUT = "Output"
# By field, before the group: where users look for it.
_FIELD_PANELS = {"device": HARDWARE, "precision": HARDWARE, "profile": OUTPUT}


@dataclass(frozen=True)
class OptionSource:
    """Fields of a dataclass that become options of a command."""

    kind: type[Any]
    names: tuple[str, ...] = ()
    """Which fields; all that have an option of their own by default."""
    unset: bool = False
    """Leave out what the user did not give, as another default goes before the field's."""
    panel: str = ""
    """Heading in --help for fields without a group."""
    notes: str = ""
    """What `unset` means, after the help of each field."""
    variables: str = ""
    """Prefix of the environment variables that set the options as well, such as PIXELWISE_."""

    def fields(self) -> Iterator[OptionField]:
        """The fields, in the order of the dataclass or of `names`."""
        known = option_fields(self.kind)
        for name in self.names or own_options(self.kind):
            yield known[name]


def options_from(*sources: OptionSource) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command whose last parameter is `**options` a parameter for each field of `sources`.

    The command receives them by the fields' names; without those that were left `unset`.
    """

    generated: dict[str, Generated] = {}
    for source in sources:
        generated.update(_parameters(source))

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = _join_signature(command, generated)

        @wraps(command)
        def run(*args: Any, **kwargs: Any) -> None:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            values = dict(bound.arguments)
            options = _pop_options(values, generated)
            command(**values, **options)

        # Typer reads both.
        parameters = signature.parameters.values()
        run.__annotations__ = {item.name: item.annotation for item in parameters}
        run.__signature__ = signature  # type: ignore[attr-defined]
        return run

    return decorate


# The field, whether it is left out where the user does not set it, and the command's parameter.
Generated = tuple[OptionField, bool, inspect.Parameter]


def _join_signature(
    command: Callable[..., None], generated: Mapping[str, Generated]
) -> inspect.Signature:
    """The command's own arguments, the generated options, and its own options."""
    *own, _ = inspect.signature(command).parameters.values()  # the last one is **options
    arguments = []
    options = []
    for item in own:
        if _is_argument(item):
            arguments.append(item)
        else:
            # Keyword-only, as options without a default may follow those with one.
            options.append(item.replace(kind=item.KEYWORD_ONLY))
    fields = [parameter for _, _, parameter in generated.values()]
    return inspect.Signature([*arguments, *fields, *options])


def _pop_options(values: dict[str, Any], generated: Mapping[str, Generated]) -> dict[str, Any]:
    """Take the generated options out of `values`, by the names of their fields."""
    options = {}
    for name, (item, unset, _) in generated.items():
        value = values.pop(name)
        is_set = value is not None and value is not False
        if is_set or not unset:
            options[item.name] = _as_field(item, value)
    return options


def _parameters(source: OptionSource) -> Iterator[tuple[str, Generated]]:
    for item in source.fields():
        name = item.metadata.get("cli") or item.name
        unset = source.unset or _is_list(item.type)
        is_flag = item.type is bool
        default = item.default
        if unset:
            default = False if is_flag else None
        settings = _settings(name, item, source)
        annotation: Any = _annotation(item)
        if unset and not is_flag:
            annotation = annotation | None
        parameter = inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[annotation, settings],
        )
        yield name, (item, unset, parameter)


def _settings(name: str, item: OptionField, source: OptionSource) -> Any:
    """How --help shows an option."""
    panel = _FIELD_PANELS.get(item.name) or PANELS.get(item.group)
    completion = None
    if item.choices:
        completion = _completion(item.choices)
    return typer.Option(
        f"--{name.replace('_', '-')}",
        envvar=f"{source.variables}{name.upper()}" if source.variables else None,
        help=_help(item, source),
        metavar=metavar_of(item),
        autocompletion=completion,
        show_default=False,
        rich_help_panel=panel or source.panel,
    )


def _is_argument(parameter: inspect.Parameter) -> bool:
    """Whether a command's own parameter is an argument, not an option."""
    return any(isinstance(note, ArgumentInfo) for note in parameter.annotation.__metadata__)


def metavar_of(item: OptionField) -> str | None:
    """What stands for the value in --help: the choices, or what the field declares."""
    if item.metavar:
        return item.metavar
    if not item.choices:
        return None
    return "|".join(item.choices)


def _annotation(item: OptionField) -> Any:
    """The field's type as Typer takes it: choices are checked with the field, not by Typer."""
    if _is_list(item.type):
        return list[get_args(item.type)[0]]  # type: ignore[misc]  # made at run time
    return str if item.choices else item.type


def _is_list(hint: Any) -> bool:
    """Whether a field holds any number of values, as tuple[str, ...] does."""
    return get_origin(hint) is tuple and get_args(hint)[-1] is Ellipsis


def _as_field(item: OptionField, value: Any) -> Any:
    return tuple(value or ()) if _is_list(item.type) else value


def _help(item: OptionField, source: OptionSource) -> str:
    """What --help says of the field, with its default where it has one of its own.

    Typer would put a default that is handed to it as text into another pair of brackets.
    """
    text = item.doc + source.notes
    if source.notes or item.default is None or item.default is False or item.default == ():
        return text
    default = " ".join(map(str, item.default)) if isinstance(item.default, tuple) else item.default
    return f"{text} Default: {default}."


def _completion(choices: Iterable[str]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete
