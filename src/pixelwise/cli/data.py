"""`pixelwise data`."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def data(
    name: Annotated[Literal["voc"], typer.Argument(help="The data set: voc (Pascal VOC 2012).")],
    out: Annotated[Path, typer.Option(help="Folder to put it in.")] = Path(),
    mirror: Annotated[
        str | None,
        typer.Option(help="Address of the same archive elsewhere, or the archive itself."),
    ] = None,
) -> None:
    """Fetch a public data set: download (2 GB), check and unpack; run again, it goes on."""
    from pixelwise.cli.console import TerminalProgress, print_next
    from pixelwise.datasets.download_voc import download_voc

    folder = download_voc(out, mirror=mirror, progress=TerminalProgress())
    print_next((("check", folder), f"look at {name}"), (("train", folder), "train a model on it"))
