"""`pixelwise suspects`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pixelwise.cli.options_from import OUTPUT, options_from
from pixelwise.cli.output_names import free_path
from pixelwise.cli.shared_options import (
    DATA,
    INSTANCES,
    READ_AS_TRAINED,
    Images,
    Model,
    choice_option,
    suggest_check,
    suggest_skip_broken,
)

Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the lists, pictures and the page. By default suspects, or the first free "
        "of suspects-2 and so on.",
        rich_help_panel=OUTPUT,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        help="Only this split; by default all that the model was not trained on.",
        rich_help_panel=DATA,
    ),
]
Top = Annotated[
    int,
    typer.Option(
        help="Number of regions to show, and to hand over with --to.", rich_help_panel=OUTPUT
    ),
]
To = Annotated[
    str | None,
    choice_option(("labelme", "cvat"), "Also write the images and labels for this editor.", OUTPUT),
]


@suggest_skip_broken()
@options_from(READ_AS_TRAINED, INSTANCES)
def suspects(
    model: Model,
    data: Images,
    out: Out = None,
    split: Split = None,
    top: Top = 50,
    to: To = None,
    **options: Any,
) -> None:
    """Rank regions and images by how likely their label is wrong. The data is not changed."""
    from pixelwise.cli.console import TerminalProgress, print_next, results
    from pixelwise.cli.tables import label_issues_table
    from pixelwise.evaluation import find_label_issues as job

    out = out or free_path(Path("suspects"))
    progress = TerminalProgress()
    # The terminal shows ISSUES at most; `top` is for the page.
    with suggest_check(data):
        issues = job.find_label_issues(
            model, data, out=out, split=split, top=top, to=to, progress=progress, **options
        )
    results.print(label_issues_table(issues, top))
    for line in issues.notes:
        results.print(line, markup=False)
    results.print(
        f"{len(issues.issues):,} regions in {out / 'suspects.csv'}; see {out / 'suspects.html'}",
        markup=False,
    )
    steps: list[tuple[tuple[object, ...], str]] = [
        (("label", data, "--queue", out / "suspects.csv"), "correct them in the browser"),
        (("check", data), "faults that need no model"),
    ]
    if to is not None:
        steps.insert(0, (("convert", out / to, f"{out}-corrected", "--to", "folder"), "when done"))
    print_next(*steps)
