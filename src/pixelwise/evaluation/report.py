"""The pages of a run and of an evaluation."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.datasets.types import DataSet, Pair
from pixelwise.evaluation.result import Evaluation
from pixelwise.inference.predictor import Predictor
from pixelwise.reports.report_page import Picture, write_report
from pixelwise.reports.samples import Gallery, draw_sample

# Pictures shown of the lowest mean IoU, and as many of the highest.
SAMPLES = 4


def write_evaluation_page(
    path: Path,
    evaluation: Evaluation,
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
    validation: tuple[Evaluation, Predictor, DataSet, Sequence[Pair]] | None,
) -> None:
    """Write report.html of a run from its record, and from what its best model does on the
    validation images.
    """
    # the samples of the last best epoch stand in for the gallery where nothing was scored
    pictures = [Picture("Loss and scores by epoch", run / "curves.png", is_chart=True)]
    if validation is None:
        pictures.append(Picture("Validation images", run / "samples.png"))
    write_report(
        run / "report.html",
        title=run.name,
        facts=_list_facts(record),
        scores=validation and validation[0].summary(),
        pictures=pictures,
        gallery=validation and make_gallery(*validation),
        tables=[("Configuration", ("setting", "value", "why"), _list_settings(record))],
        notes=record["data"]["notes"],
    )


def make_gallery(
    evaluation: Evaluation,
    model: Predictor,
    dataset: DataSet,
    pairs: Sequence[Pair],
) -> Gallery:
    """The images of the lowest, then those of the highest mean IoU of their own."""
    match = evaluation.class_match
    by_name = {pair.name: pair for pair in pairs}
    samples = []
    for name, mean_iou in _choose_images(evaluation).items():
        prediction = model.predict(by_name[name].image)
        size = prediction.labels.shape
        truth = match.truth(dataset.read_labels, by_name[name], size, prediction.valid)
        picture = (prediction.rgb, truth, match.from_model[prediction.labels])
        title = f"{name}: mean IoU {mean_iou:.1%}"
        samples.append(draw_sample(title, picture, prediction.confidence, match.classes))
    return Gallery.of(match.classes, samples)


def _choose_images(evaluation: Evaluation) -> dict[str, float]:
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
