"""`pixelwise stack`."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.options_from import OUTPUT


def stack(
    folder: Annotated[Path, typer.Argument(help="Folder of files that hold a band each.")],
    bands: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=PATTERN",
            help="Bands in order, separated by commas or one for each --bands, such as "
            "red={stem}_B04.tif,nir={stem}_B08.tif.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="New folder to write.", rich_help_panel=OUTPUT)],
) -> None:
    """Put bands that lie in a file each together, to one TIFF file for each scene."""
    # Heavy imports stay inside the command: --help must not wait for them.
    from pixelwise.cli.console import TerminalProgress, print_next, results
    from pixelwise.datasets.stack_bands import stack as job

    stacked = job(folder, out, bands=bands, progress=TerminalProgress())
    count = len(stacked.files)
    files = f"{count} {'file' if count == 1 else 'files'}"
    results.print(f"{files} of {', '.join(stacked.names)} in {out}", markup=False)
    print_next((("predict", "MODEL", out), "label them"))
