"""Metrics of parts of the images, merged, against those of all images together."""

from pathlib import Path

import numpy as np
import pytest

from pixelwise.classes import Classes
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.evaluation.class_match import match_classes
from pixelwise.evaluation.result import MetricAccumulator
from pixelwise.evaluation.scoring import summarize
from pixelwise.inference.predictor import Predictor

NAMES = ("background", "circle", "square", "triangle")


def brightness(rgb: np.ndarray) -> np.ndarray:
    """The class is the red channel's quarter, and not quite sure."""
    return np.stack([2.0 * (rgb[:, 0] // 64 == k) for k in range(4)], axis=1).astype(np.float32)


@pytest.mark.parametrize("temperature", [None, 2.0])
def test_merged_metrics_are_those_of_all_images(shapes: Path, temperature: float | None) -> None:
    dataset = open_dataset(shapes)
    model = Predictor(brightness, Classes.named(NAMES))
    match = match_classes(model.classes, dataset.classes)
    pairs = dataset.pairs("test")
    together = MetricAccumulator.create(4, temperature)
    parts = []
    for pair in pairs:
        prediction = model.predict(pair.image, scores="logits")
        truth = match.truth(dataset.read_labels, pair, prediction.labels.shape)
        part = MetricAccumulator.create(4, temperature)
        for metrics in (together, part):
            metrics.update(truth, prediction.labels, prediction)
        parts.append(part)
    names = [pair.name for pair in pairs]
    merged = summarize(parts, match, "test", names)
    whole = summarize([together], match, "test", names)
    assert merged.scores.images == len(pairs)
    assert merged.as_dict() == whole.as_dict()
    assert (merged.scores.counts == whole.scores.counts).all()
    assert merged.summary().by_image == whole.by_image
    assert repr(whole).startswith(f"<Evaluation on test: mean IoU {whole.scores.mean_iou:.4f} (")
    table = whole._repr_html_()
    assert f"<tr><th>circle</th><td>{whole.scores.iou[1]:.4f}</td>" in table
    assert table.count("<tr>") == 1 + len(NAMES)
    by_id = whole.scores._repr_html_()
    assert f"<tr><th>1</th><td>{whole.scores.iou[1]:.4f}</td>" in by_id
    assert f"{len(pairs)} images, mean IoU {whole.scores.mean_iou:.4f}" in by_id
