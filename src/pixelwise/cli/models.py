"""`pixelwise models`."""

from pathlib import Path
from typing import Annotated

import typer


def models(
    folder: Annotated[Path, typer.Argument(help="Folder of runs to list.")] = Path("runs"),
    find: Annotated[
        str, typer.Option(help="List the timm encoders whose name matches, as in 'resnet*'.")
    ] = "",
) -> None:
    """List decoders, encoders, the bundled models and those in the folder `runs`."""
    from pixelwise.api import list_models

    # timm alone takes a second to import.
    from pixelwise.cli.console import results

    results.print("\n".join(list_models(folder, find=find).lines()), markup=False)
