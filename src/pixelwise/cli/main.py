"""The command `pixelwise`: composes, and turns errors into one line. Heavy imports stay inside the commands."""

import sys

import typer

from pixelwise.cli import check, demo, evaluate, explain, export, models, predict, train
from pixelwise.cli.console import messages
from pixelwise.errors import PixelwiseError

REFUSED = 2
IN_PART = 1
TYPER_INTERRUPTED = 130

app = typer.Typer(
    name="pixelwise",
    help="Semantic segmentation: from a folder of images and masks to a model, and masks of new images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("export")(export.export)
app.command("models")(models.models)
app.add_typer(explain.app, name="explain")


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except PixelwiseError as error:
        messages.print(f"pixelwise: {error}", markup=False)
        sys.exit(REFUSED)
    except SystemExit as end:
        if end.code != TYPER_INTERRUPTED:
            raise
        messages.print("pixelwise: interrupted; what was written before is kept", markup=False)
        sys.exit(IN_PART)
