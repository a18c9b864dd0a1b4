"""`pixelwise slice`."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.options_from import OUTPUT
from pixelwise.datasets.options import Plane


def slice_volumes(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of NIfTI volumes or of DICOM series, or a data set of nnU-Net."
        ),
    ],
    out: Annotated[Path, typer.Option(help="New folder to write.", rich_help_panel=OUTPUT)],
    labels: Annotated[
        Path | None,
        typer.Option(help="Folder of volumes of class ids, called as the volumes.", metavar="DIR"),
    ] = None,
    plane: Annotated[Plane, typer.Option(help="Plane of the slices.")] = "axial",
    labelled: Annotated[
        bool, typer.Option("--labelled", help="Leave slices out that show no class but 0.")
    ] = False,
) -> None:
    """Write the slices of NIfTI or DICOM volumes, with their labels, as a data set to train on."""
    # Heavy imports stay inside the command: --help must not wait for them.
    from pixelwise.cli.console import TerminalProgress, print_next, results
    from pixelwise.datasets.slice_volumes import slice_volumes as job

    sliced = job(
        folder, out, labels=labels, plane=plane, labelled=labelled, progress=TerminalProgress()
    )
    bands = "1 band" if sliced.bands == 1 else f"{sliced.bands} bands"
    volumes = "1 volume" if sliced.volumes == 1 else f"{sliced.volumes} volumes"
    results.print(f"{sliced.slices} {plane} slices of {volumes}, {bands}, in {out}", markup=False)
    if sliced.classes:
        results.print(f"classes: {', '.join(sliced.classes.values())}", markup=False)
        print_next((("train", out), "train a model on them"))
    else:
        print_next((("label", out / "images", "--classes", "..."), "label them"))
