"""`pixelwise suspects`."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.options import (
    Format,
    Model,
    Seed,
    SkipBroken,
    SkipUnpaired,
    TrainedThreshold,
    naming_skip_broken,
)

SHOWN = 10


@naming_skip_broken()
def suspects(
    model: Model,
    data: Annotated[Path, typer.Argument(help="Folder of images and masks.")],
    out: Annotated[Path, typer.Option(help="Folder for the lists, pictures and the page.")],
    split: Annotated[
        str | None, typer.Option(help="One split alone; else all the model has not learned.")
    ] = None,
    top: Annotated[
        int, typer.Option(help="How many regions to show, and to hand over with --to.")
    ] = 50,
    to: Annotated[
        str | None,
        typer.Option(help="labelme or cvat: write their images and labels for this editor."),
    ] = None,
    format: Format = "auto",
    seed: Seed = None,
    threshold: TrainedThreshold = None,
    skip_broken: SkipBroken = False,
    skip_unpaired: SkipUnpaired = False,
) -> None:
    """Rank regions and images by how likely their label is wrong. Nothing in the data is
    changed.
    """
    from rich.table import Table

    from pixelwise.cli.console import TerminalProgress, results
    from pixelwise.evaluation import find_label_issues as job
    from pixelwise.evaluation.data_options import training_data_options

    skipped = {"skip_unpaired": skip_unpaired, "skip_broken": skip_broken}
    options = training_data_options(
        model, format=format, seed=seed, matte_threshold=threshold, **skipped
    )
    progress = TerminalProgress()
    found = job.find_label_issues(
        model, data, out=out, split=split, top=top, to=to, options=options, progress=progress
    )
    table = Table("", "image", "labelled as", "looks like", "pixels", "score")
    for rank, image, split_name, *_, area, label, looks, _, score in found.rows()[
        : min(top, SHOWN)
    ]:
        table.add_row(
            str(rank), f"{split_name}/{image}", str(label), str(looks), str(area), str(score)
        )
    results.print(table)
    for line in found.notes:
        results.print(line, markup=False)
    results.print(
        f"{len(found.issues):,} regions in {out / 'suspects.csv'}; see {out / 'suspects.html'}",
        markup=False,
    )
