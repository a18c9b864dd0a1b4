"""The reference pages, made from the dataclasses and the commands.

python -m pixelwise.cli.reference docs/reference
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from typer.models import ArgumentInfo, CommandInfo

from pixelwise.cli.api_reference import api_page, findings_page
from pixelwise.cli.main import app
from pixelwise.config_fields import OptionField, option_fields, type_name
from pixelwise.datasets.options import DataOptions
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.style_transfer.config import Setup, StyleConfig
from pixelwise.training.config import (
    ModelOptions,
    OptimOptions,
)
from pixelwise.training.run_options import RunOptions
from pixelwise.training.sample_options import AugmentOptions, LoadingOptions

_HEADER = "<!-- Made by `python -m pixelwise.cli.reference docs/reference`; do not edit. -->"

# TrainConfig stands as its groups, so that each has a table of its own.
_CONFIGS: tuple[tuple[str, type[Any]], ...] = (
    ("Training: model", ModelOptions),
    ("Training: data", LoadingOptions),
    ("Training: augmentation", AugmentOptions),
    ("Training: optimisation", OptimOptions),
    ("Training: run", RunOptions),
    ("Reading data", DataOptions),
    ("Prediction", PredictOptions),
    ("Style transfer: setup", Setup),
    ("Style transfer", StyleConfig),
)


def config_page() -> str:
    """Every option of the dataclasses: name, type, default, allowed values and meaning."""
    lines = [
        _HEADER,
        "# Configuration",
        "",
        "Every option by its name in Python, as in `pixelwise.train(..., ema=0.999)`. Where the "
        "column *option* is empty, the command line takes it as `--set NAME=VALUE`, where the "
        "command has `--set`.",
    ]
    for heading, kind in _CONFIGS:
        lines += ["", f"## {heading}", ""]
        lines += ["| name | option | type | default | allowed | |", "|---|---|---|---|---|---|"]
        lines += [_config_row(item) for item in option_fields(kind).values()]
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """Every command with its arguments and options, by panel."""
    lines = [_HEADER, "# Command line", ""]
    lines += [
        "`pixelwise COMMAND --help` shows the same. Exit status: 0 done, 1 done in part, 2 refused."
    ]
    for name, command in _commands(app):
        callback = command.callback
        assert callback is not None
        lines += ["", f"## pixelwise {name}", "", _one_line(callback.__doc__ or "")]
        if command.epilog:
            lines += ["", "    " + command.epilog.removeprefix("Example: ")]
        for panel, rows in _rows_by_panel(callback).items():
            lines += ["", f"| {panel} | value | default | |", "|---|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[Path], str]] = {
    "cli.md": lambda _: cli_page(),
    "config.md": lambda _: config_page(),
    "findings.md": lambda folder: f"{_HEADER}\n{findings_page(_picture_names(folder))}",
    "python.md": lambda _: f"{_HEADER}\n{api_page()}",
}
"""The text of each page, for the folder that it stands in."""


def _picture_names(folder: Path) -> set[str]:
    """The findings that docs/reference/pictures.py drew."""
    return {path.stem for path in (folder / "findings").glob("*.png")}


def _rows_by_panel(command: Callable[..., Any]) -> dict[str, list[str]]:
    panels: dict[str, list[str]] = {}
    for parameter in inspect.signature(command).parameters.values():
        note = _note(parameter)
        if note.hidden:
            continue
        panel = note.rich_help_panel or "Options"
        if isinstance(note, ArgumentInfo):
            panel = "Arguments"
        panels.setdefault(panel, []).append(_parameter_row(parameter))
    return panels


def write_pages(folder: Path) -> None:
    """Write PAGES to the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make_page in PAGES.items():
        (folder / name).write_text(make_page(folder), encoding="utf-8")


def _config_row(item: OptionField) -> str:
    name = item.metadata.get("cli") or item.name
    option = f"`--{name.replace('_', '-')}`" if item.has_own_option else ""
    allowed = ", ".join(item.choices) if item.choices else ""
    if item.valid is not None:
        allowed = item.valid.text
    default = "" if item.default is None else f"`{item.default}`"
    cells = (f"`{item.name}`", option, type_name(item.type), default, allowed, item.doc)
    return _row(*cells)


def _commands(group: typer.Typer, prefix: str = "") -> Iterator[tuple[str, CommandInfo]]:
    """The commands of a group by their full names."""
    for command in group.registered_commands:
        assert command.callback is not None
        yield prefix + (command.name or command.callback.__name__), command
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from _commands(inner.typer_instance, f"{prefix}{inner.name} ")


def _note(parameter: inspect.Parameter) -> Any:
    """What Typer knows of a parameter: its OptionInfo or ArgumentInfo."""
    return parameter.annotation.__metadata__[0]


def _parameter_row(parameter: inspect.Parameter) -> str:
    note = _note(parameter)
    hint = parameter.annotation.__origin__
    if isinstance(note, ArgumentInfo):
        name = note.metavar or parameter.name.upper()
        value = ""
    else:
        # Typer takes the first name of an option for its default
        names = [note.default, *(note.param_decls or ())]
        own = f"--{parameter.name.replace('_', '-')}"
        name = next((text for text in names if str(text).startswith("--")), own)
        value = "" if hint is bool else note.metavar or type_name(hint).removesuffix(" | None")
    is_required = parameter.default is inspect.Parameter.empty
    # Options made from dataclasses state their default at the end of their help.
    text, _, stated = (note.help or "").partition(" Default: ")
    default = f"`{stated.removesuffix('.')}`" if stated else _default_of(parameter, note)
    return _row(f"`{name}`", value, "required" if is_required else default, text)


def _default_of(parameter: inspect.Parameter, note: Any) -> str:
    if note.show_default is False:
        return ""
    value = note.show_default if isinstance(note.show_default, str) else parameter.default
    if value is None or value == "" or isinstance(value, bool):
        return ""
    return f"`{value}`"


def _row(*cells: str) -> str:
    # A bar that is not escaped would end the cell.
    texts = (_one_line(cell).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(texts)} |"


def _one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
