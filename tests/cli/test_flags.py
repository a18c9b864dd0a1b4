"""Options that take no value, in --help."""

from typing import Annotated

import typer
from typer.testing import CliRunner

from pixelwise.cli.flags import Command, Group


def test_a_flag_shows_no_type_and_other_options_do() -> None:
    app = typer.Typer(cls=Group)

    @app.callback()
    def group(loud: Annotated[bool, typer.Option("--loud")] = False) -> None: ...

    @app.command(cls=Command)
    def work(
        fast: Annotated[bool, typer.Option("--fast")] = False,
        side: Annotated[int, typer.Option()] = 3,
    ) -> None:
        typer.echo(f"{fast} {side}")

    runner = CliRunner()
    for words, option in ((["--help"], "--loud"), (["work", "--help"], "--side")):
        shown = runner.invoke(app, words).stdout
        assert option in shown
        assert "<bool>" not in shown
    assert "int" in shown.lower()
    assert runner.invoke(app, ["work", "--fast", "--side", "4"]).stdout == "True 4\n"
