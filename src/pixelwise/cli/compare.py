"""`pixelwise compare`."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.options import (
    Format,
    Seed,
    SkipBroken,
    SkipUnpaired,
    Split,
    TrainedThreshold,
    naming_skip_broken,
)


@naming_skip_broken()
def compare(
    models: Annotated[
        list[Path],
        typer.Argument(help="Run folders, files or bundled models; or JSON files of evaluate."),
    ],
    data: Annotated[Path | None, typer.Option(help="Folder of images and masks.")] = None,
    split: Split = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with pictures to this folder.")
    ] = None,
    format: Format = "auto",
    seed: Seed = None,
    threshold: TrainedThreshold = None,
    skip_broken: SkipBroken = False,
    skip_unpaired: SkipUnpaired = False,
) -> None:
    """Say whether the difference between models is real: the same images, and a paired bootstrap
    over them.
    """
    from rich.table import Table

    from pixelwise.cli.console import TerminalProgress, results
    from pixelwise.evaluation import compare_models as job
    from pixelwise.evaluation.data_options import training_data_options

    skipped = {"skip_unpaired": skip_unpaired, "skip_broken": skip_broken}
    options = training_data_options(
        models[0], format=format, seed=seed, matte_threshold=threshold, **skipped
    )
    found = job.compare(
        models, data, split=split, options=options, report=report, progress=TerminalProgress()
    )
    if json is not None:
        found.write_json(json)
    columns, rows = found.table()
    table = Table(*columns, title=f"{found.split}: {len(found.images)} images")
    for row in rows:
        table.add_row(*row)
    results.print(table)
    for line in (*found.verdicts(), *found.notes):
        results.print(line, markup=False)
