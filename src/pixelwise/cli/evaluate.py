"""`pixelwise evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from pixelwise.jobs.evaluate import Evaluation


def evaluate(
    model: Annotated[Path, typer.Argument(help="Run folder or model file.")],
    data: Annotated[Path, typer.Argument(help="Folder of images and masks.")],
    split: Annotated[str | None, typer.Option(help="train, val or test; test where there is one.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML page with pictures to this folder.")] = None,
    format: Annotated[str, typer.Option(help="auto, or one of the formats in docs/formats.md.")] = "auto",
    seed: Annotated[int, typer.Option(help="Of the split, as in training.")] = 0,
    threshold: Annotated[int, typer.Option(help="Alpha mattes: the value from which a pixel is person.")] = 1,
    skip_unpaired: Annotated[bool, typer.Option("--skip-unpaired", help="Leave out images without mask.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Score a model on whole images, pooled over all pixels that are not void."""
    from pixelwise.cli.console import TerminalMonitor, results
    from pixelwise.data.sample import DataOptions
    from pixelwise.inference.load import load
    from pixelwise.jobs import evaluate as job

    options = DataOptions(format=format, seed=seed, matte_threshold=threshold, skip_unpaired=skip_unpaired)
    predictor = load(model, device=device)
    found = job.evaluate(predictor, data, split=split, options=options, report=report, monitor=TerminalMonitor())
    if json is not None:
        found.write_json(json)
    results.print(_table(found))
    results.print(
        "Figures of classes are pooled over all pixels; void counts nowhere; absent classes (-) are left out of"
    )
    results.print(
        "means. The 95 % intervals are by bootstrap over images: what other images of the same source may give."
    )
    worst = ", ".join(f"{name} {_figure(value)}" for name, value in found.by_image[:3])
    results.print(f"Lowest mean IoU of single images: {worst}", markup=False)


def _table(found: "Evaluation") -> "Table":
    from rich.table import Table

    scores = found.scores
    columns = ("class", "IoU", "95 %", "precision", "recall", "Dice")
    table = Table(*columns, title=f"{found.split}: {scores.images} images")
    figures = zip(scores.iou, scores.precision, scores.recall, scores.dice, strict=True)
    for name, interval, (iou, *others) in zip(found.classes.names, found.iou_intervals, figures, strict=True):
        table.add_row(name, _figure(iou), _range(interval), *map(_figure, others))
    table.add_section()
    for name, value in (
        ("mean IoU", scores.mean_iou),
        ("pixel accuracy", scores.pixel_accuracy),
        ("mean accuracy", scores.mean_accuracy),
        ("frequency weighted IoU", scores.frequency_weighted_iou),
        ("void fraction", scores.void_fraction),
    ):
        table.add_row(name, _figure(value), _range(found.mean_iou_interval) if name == "mean IoU" else "")
    return table


def _range(interval: tuple[float, float]) -> str:
    low, high = map(_figure, interval)
    return "-" if low == "-" else f"{low} to {high}"


def _figure(value: float) -> str:
    return "-" if value != value else f"{value:.4f}"  # noqa: PLR0124
