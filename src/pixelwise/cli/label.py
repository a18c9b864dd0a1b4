"""`pixelwise label`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pixelwise.cli.options_from import OUTPUT, OptionSource, options_from
from pixelwise.labelling.options import LabelOptions

Photos = Annotated[
    list[Path],
    typer.Argument(
        help="Photos or folders of them; a data set to correct; or the folder of a project to go "
        "on with."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the project, which is the data set too; by default PHOTOS-labels.",
        rich_help_panel=OUTPUT,
    ),
]


@options_from(OptionSource(LabelOptions))
def label(
    photos: Photos,
    out: Out = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8000,
    **options: Any,
) -> None:
    """Label photos in the browser: paint strokes, see the model's answer, leave a data set."""
    from pixelwise.cli.console import TerminalProgress
    from pixelwise.labelling.server import label as job

    job(
        photos,
        out=out,
        host=host,
        port=port,
        options=LabelOptions(**options),
        progress=TerminalProgress(),
    )
