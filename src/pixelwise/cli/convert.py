"""`pixelwise convert`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pixelwise.cli.exit_codes import IN_PART
from pixelwise.cli.options_from import OUTPUT, OptionSource, options_from
from pixelwise.cli.shared_options import DATA, choice_option
from pixelwise.datasets.options import WRITABLE, DataOptions


@options_from(
    OptionSource(
        DataOptions,
        ("format", "mask_folder", "skip_unpaired", "matte_threshold", "instances", "merge", "drop"),
        panel=DATA,
    )
)
def convert(
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="Data set in any format that can be read.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DST", help="New folder to write.")],
    to: Annotated[
        str,
        choice_option(WRITABLE, "Format to write.", OUTPUT),
    ],
    polygon_tolerance: Annotated[
        float,
        typer.Option(
            metavar="PIXELS",
            help="How far polygons may leave the edges of pixels, so that they have few corners.",
            rich_help_panel=OUTPUT,
        ),
    ] = 0.0,
    **options: Any,
) -> None:
    """Write a data set in another format; SRC is never changed.

    Exit status: 0 when DST holds every image, 1 when some were left out, each named, 2 where
    nothing was written.
    """
    # Heavy imports stay inside the command: --help must not wait for them.
    from pixelwise.cli.console import TerminalProgress, print_next, results
    from pixelwise.datasets.conversion import convert as job

    conversion = job(
        source,
        folder,
        to=to,
        polygon_tolerance=polygon_tolerance,
        progress=TerminalProgress(),
        **options,
    )
    for line in conversion.lines():
        results.print(line, markup=False)
    print_next((("check", folder), "see whether all of it can be used"))
    _print_left_out(conversion.left_out)


def _print_left_out(left_out: Sequence[tuple[Any, str]]) -> None:
    """Print the reasons; ends the command where there are any."""
    from pixelwise.cli.console import messages

    for _, reason in left_out:
        messages.print(f"pixelwise: left out: {reason}", markup=False)
    if left_out:
        raise typer.Exit(IN_PART)
