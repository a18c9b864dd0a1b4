"""The pages of a run and of an evaluation."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.datasets.types import DataSet, Pair
from pixelwise.evaluation.layer_result import LayerEvaluation
from pixelwise.evaluation.result import Evaluation
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.predictor import Predictor
from pixelwise.io.images import Array, void_invalid
from pixelwise.reports.report_page import Picture, write_report
from pixelwise.reports.samples import Gallery, draw_sample
from pixelwise.reports.score_summary import ScoreSummary

# Pictures shown of the lowest mean IoU, and as many of the highest.
SAMPLES = 4


def write_evaluation_page(
    path: Path,
    evaluation: Evaluation | LayerEvaluation,
    model: Predictor,
    dataset: DataSet,
) -> None:
    """Write the page of an evaluation of `model` on one split of `dataset`."""
    split = evaluation.split
    pairs = dataset.pairs(split)
    write_report(
        path,
        title=f"Evaluation on {split}",
        facts=[
            ("Model", model.name),
            ("Data", f"{dataset.root} ({dataset.format}); {split}, {len(pairs)} images"),
            ("Classes", ", ".join(evaluation.classes.names)),
        ],
        scores=evaluation.summary(),
        gallery=make_gallery(evaluation, model, dataset, pairs),
        notes=evaluation.notes,
    )


def write_run_page(
    run: Path,
    record: dict[str, Any],
    validation: tuple[ScoreSummary, Gallery] | None,
) -> None:
    """Write report.html of a run from its record, and from what its best model does on the
    validation images: scores, and the pictures of `make_gallery`.
    """
    # the samples of the last best epoch stand in for the gallery where nothing was scored
    pictures = [Picture("Loss and scores by epoch", run / "curves.png", is_chart=True)]
    if validation is None:
        pictures.append(Picture("Validation images", run / "samples.png"))
    write_report(
        run / "report.html",
        title=run.name,
        facts=_list_facts(record),
        scores=validation and validation[0],
        pictures=pictures,
        gallery=validation and validation[1],
        tables=[("Configuration", ("setting", "value", "why"), _list_settings(record))],
        notes=record["data"]["notes"],
    )


def make_gallery(
    evaluation: Evaluation | LayerEvaluation,
    model: Predictor,
    dataset: DataSet,
    pairs: Sequence[Pair],
) -> Gallery:
    """The images of the lowest, then those of the highest mean IoU of their own."""
    by_name = {pair.name: pair for pair in pairs}
    samples = []
    for name, mean_iou in _choose_images(evaluation).items():
        if isinstance(evaluation, LayerEvaluation):
            picture = _predict_layers(evaluation, model, dataset, by_name[name])
            confidence = None
        else:
            picture, confidence = _predict(evaluation, model, dataset, by_name[name])
        title = f"{name}: mean IoU {mean_iou:.1%}"
        samples.append(draw_sample(title, picture, confidence, evaluation.classes))
    return Gallery.of(evaluation.classes, samples)


def _predict(
    evaluation: Evaluation, model: Predictor, dataset: DataSet, pair: Pair
) -> tuple[tuple[Array, Array, Array], NDArray[np.float32]]:
    """Image, truth and prediction in the shared classes, and the confidence."""
    match = evaluation.class_match
    prediction = model.predict(pair.image)
    size = prediction.labels.shape
    truth = match.truth(dataset.read_labels, pair, size, prediction.valid)
    picture = (prediction.rgb, truth, match.from_model[prediction.labels])
    return picture, prediction.confidence


def _predict_layers(
    evaluation: LayerEvaluation, model: Predictor, dataset: DataSet, pair: Pair
) -> tuple[Array, Array, Array]:
    """Image, and true and predicted layers of the shared classes."""
    assert isinstance(model, LayerPredictor)
    names = evaluation.classes.names
    prediction = model.predict_layers(pair.image)
    truth = void_invalid(dataset.read_labels(pair.mask), prediction.valid)
    theirs = [dataset.classes.names.index(name) for name in names]
    ours = [model.classes.names.index(name) for name in names]
    return prediction.rgb, truth[theirs], prediction.layers[ours]


def _choose_images(evaluation: Evaluation | LayerEvaluation) -> dict[str, float]:
    """Mean IoU by name of the worst and the best images, once each where there are few."""
    rated = []
    for name, mean_iou in evaluation.by_image:
        if not math.isnan(mean_iou):  # an image that is all void
            rated.append((name, mean_iou))
    return dict([*rated[:SAMPLES], *rated[-SAMPLES:]])


def _list_facts(record: dict[str, Any]) -> list[tuple[str, str]]:
    best = record["result"]["best"]
    epochs = record["result"]["epochs"]
    scale = record["result"]["scale"]
    data = record["data"]
    splits = ", ".join(f"{split} {count}" for split, count in data["images"].items())
    facts = [
        (
            "Validation mean IoU",
            f"{best['val_mean_iou']:.1%} (best of {epochs} epochs, epoch {best['epoch']})",
        ),
        ("Validation pixel accuracy", f"{best['val_pixel_accuracy']:.1%}"),
    ]
    if scale:
        facts.append(("Predicts at scale", f"{scale['predict_scale']:g}: {scale['why']}"))
    return [
        *facts,
        ("Training time", f"{best['seconds'] / 60:.1f} minutes to the best epoch"),
        ("Data", f"{data['root']} ({data['format']}; {splits} images)"),
        ("Classes", ", ".join(data["classes"])),
        ("Machine", _describe_machine(record["machine"])),
        ("Begun", record["started"]),
    ]


def _describe_machine(machine: Mapping[str, Any]) -> str:
    return f"{machine['platform']}; cores {machine['cores']}, threads {machine['threads']}"


def _list_settings(record: dict[str, Any]) -> list[tuple[str, str, str]]:
    reasons = record["reasons"]
    return [
        (name, _format_setting(value), reasons.get(name, ""))
        for name, value in record["config"].items()
        if value not in (None, "") or reasons.get(name)
    ]


def _format_setting(value: object) -> str:
    if isinstance(value, list | tuple):
        return " x ".join(map(str, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else str(value)
