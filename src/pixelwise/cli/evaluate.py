"""`pixelwise evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelwise.cli.options_from import OUTPUT, OptionSource, options_from
from pixelwise.cli.shared_options import (
    INSTANCES,
    READ_AS_TRAINED,
    Device,
    Json,
    Model,
    OnCluster,
    OtherModels,
    Report,
    Split,
    Workers,
    check_cluster_options,
    join_model_arguments,
    name_models,
    suggest_check,
    suggest_skip_broken,
)
from pixelwise.config_fields import select_fields
from pixelwise.datasets.options import DataOptions
from pixelwise.errors import ConfigError
from pixelwise.inference.predict_options import PredictOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pixelwise.cluster.evaluate_job import ClusterExecutor
    from pixelwise.inference.layer_predictor import LayerPredictor
    from pixelwise.inference.predictor import Predictor

LABELS = "Labels"

Data = Annotated[
    Path | None,
    typer.Argument(metavar="DATA", help="Folder of images and masks.", show_default=False),
]

Calibrate = Annotated[
    bool,
    typer.Option(
        "--calibrate",
        help="Fit a temperature on the validation split, and show what it improves.",
        rich_help_panel=OUTPUT,
    ),
]
Calibrated = Annotated[
    Path | None,
    typer.Option(
        help="Write the model with that temperature to this file.", rich_help_panel=OUTPUT
    ),
]
Ways = Annotated[
    bool,
    typer.Option(
        "--ways",
        help="Try --tta and sizes on val instead, and print which are worth their time.",
        rich_help_panel=LABELS,
    ),
]

Objects = Annotated[
    bool,
    typer.Option(
        "--objects",
        help="Also count and match the objects: precision, recall, F1 and panoptic quality.",
        rich_help_panel=LABELS,
    ),
]
SplitTouching = Annotated[
    bool,
    typer.Option(
        "--split-touching",
        help="Part predicted objects that touch, as predict does (extra objects).",
        rich_help_panel=LABELS,
    ),
]


@suggest_skip_broken()
@options_from(
    READ_AS_TRAINED,
    INSTANCES,
    OptionSource(PredictOptions, ("tta", "scales", "largest"), panel=LABELS),
)
def evaluate(
    model: Model,
    data: Data = None,
    others: OtherModels = None,
    split: Split = None,
    json: Json = None,
    report: Report = None,
    calibrate: Calibrate = False,
    calibrated: Calibrated = None,
    ways: Ways = False,
    objects: Objects = False,
    split_touching: SplitTouching = False,
    device: Device = "auto",
    cluster: OnCluster = None,
    workers: Workers = None,
    **options: Any,
) -> None:
    """Score a model, or the average of several, on whole images, pooled over all pixels that are
    not void.
    """
    from pixelwise.cli.console import TerminalProgress, results
    from pixelwise.cli.tables import evaluation_report
    from pixelwise.evaluation import calibrate as calibration
    from pixelwise.evaluation import scoring as job
    from pixelwise.evaluation.data_options import training_data_options
    from pixelwise.inference.layer_predictor import LayerPredictor
    from pixelwise.inference.load import load

    models, rest = join_model_arguments(model, others, [] if data is None else [str(data)])
    data = _only(rest)
    check_cluster_options(cluster, models, workers=workers)
    predict_options = {"scales": (), "largest": (), **select_fields(options, PredictOptions)}
    if ways:
        ignored: dict[str, object] = {"objects": objects, "json": json, "report": report}
        ignored |= {"tta": predict_options["tta"], "scale": predict_options["scales"]}
        ignored |= {"largest": predict_options["largest"], "cluster": cluster}
        _check_alone({**ignored, "calibrate": calibrate, "calibrated": calibrated})
    _check_one_model(models, ways=ways, calibrated=calibrated)
    if calibrated is not None:
        calibration.check_calibrated(models[0], calibrated)  # before minutes of work, not after
    predictor = load(models, device=device, layers=True).always(**predict_options)
    if ways or calibrate or calibrated or objects or split_touching or cluster is not None:
        predictor.check_one_class()
    reading = training_data_options(predictor, **select_fields(options, DataOptions))
    progress = TerminalProgress()
    if ways:
        _print_ways(predictor, data, split or "val", reading)
        return
    if isinstance(predictor, LayerPredictor):
        _print_layers(predictor, data, split, reading, report, json)
        return
    executor = None
    if cluster is not None:
        data = data.absolute()  # workers may have other working folders
        executor = _make_executor(models[0], device, cluster, workers, predict_options)
    temperature = None
    with suggest_check(data):
        if calibrate or calibrated is not None:
            temperature = calibration.find_temperature(
                predictor, data, options=reading, progress=progress
            )
        evaluation = job.evaluate(
            predictor,
            data,
            split=split,
            options=reading,
            report=report,
            temperature=temperature,
            objects=objects,
            split_touching=split_touching,
            executor=executor,
            progress=progress,
        )
    if json is not None:
        evaluation.write_json(json)
    if calibrated is not None and temperature is not None:
        calibration.write_calibrated(models[0], calibrated, temperature)
    for part in evaluation_report(evaluation):
        results.print(part, markup=False)
    _print_places(models, data, report, json, calibrated)


def _only(rest: list[str]) -> Path:
    """The one data set that is left beside the models."""
    data, *more = rest
    if more:
        raise ConfigError(
            f"one data set is scored, but {', '.join(rest)} are named: give all models but the "
            "first with --model"
        )
    return Path(data)


def _check_one_model(models: list[Path], *, ways: bool, calibrated: Path | None) -> None:
    """Raises ConfigError for what is made for one model alone."""
    if len(models) > 1 and (ways or calibrated):
        option = "--ways" if ways else "--calibrated"
        raise ConfigError(f"{option} takes one model, and {len(models)} are given")


def _print_places(
    models: list[Path],
    data: Path,
    report: Path | None,
    json: Path | None,
    calibrated: Path | None,
) -> None:
    """Print what was written, and what may come next."""
    from pixelwise.cli.console import print_next, results

    page = report and report / "report.html"
    for path in filter(None, (page, json, calibrated)):
        results.print(f"written: {path}", markup=False)
    steps: list[tuple[tuple[object, ...], str]] = []
    first, *more = name_models(models)
    if page is None:
        again = ("evaluate", first, data, *more, "--report", "report")
        steps.append((again, "the same with pictures"))
    if not more:
        steps.append((("suspects", first, data, "--out", "suspects"), "labels that may be wrong"))
        steps.append((("compare", first, "OTHER", "--data", data), "is another model better?"))
    print_next(*steps)


def _make_executor(
    model: Path,
    device: str,
    address: str,
    workers: int | None,
    predict_options: "Mapping[str, Any]",
) -> "ClusterExecutor":
    from pixelwise.cluster.engine import Cluster
    from pixelwise.cluster.evaluate_job import ClusterExecutor

    return ClusterExecutor(model, {"device": device}, Cluster(address, workers), predict_options)


def _print_ways(predictor: "Predictor", data: Path, split: str, reading: DataOptions) -> None:
    from pixelwise.cli.console import TerminalProgress, results
    from pixelwise.cli.tables import ways_report
    from pixelwise.evaluation.tune_inference import tune_inference

    with suggest_check(data):
        ways = tune_inference(
            predictor, data, split=split, options=reading, progress=TerminalProgress()
        )
    for part in ways_report(ways, split):
        results.print(part, markup=False)


def _print_layers(
    predictor: "LayerPredictor",
    data: Path,
    split: str | None,
    reading: DataOptions,
    report: Path | None,
    json: Path | None,
) -> None:
    """Score a model of overlapping classes."""
    from pixelwise.cli.console import TerminalProgress, results
    from pixelwise.cli.tables import layer_report
    from pixelwise.evaluation.score_layers import evaluate_layers

    progress = TerminalProgress()
    with suggest_check(data):
        scores = evaluate_layers(
            predictor, data, split=split, options=reading, report=report, progress=progress
        )
    if json is not None:
        scores.write_json(json)
    for part in layer_report(scores):
        results.print(part, markup=False)
    for path in filter(None, (report and report / "report.html", json)):
        results.print(f"written: {path}", markup=False)


def _check_alone(options: "Mapping[str, object]") -> None:
    """Raises ConfigError for an option that --ways ignores."""
    names = ", ".join(f"--{name}" for name, value in options.items() if value)
    if names:
        raise ConfigError(f"--ways tries ways to predict and writes nothing: leave out {names}")
