"""The pages of a run and of an evaluation."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixelwise.datasets.types import DataSet, Pair
from pixelwise.evaluation.result import Evaluation
from pixelwise.inference.predictor import Predictor
from pixelwise.reports.page import Setting, write_report
from pixelwise.reports.samples import Gallery, sample

SAMPLES = 4
"""Pictures shown of the lowest mean IoU, and as many of the highest."""


def evaluation_page(path: Path, found: Evaluation, model: Predictor, dataset: DataSet) -> None:
    """Write the page of an evaluation of `model` on one split of `dataset`."""
    pairs = dataset.pairs(found.split)
    data = f"{dataset.root} ({dataset.format}); {found.split}, {len(pairs)} images"
    write_report(
        path,
        title=f"Evaluation on {found.split}",
        facts=[("Model", model.name), ("Data", data), ("Classes", ", ".join(found.classes.names))],
        scores=found.as_dict(),
        pictures=[],
        gallery=_gallery(found, model, dataset, pairs),
        notes=found.notes,
    )


def run_page(
    run: Path,
    record: dict[str, Any],
    validation: tuple[Evaluation, Predictor, DataSet, Sequence[Pair]] | None,
) -> None:
    """Write report.html of a run from its record, and from what its best model does on the
    validation images.
    """
    pictures = [("Loss and scores by epoch", run / "curves.png")]
    if validation is None:
        pictures.append(("Validation images", run / "samples.png"))
    write_report(
        run / "report.html",
        title=run.name,
        facts=_facts(record),
        scores=validation and validation[0].as_dict(),
        pictures=pictures,
        gallery=validation and _gallery(*validation),
        settings=_settings(record),
        notes=record["data"]["notes"],
    )


def _gallery(
    found: Evaluation, model: Predictor, dataset: DataSet, pairs: Sequence[Pair]
) -> Gallery:
    """The images of the lowest, then those of the highest mean IoU of their own."""
    rated = [(name, value) for name, value in found.by_image if not math.isnan(value)]
    by_name = {pair.name: pair for pair in pairs}
    samples = []
    for name, value in dict([*rated[:SAMPLES], *rated[-SAMPLES:]]).items():
        result = model.predict(by_name[name].image)
        truth = found.shared.truth(dataset.read_labels, by_name[name], result.labels.shape)
        picture = result.rgb, truth, found.shared.from_model[result.labels]
        samples.append(
            sample(f"{name}: mean IoU {value:.1%}", picture, result.confidence, found.classes)
        )
    return Gallery.of(found.classes, samples)


def _facts(record: dict[str, Any]) -> list[tuple[str, str]]:
    best = record["result"]["best"]
    data = record["data"]
    scale = record["result"]["scale"]
    parts = ", ".join(f"{split} {count}" for split, count in data["images"].items())
    machine = record["machine"]
    return [
        (
            "Validation mean IoU",
            f"{best['val_mean_iou']:.4f} (best of {record['result']['epochs']} epochs, epoch "
            f"{best['epoch']})",
        ),
        ("Validation pixel accuracy", f"{best['val_pixel_accuracy']:.4f}"),
        *([("Predicts at scale", f"{scale['predict_scale']:g}: {scale['why']}")] if scale else []),
        ("Training time", f"{best['seconds'] / 60:.1f} minutes to the best epoch"),
        ("Data", f"{data['root']} ({data['format']}; {parts} images)"),
        ("Classes", ", ".join(data["classes"])),
        (
            "Machine",
            f"{machine['platform']}; cores {machine['cores']}, threads {machine['threads']}",
        ),
        ("Begun", record["started"]),
    ]


def _settings(record: dict[str, Any]) -> list[Setting]:
    reasons = record["reasons"]
    return [
        (
            key,
            " x ".join(map(str, value)) if isinstance(value, list | tuple) else str(value),
            reasons.get(key, ""),
        )
        for key, value in record["config"].items()
    ]
