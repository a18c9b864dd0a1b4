"""Commands whose --help shows no type for options that take no value."""

from typing import Any

from typer.core import TyperCommand, TyperGroup


def _hide_type_of_flags(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""  # Typer writes <bool>
    return params


class Command(TyperCommand):
    """A command of the command line."""

    def get_params(self, ctx: Any) -> list[Any]:
        """As Typer's, for --help."""
        return _hide_type_of_flags(super().get_params(ctx))


class Group(TyperGroup):
    """A group of commands, or the command line itself."""

    def get_params(self, ctx: Any) -> list[Any]:
        """As Typer's, for --help."""
        return _hide_type_of_flags(super().get_params(ctx))
