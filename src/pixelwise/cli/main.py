"""The command `pixelwise`: composes, and turns errors into one line. Heavy imports stay inside the
commands.
"""

import gc
import os
import re
import sys

import typer

from pixelwise.cli import (
    check,
    compare,
    convert,
    demo,
    evaluate,
    explain,
    export,
    models,
    predict,
    serve,
    stylize,
    suspects,
    train,
)
from pixelwise.cli.console import messages
from pixelwise.errors import PixelwiseError

REFUSED = 2
IN_PART = 1
TYPER_INTERRUPTED = 130

app = typer.Typer(
    name="pixelwise",
    help="Semantic segmentation: from a folder of images and masks to a model, and masks of new "
    "images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("convert")(convert.convert)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("predict")(predict.predict)
app.command("export")(export.export)
app.command("serve")(serve.serve)
app.command("stylize")(stylize.stylize)
app.command("suspects")(suspects.suspects)
app.command("models")(models.models)
app.add_typer(explain.app, name="explain")


OBJECTS = 200_000
ADDRESS = r"local|auto|[^/]+:\d+|\w+://.*:\d+|\d+(\.\d+){3}"


def script() -> None:
    """Entry point of the console script: `main` without the seconds that Python spends on
    housekeeping.

    Importing PyTorch makes a million objects that live on: looking through them for garbage again
    and again takes 0.8 s, and taking them apart at the end 1.2 s.
    """
    gc.set_threshold(OBJECTS)
    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def with_address(words: list[str]) -> list[str]:
    """`--cluster` may stand without its address, also before images: one is HOST:PORT, local or
    auto.
    """
    following = [*words[1:], ""]
    return [
        "--cluster=auto" if word == "--cluster" and not re.fullmatch(ADDRESS, after) else word
        for word, after in zip(words, following, strict=True)
    ]


def main() -> None:
    """Run the command in `sys.argv`; ends with SystemExit."""
    try:
        app(with_address(sys.argv[1:]))
    except PixelwiseError as error:
        messages.print(f"pixelwise: {error}", markup=False)
        sys.exit(REFUSED)
    except SystemExit as end:
        if end.code != TYPER_INTERRUPTED:
            raise
        messages.print("pixelwise: interrupted; what was written before is kept", markup=False)
        sys.exit(IN_PART)
