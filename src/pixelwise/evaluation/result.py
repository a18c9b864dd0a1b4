"""What an evaluation measures, as figures and as JSON."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.classes import VOID, Classes, read_labels
from pixelwise.datasets.class_tree import prune_tree
from pixelwise.evaluation.class_match import ClassMatch
from pixelwise.inference.predictor import Result
from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array
from pixelwise.io.reading_notes import ReadingSummary
from pixelwise.metrics.alpha_error import AlphaError
from pixelwise.metrics.bootstrap import PerImage
from pixelwise.metrics.boundary import BoundaryScores
from pixelwise.metrics.calibration import Reliability
from pixelwise.metrics.confusion import ConfusionMatrix, Counts, Scores, json_number
from pixelwise.metrics.error_analysis import BySize, NearBorders
from pixelwise.metrics.object_matching import ObjectScores
from pixelwise.metrics.tree_scores import ParentScore, score_parents
from pixelwise.reports.score_summary import ScoreSummary

# Pixels by class that the JSON file holds of each image, for `compare`.
PER_IMAGE = ("right", "true", "predicted")

# Rows of logits whose softmax is computed at once, as float32 copies of a large picture take
# gigabytes.
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class MetricAccumulator:
    """Sums over images from which every figure follows. Of an image itself only three numbers a
    class are kept.

    `calibrated` is the reliability of the confidence at `temperature`, where one was given.
    """

    confusion: ConfusionMatrix
    images: PerImage
    boundary: BoundaryScores
    near_borders: NearBorders = field(default_factory=NearBorders)
    by_size: BySize = field(default_factory=BySize)
    reliability: Reliability = field(default_factory=Reliability)
    temperature: float | None = None
    calibrated: Reliability = field(default_factory=Reliability)
    reading: ReadingSummary = field(default_factory=ReadingSummary)
    objects: ObjectScores | None = None
    alpha: AlphaError | None = None

    @classmethod
    def create(
        cls,
        classes: int,
        temperature: float | None = None,
        *,
        objects: bool = False,
        alpha: bool = False,
    ) -> "MetricAccumulator":
        """Of no image yet; with `objects` and `alpha` these are measured too, by whoever has
        them.
        """
        return cls(
            ConfusionMatrix(classes),
            PerImage(classes),
            BoundaryScores(classes),
            temperature=temperature,
            objects=ObjectScores(classes) if objects else None,
            alpha=AlphaError() if alpha else None,
        )

    def update(self, truth: Array, labels: Array, prediction: Result) -> None:
        """Count one image: true and predicted ids (H, W) of the shared classes, and what the model
        predicted, with logits where there is a temperature.
        """
        self.reading.add(prediction.notes)
        counts = self.confusion.update(torch.from_numpy(truth), torch.from_numpy(labels))
        self.images.add(counts)
        self.boundary.update(truth, labels)
        self.near_borders.update(truth, labels)
        self.by_size.update(truth, labels)
        counted = truth != VOID
        right = (truth == labels)[counted]
        self.reliability.update(prediction.confidence[counted], right)
        if self.temperature is not None:
            confidence = _scaled_confidence(prediction.scores["logits"], self.temperature)
            self.calibrated.update(confidence[counted], right)

    def merge(self, other: "MetricAccumulator") -> None:
        """Count the images of `other` too, after those counted so far: the same figures as if they
        had been added here.
        """
        self.reading.merge(other.reading)
        self.confusion.merge(other.confusion)
        self.images.merge(other.images)
        self.boundary.merge(other.boundary)
        self.near_borders.merge(other.near_borders)
        self.by_size.merge(other.by_size)
        self.reliability.merge(other.reliability)
        self.calibrated.merge(other.calibrated)
        if self.objects is not None and other.objects is not None:
            self.objects.merge(other.objects)
        if self.alpha is not None and other.alpha is not None:
            self.alpha.merge(other.alpha)

    def as_dict(self, names: tuple[str, ...]) -> dict[str, object]:
        """JSON values of all but the confusion matrix and the images."""
        calibrated = None
        if self.temperature is not None:
            calibrated = self.calibrated.as_dict()
        return {
            **self.boundary.as_dict(names),
            "errors_near_borders": self.near_borders.rows(),
            "regions_by_size": self.by_size.rows(),
            "calibration": self.reliability.as_dict(),
            "temperature": self.temperature,
            "calibration_at_temperature": calibrated,
            **({} if self.alpha is None else {"alpha_error": self.alpha.mean}),
        }


@dataclass(frozen=True)
class Evaluation:
    """Scores over the classes that model and data set share, and what was evaluated.

    Intervals are 95 %, lower and upper bound. `by_image` holds each image's own mean IoU, worst
    first, and `counts` its pixels (3, C) as PER_IMAGE names them.
    """

    scores: Scores
    class_match: ClassMatch
    split: str
    metrics: MetricAccumulator
    mean_iou_interval: tuple[float, float] = (float("nan"), float("nan"))
    iou_intervals: tuple[tuple[float, float], ...] = ()
    by_image: tuple[tuple[str, float], ...] = ()
    counts: Mapping[str, Counts] = field(default_factory=dict)

    def __repr__(self) -> str:
        figures = zip(self.classes.names, self.scores.iou, strict=True)
        by_class = ", ".join(f"{name} {value:.3f}" for name, value in figures)
        return f"<Evaluation on {self.split}: mean IoU {self.scores.mean_iou:.4f} ({by_class})>"

    def _repr_html_(self) -> str:
        """A table by class, which a notebook shows."""
        return self.scores.as_html(self.classes.names, self.split)

    @property
    def classes(self) -> Classes:
        """Those that model and data set have by the same name."""
        return self.class_match.classes

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, and why."""
        return self.class_match.notes

    @property
    def parents(self) -> list[ParentScore]:
        """The figures of what is above the classes in their tree."""
        names = self.classes.names
        return score_parents(self.scores, names, prune_tree(self.classes.tree, names))

    def summary(self) -> ScoreSummary:
        """What a page tells of it."""
        metrics = self.metrics
        return ScoreSummary(
            self.classes.names,
            self.scores,
            boundary=metrics.boundary,
            near_borders=metrics.near_borders,
            by_size=metrics.by_size,
            reliability=metrics.reliability,
            temperature=metrics.temperature,
            calibrated=metrics.calibrated,
            mean_iou_interval=self.mean_iou_interval,
            iou_intervals=self.iou_intervals,
            by_image=self.by_image,
            objects=metrics.objects,
            parents=tuple(self.parents),
        )

    def as_dict(self) -> dict[str, object]:
        """JSON values: Scores, MetricAccumulator, 95 % intervals, each image's mean IoU (worst
        first), split and notes.
        """
        names = self.classes.names
        intervals = zip(names, self.iou_intervals, strict=False)
        return {
            **self.scores.as_dict(names),
            **self.metrics.as_dict(names),
            **self._objects_as_dict(),
            **self._tree_as_dict(),
            "mean_iou_95": [json_number(bound) for bound in self.mean_iou_interval],
            "iou_95": {
                name: [json_number(bound) for bound in bounds] for name, bounds in intervals
            },
            "mean_iou_by_image": [
                self._image_as_dict(name, mean_iou) for name, mean_iou in self.by_image
            ],
            "split": self.split,
            "notes": list(self.notes),
        }

    def _tree_as_dict(self) -> dict[str, object]:
        parents = {row.name: row.as_dict() for row in self.parents}
        return {"tree": parents} if parents else {}

    def _objects_as_dict(self) -> dict[str, object]:
        objects = self.metrics.objects
        if objects is None:
            return {}
        return {"objects": objects.as_dict(self.classes.names, tuple(self.counts))}

    def _image_as_dict(self, name: str, mean_iou: float) -> dict[str, object]:
        counts = dict(zip(PER_IMAGE, self.counts[name].tolist(), strict=True))
        return {"image": name, "mean_iou": json_number(mean_iou), **counts}

    def write_json(self, path: Path) -> None:
        """Write `as_dict` as a JSON file, each list of whole numbers on one line."""
        text = json.dumps(self.as_dict(), indent=2)
        # One number a line would make most of the file white space.
        text = re.sub(r"\[[\s\d,]+\]", lambda numbers: "".join(numbers[0].split()), text)
        write_text(path, text + "\n")


def _scaled_confidence(logits: NDArray[np.float16], temperature: float) -> NDArray[np.float32]:
    """(H, W) confidence of logits (C, H, W) divided by `temperature`."""
    parts = []
    for top in range(0, logits.shape[1], _ROWS_AT_ONCE):
        rows = logits[:, top : top + _ROWS_AT_ONCE].astype(np.float32)
        _, confidence = read_labels(rows / np.float32(temperature))
        parts.append(confidence)
    return np.concatenate(parts)
