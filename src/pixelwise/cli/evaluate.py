"""`pixelwise evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelwise.cli.options import (
    Device,
    Format,
    Largest,
    Model,
    OnCluster,
    Scale,
    Seed,
    SkipBroken,
    SkipUnpaired,
    Split,
    TrainedThreshold,
    Tta,
    Workers,
    naming_skip_broken,
    refuse_alone,
)
from pixelwise.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.table import Table

    from pixelwise.cluster.evaluate_job import ClusterScorer
    from pixelwise.datasets.types import DataOptions
    from pixelwise.evaluation.result import Evaluation
    from pixelwise.evaluation.tune_inference import InferenceSetting
    from pixelwise.inference.predictor import Predictor


@naming_skip_broken()
def evaluate(
    model: Model,
    data: Annotated[Path, typer.Argument(help="Folder of images and masks.")],
    split: Split = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML page with pictures to this folder.")
    ] = None,
    format: Format = "auto",
    seed: Seed = None,
    threshold: TrainedThreshold = None,
    skip_broken: SkipBroken = False,
    skip_unpaired: SkipUnpaired = False,
    tta: Tta = False,
    scale: Scale = None,
    largest: Largest = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Fit a temperature on the validation split.")
    ] = False,
    calibrated: Annotated[
        Path | None, typer.Option(help="Write the model with that temperature to this file.")
    ] = None,
    ways: Annotated[
        bool,
        typer.Option(
            "--ways", help="Try --tta and sizes on val instead, and say which are worth their time."
        ),
    ] = False,
    device: Device = "auto",
    cluster: OnCluster = None,
    workers: Workers = None,
) -> None:
    """Score a model on whole images, pooled over all pixels that are not void."""
    from pixelwise.cli.console import TerminalProgress
    from pixelwise.evaluation import calibrate as calibration
    from pixelwise.evaluation import scoring as job
    from pixelwise.evaluation.data_options import training_data_options
    from pixelwise.inference.load import load

    refuse_alone(cluster, workers=workers)
    if ways:
        other = {
            "json": json,
            "report": report,
            "tta": tta,
            "scale": scale,
            "largest": largest,
            "cluster": cluster,
        }
        _refuse_beside_ways({**other, "calibrate": calibrate, "calibrated": calibrated})
    if calibrated is not None:
        calibration.check_not_exported(model)
    always: dict[str, Any] = {
        "tta": tta,
        "scales": tuple(scale or ()),
        "largest": tuple(largest or ()),
    }
    predictor = load(model, device=device).always(**always)
    skipped = {"skip_unpaired": skip_unpaired, "skip_broken": skip_broken}
    options = training_data_options(
        predictor, format=format, seed=seed, matte_threshold=threshold, **skipped
    )
    if ways:
        _print_ways(predictor, data, split or "val", options)
        return
    progress = TerminalProgress()
    fitted = None
    scorer = None
    if cluster is not None:
        data = data.absolute()  # workers may stand in other folders
        scorer = _on_cluster(model, device, cluster, workers, always)
    if calibrate or calibrated is not None:
        fitted = calibration.find_temperature(predictor, data, options=options, progress=progress)
    found = job.evaluate(
        predictor,
        data,
        split=split,
        options=options,
        report=report,
        temperature=fitted,
        scorer=scorer,
        progress=progress,
    )
    if json is not None:
        found.write_json(json)
    if calibrated is not None and fitted is not None:
        calibration.write_calibrated(model, calibrated, fitted)
    _print(found)


def _on_cluster(
    model: Path, device: str, address: str, workers: int | None, always: "Mapping[str, Any]"
) -> "ClusterScorer":
    from pixelwise.cluster.engine import Cluster
    from pixelwise.cluster.evaluate_job import ClusterScorer

    return ClusterScorer(model, {"device": device}, Cluster(address, workers), always)


def _print(found: "Evaluation") -> None:
    from pixelwise.cli.console import results

    results.print(_by_class(found))
    results.print(_totals(found))
    for line in _lines(found):
        results.print(line, markup=False)


def _print_ways(predictor: "Predictor", data: Path, split: str, options: "DataOptions") -> None:
    from pixelwise.cli.console import TerminalProgress, results
    from pixelwise.evaluation.tune_inference import tune_inference

    for part in _of_ways(
        tune_inference(predictor, data, split=split, options=options, progress=TerminalProgress()),
        split,
    ):
        results.print(part)


def _refuse_beside_ways(given: "Mapping[str, object]") -> None:
    """Raises ConfigError for an option that --ways does not heed."""
    names = ", ".join(f"--{name}" for name, value in given.items() if value)
    if names:
        raise ConfigError(f"--ways tries ways to predict and writes nothing: leave out {names}")


def _of_ways(found: "list[InferenceSetting]", split: str) -> "Iterator[Table | str]":
    """The table, and what to make of it."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(*("work", "mean IoU", "gain, 95 %"), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("options", no_wrap=True)
    for way in found:
        gain = way.gain
        table.add_row(
            f"{way.work:.2f}",
            f"{way.mean_iou:.3f}",
            f"{gain.low:.3f} to {gain.high:.3f}" if way.options and gain.low == gain.low else "",
            way.options or "none",
        )
    yield table
    yield (
        "Work: pixels that the network sees, beside those without options, as is the gain in "
        "mean IoU. A "
        f"dearer way is named where it beats every cheaper one. Chosen on {split}, the best "
        "looks a little better than "
        "it is: score it on other images. predict takes the same options."
    )


def _lines(found: "Evaluation") -> "Iterator[str]":
    """What the table does not hold, and what its figures are."""
    metrics = found.metrics
    yield (
        "Figures of classes are pooled over all pixels; void counts nowhere; absent classes "
        "(-) are left out of means. "
        "The 95 % intervals are by bootstrap over images: what other images of the same "
        "source may give."
    )
    near = metrics.boundary.f_width
    far = metrics.boundary.iou_width
    yield (
        f"b. IoU is IoU of the pixels within {100 * far:.3g} % of the image's diagonal of an "
        "outline; b. F, of the "
        f"outlines themselves, met within {100 * near:.3g} %; both pooled."
    )
    error = f"expected calibration error {_figure(metrics.reliability.error)}, pooled over pixels"
    if metrics.temperature is not None:
        error += (
            f"; {_figure(metrics.calibrated.error)} at temperature "
            f"{metrics.temperature:.3f}, fitted on val"
        )
        error += ", the images scored here" * (found.split == "val")
    yield f"Confidence: {error}"
    border = {key: value or 0 for key, value in metrics.near_borders.rows()[1].items()}
    yield (
        f"Within {border['within']} pixels of a border of the truth lie "
        f"{border['of_wrong']:.1%} of the wrong pixels, "
        f"and {border['of_all']:.1%} of all"
    )
    confused = found.scores.most_confused(found.classes.names, 3)
    pairs = [
        f"{pair['truth']} as {pair['taken_for']} ({pair['share']:.1%} of {pair['truth']})"
        for pair in confused
    ]
    yield f"What costs the most pixels: {', '.join(pairs) or 'nothing'}"
    worst = ", ".join(f"{name} {_figure(value)}" for name, value in found.by_image[:3])
    yield f"Lowest mean IoU of single images: {worst}"


def _by_class(found: "Evaluation") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    scores = found.scores
    boundary = found.metrics.boundary
    columns = ("class", "IoU", "95 %", "prec.", "recall", "Dice", "b. IoU", "b. F")
    table = Table(
        *columns,
        title=f"{found.split}: {scores.images} images",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    figures = zip(
        scores.iou,
        scores.precision,
        scores.recall,
        scores.dice,
        boundary.iou,
        boundary.f,
        strict=True,
    )
    for name, interval, (iou, *others) in zip(
        found.classes.names, found.iou_intervals, figures, strict=True
    ):
        table.add_row(name, _figure(iou), _range(interval), *map(_figure, others))
    return table


def _totals(found: "Evaluation") -> "Table":
    from rich.table import Table

    from pixelwise.metrics.confusion import nan_mean

    scores = found.scores
    boundary = found.metrics.boundary
    table = Table(box=None, show_header=False)
    for name, value, what in (
        ("mean IoU", scores.mean_iou, f"over the classes; 95 %: {_range(found.mean_iou_interval)}"),
        ("pixel accuracy", scores.pixel_accuracy, "over all pixels"),
        ("mean accuracy", scores.mean_accuracy, "over the classes, of their recall"),
        (
            "frequency weighted IoU",
            scores.frequency_weighted_iou,
            "over the classes, by their true pixels",
        ),
        ("mean boundary IoU", nan_mean(boundary.iou), "over the classes"),
        ("mean boundary F", nan_mean(boundary.f), "over the classes"),
        ("void fraction", scores.void_fraction, "of all pixels"),
    ):
        table.add_row(name, _figure(value), what)
    return table


def _range(interval: tuple[float, float]) -> str:
    low, high = interval
    return "-" if low != low else f"{low:.3f}-{high:.3f}"  # noqa: PLR0124


def _figure(value: float) -> str:
    return "-" if value != value else f"{value:.4f}"  # noqa: PLR0124
