"""The command `pixelwise`: composes, and turns errors into one line. Heavy imports stay inside the
commands.
"""

import atexit
import gc
import inspect
import logging
import os
import re
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Annotated

import typer

import pixelwise
from pixelwise.cli import (
    check,
    compare,
    compress,
    convert,
    data,
    demo,
    evaluate,
    explain,
    export,
    help_pages,
    label,
    models,
    next_photos,
    predict,
    serve,
    share,
    slice_volumes,
    stack,
    stylize,
    suspects,
    train,
)
from pixelwise.cli.console import messages
from pixelwise.cli.exit_codes import DONE, IN_PART, REFUSED
from pixelwise.cli.flags import Command, Group
from pixelwise.errors import PixelwiseError
from pixelwise.malloc import retain_memory
from pixelwise.optional import installation_error

# Typer's own exit status after Ctrl-C.
TYPER_INTERRUPTED = 130

# Objects that are made before Python looks for garbage among the young ones, 700 by default.
# Importing PyTorch makes a million that live on: looking through them takes 0.8 s.
GC_THRESHOLD = 200_000

# What may follow --cluster as its address; other words are images or options.
ADDRESS = r"local|auto|[^/]+:\d+|\w+://.*:\d+|\d+(\.\d+){3}"

_EXAMPLES = """Examples:
  pixelwise predict animals photo.jpg --overlay
  pixelwise train data
  pixelwise predict runs/1 photos

`pixelwise COMMAND -h` shows the options of a command, `pixelwise help` lists the pages to read."""

app = typer.Typer(
    name="pixelwise",
    cls=Group,
    help="Semantic segmentation: from a folder of images and masks to a model, and masks of new "
    "images.",
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

# Panel of the command list, command, an example for its --help, and whether its work takes large
# arrays step after step: these keep freed memory (see retain_memory).
_START = "Start here"
_DATA = "Data"
_MODEL = "Models"
_USE = "Use a model"
_COMMANDS: tuple[tuple[str, Callable[..., None], str, bool], ...] = (
    (_START, demo.demo, "pixelwise demo --out demo", True),
    (_START, models.models, "pixelwise models --find 'resnet*'", False),
    (_START, help_pages.help_pages, "pixelwise help formats", False),
    (_DATA, label.label, "pixelwise label photos --classes road,car,sky", True),
    (_DATA, next_photos.next_photos, "pixelwise next photos --model runs/1", False),
    (_DATA, check.check, "pixelwise check data --report check.html", False),
    (_DATA, convert.convert, "pixelwise convert data data-coco --to coco", False),
    (_DATA, data.data, "pixelwise data voc --mirror VOCtrainval_11-May-2012.tar", False),
    (
        _DATA,
        stack.stack,
        "pixelwise stack scenes --bands red={stem}_B04.tif,nir={stem}_B08.tif --out images",
        False,
    ),
    (
        _DATA,
        slice_volumes.slice_volumes,
        "pixelwise slice Dataset001_Liver --out data",
        False,
    ),
    (_DATA, suspects.suspects, "pixelwise suspects runs/1 data", False),
    (_MODEL, train.train, "pixelwise train data --minutes 30", True),
    (_MODEL, evaluate.evaluate, "pixelwise evaluate runs/1 data --report report", False),
    (_MODEL, compare.compare, "pixelwise compare runs/1 runs/2 --data data", False),
    (_MODEL, compress.compress, "pixelwise compress runs/1 --minutes 30", True),
    (_USE, predict.predict, "pixelwise predict runs/1 photos --overlay", True),
    (_USE, export.export, "pixelwise export runs/1", False),
    (_USE, share.push, "pixelwise push runs/1 hf://me/roads --scores scores.json", False),
    (_USE, share.pull, "pixelwise pull hf://me/roads", False),
    (_USE, serve.serve, "pixelwise serve runs/1 --port 8000", False),
    (_USE, stylize.stylize, "pixelwise stylize photo.jpg painting.jpg", True),
)


def _help_of(command: Callable[..., None]) -> str:
    """The docstring, each paragraph in one line, which the terminal breaks where it is wide."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


for _panel, _command, _example, _retains in _COMMANDS:
    _name = _command.__name__.partition("_")[0]  # `next` is a name of Python's own, as is `help`
    _run = retain_memory()(_command) if _retains else _command
    app.command(
        _name,
        cls=Command,
        help=_help_of(_command),
        rich_help_panel=_panel,
        epilog=f"Example: {_example}",
    )(_run)
_NAMES = frozenset(command.name for command in app.registered_commands) | {"explain"}
app.add_typer(explain.app, name="explain", rich_help_panel=_START)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"pixelwise {pixelwise.__version__}")
        raise typer.Exit(DONE)


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


def script() -> None:
    """Entry point of the console script: `main`, without taking PyTorch's objects apart at the end.

    Threads are joined and exit handlers run as ever. What follows, destroying a million objects one
    by one, takes 1.8 s of CPU time to no effect; `gc.freeze` would save as much, but makes Triton's
    bindings print a page of leaks.
    """
    gc.set_threshold(GC_THRESHOLD)
    if isinstance(sys.stdout, TextIOWrapper):
        # Windows writes to files in a code page of 256 letters: names have others
        sys.stdout.reconfigure(errors="backslashreplace")
    status = IN_PART  # of an error that is not caught, whose traceback Python prints

    def skip_teardown() -> None:
        logging.shutdown()  # the one handler that was registered before
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    atexit.register(skip_teardown)  # the first to be registered is the last to run
    try:
        main()
        status = DONE
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise


def add_address(words: list[str]) -> list[str]:
    """`--cluster` may stand without its address, also before images: one is HOST:PORT, local or
    auto.
    """
    _, *following = [*words, ""]
    completed = []
    for word, after in zip(words, following, strict=True):
        # Click has no option whose value may be missing before a positional argument.
        has_address = re.fullmatch(ADDRESS, after)
        if word == "--cluster" and not has_address:
            completed.append("--cluster=auto")
        else:
            completed.append(word)
    return completed


def turn_help(words: list[str]) -> list[str]:
    """`help COMMAND` as `COMMAND --help`, unless there is a page of that name."""
    if len(words) < 2 or words[0] != "help" or words[1] not in _NAMES:
        return words
    is_page = len(words) == 2 and words[1] in help_pages.find_pages()
    return words if is_page else [*words[1:], "--help"]


def main() -> None:
    """Run the command in `sys.argv`; ends with SystemExit."""
    try:
        app(add_address(turn_help(sys.argv[1:])))
    except PixelwiseError as error:
        messages.print(f"pixelwise: {error}", markup=False)
        sys.exit(REFUSED)
    except (ImportError, OSError, RuntimeError) as error:
        fault = installation_error(error)
        if fault is None:
            raise
        messages.print(f"pixelwise: {fault}", markup=False)
        sys.exit(REFUSED)
    except SystemExit as end:
        if end.code != TYPER_INTERRUPTED:
            raise
        messages.print("pixelwise: interrupted; what was written before is kept", markup=False)
        sys.exit(IN_PART)
