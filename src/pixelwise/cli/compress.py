"""`pixelwise compress`."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelwise.cli.options_from import OUTPUT, OptionSource, options_from
from pixelwise.cli.run_folders import reserve_run_folder
from pixelwise.cli.shared_options import Model
from pixelwise.training.config import TrainConfig

if TYPE_CHECKING:
    from rich.table import Table

    from pixelwise.export.compress import Measured

Data = Annotated[
    Path | None,
    typer.Option(help="Labelled data, where it is not what the run was trained on."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Run folder of the small model. By default the first free of runs/1, runs/2 and so "
        "on.",
        rich_help_panel=OUTPUT,
    ),
]


@options_from(
    OptionSource(
        TrainConfig,
        ("size", "epochs", "minutes", "unlabelled", "teacher_weight", "device"),
        unset=True,
    ),
)
def compress(model: Model, data: Data = None, out: Out = None, **options: Any) -> None:
    """Make a small, fast model of a good one: a smaller network learns from it, is quantised to
    8-bit integers, and both are measured beside it.
    """
    from pixelwise.cli.console import TerminalProgress, messages, print_next, results
    from pixelwise.export.compress import compress as job

    explicit = {name: value for name, value in options.items() if value is not None}
    with nullcontext(out) if out else reserve_run_folder() as run:
        messages.print(f"run folder: {run}", markup=False)
        rows = job(model, run, data=data, progress=TerminalProgress(), **explicit)
    results.print(_table(rows))
    best = rows[-1].path
    print_next(
        (("predict", best, "photo.jpg"), "label your images"),
        (("compare", model, run), "where the two differ"),
    )


def _table(rows: "list[Measured]") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table("model", "mean IoU", "lost, 95 %", "ms a picture", "MiB", box=SIMPLE_HEAD)
    for row in rows:
        lost = ""
        if row.lost is not None:
            lost = f"{row.lost.value:.3f} ({row.lost.low:.3f} to {row.lost.high:.3f})"
        table.add_row(
            row.name,
            f"{row.mean_iou:.3f}",
            lost,
            f"{row.milliseconds:.0f}",
            f"{row.mebibytes:.1f}",
        )
    return table
