"""`pixelwise convert`."""

from pathlib import Path
from typing import Annotated

import typer

IN_PART = 1


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="Data set in any format that can be read.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DST", help="New folder to write.")],
    to: Annotated[str, typer.Option(help="folder, voc, coco, labelme, cvat, yolo or supervisely.")],
    format: Annotated[str, typer.Option(help="Format of SRC, where it is not found out.")] = "auto",
    skip_unpaired: Annotated[
        bool, typer.Option(help="Leave out what has no image or no labels.")
    ] = False,
) -> None:
    """Write a data set in another format; SRC is never changed.

    Exit status: 0 when DST holds every image, 1 when some were left out, each named, 2 where
    nothing was written.
    """
    from pixelwise.cli.console import TerminalProgress, messages, results
    from pixelwise.datasets.conversion import convert as job

    progress = TerminalProgress()
    done = job(source, folder, to=to, format=format, skip_unpaired=skip_unpaired, progress=progress)
    for line in done.lines():
        results.print(line, markup=False)
    for _, reason in done.left_out:
        messages.print(f"pixelwise: left out: {reason}", markup=False)
    if done.left_out:
        raise typer.Exit(IN_PART)
