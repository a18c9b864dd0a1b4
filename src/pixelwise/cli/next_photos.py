"""`pixelwise next`."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.exit_codes import IN_PART
from pixelwise.cli.options_from import OUTPUT

Photos = Annotated[list[Path], typer.Argument(help="Photos, or folders of them.")]
Model = Annotated[
    Path,
    typer.Option(help="Run folder, file (.safetensors, .onnx, .xml) or bundled model: animals."),
]
Labelled = Annotated[
    Path | None,
    typer.Option(help="Data set whose images are labelled already; photos like them come later."),
]
Top = Annotated[int, typer.Option(help="Number of photos to show.", rich_help_panel=OUTPUT)]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Write the whole list to this CSV file, which `label --queue` takes.",
        rich_help_panel=OUTPUT,
    ),
]


def next_photos(
    photos: Photos, model: Model, labelled: Labelled = None, top: Top = 20, out: Out = None
) -> None:
    """Rank photos by what a label there would teach a model, with the reason."""
    from pixelwise.cli.console import TerminalProgress, messages, results
    from pixelwise.labelling.rank_folder import rank_folder

    ranking = rank_folder(photos, model, labelled=labelled, progress=TerminalProgress())
    rows = ranking.rows()
    for rank, image, score, _, __, reason in rows[:top]:
        results.print(f"{rank:>4}  {score}  {image}: {reason}", markup=False, soft_wrap=True)
    if out is not None:
        ranking.write(out)
        results.print(f"{len(rows):,} photos in {out}", markup=False)
    for line in ranking.left_out:
        messages.print(f"left out: {line}", markup=False)
    if ranking.left_out:
        raise typer.Exit(IN_PART)
