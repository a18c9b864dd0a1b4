"""`pixelwise compare`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pixelwise.cli.options_from import options_from
from pixelwise.cli.shared_options import (
    DATA,
    INSTANCES,
    READ_AS_TRAINED,
    Json,
    Report,
    Split,
    suggest_check,
    suggest_skip_broken,
)


@suggest_skip_broken()
@options_from(READ_AS_TRAINED, INSTANCES)
def compare(
    models: Annotated[
        list[Path],
        typer.Argument(help="Run folders, files or bundled models; or JSON files of evaluate."),
    ],
    data: Annotated[
        Path | None, typer.Option(help="Folder of images and masks.", rich_help_panel=DATA)
    ] = None,
    split: Split = None,
    json: Json = None,
    report: Report = None,
    **options: Any,
) -> None:
    """Test whether the difference between models is significant: a paired bootstrap over the same
    images.
    """
    # Heavy imports stay inside the command: --help must not wait for PyTorch.
    from pixelwise.cli.console import TerminalProgress, print_next, results
    from pixelwise.cli.tables import comparison_table
    from pixelwise.evaluation import compare_models as job

    with suggest_check(data):
        comparison = job.compare(
            models, data, split=split, report=report, progress=TerminalProgress(), **options
        )
    if json is not None:
        comparison.write_json(json)
    results.print(comparison_table(comparison))
    for line in (*comparison.verdicts(), *comparison.notes):
        results.print(line, markup=False)
    for path in filter(None, (report and report / "compare.html", json)):
        results.print(f"written: {path}", markup=False)
    if report is None and data is not None:
        again = ("compare", *models, "--data", data, "--report", "compared")
        print_next((again, "the same with pictures"))
    else:
        print_next((("predict", models[0], "photo.jpg"), "label your images"))
