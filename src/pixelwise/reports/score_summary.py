"""What a page tells of an evaluation."""

from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup

from pixelwise.metrics.boundary import BoundaryScores
from pixelwise.metrics.calibration import Reliability
from pixelwise.metrics.confusion import Figures, Scores, nan_mean, safe_divide
from pixelwise.metrics.error_analysis import BySize, NearBorders
from pixelwise.metrics.layer_counts import LayerScores
from pixelwise.metrics.object_matching import ObjectScores
from pixelwise.metrics.tree_scores import ParentScore
from pixelwise.reports.charts import render_confusion_matrix, render_reliability
from pixelwise.reports.render import format_percent

WORST_IMAGES = 20


@dataclass(frozen=True)
class Figure:
    """A figure in [0, 1], NaN or None where there is none, and what it is."""

    name: str
    value: float | None
    meaning: str = ""


@dataclass(frozen=True)
class ScoreSummary:
    """The figures of an evaluation over the classes `classes`; a part is None, or empty, where it
    was not measured.

    `calibrated` is the reliability at `temperature`. Intervals are 95 %, lower and upper bound.
    `by_image` holds each image's own mean IoU, the lowest first, NaN where all of it is void.
    """

    classes: tuple[str, ...]
    scores: Scores | LayerScores
    boundary: BoundaryScores | None = None
    near_borders: NearBorders | None = None
    by_size: BySize | None = None
    reliability: Reliability | None = None
    temperature: float | None = None
    calibrated: Reliability | None = None
    mean_iou_interval: tuple[float, float] = (float("nan"), float("nan"))
    iou_intervals: tuple[tuple[float, float], ...] = ()
    by_image: tuple[tuple[str, float], ...] = field(default=())
    objects: ObjectScores | None = None
    parents: tuple[ParentScore, ...] = ()

    def tiles(self) -> list[Figure]:
        """The figures to see first."""
        low, high = self.mean_iou_interval
        interval = "" if np.isnan(low) else f"95 %: {format_percent(low)} to {format_percent(high)}"
        boundary_iou = nan_mean(self.boundary.iou) if self.boundary else None
        error = self.reliability.error if self.reliability else None
        return [
            Figure("Mean IoU", self.scores.mean_iou, interval),
            Figure("Pixel accuracy", self.scores.pixel_accuracy, "pooled over all pixels"),
            Figure("Boundary IoU", boundary_iou, "mean over the classes"),
            Figure("Calibration error", error, "confidence is off by so much"),
        ]

    def totals(self) -> list[Figure]:
        """Every figure of all classes together."""
        scores = self.scores
        mean = "the mean over the classes of their IoU, pooled over all pixels"
        figures = [Figure("Mean IoU", scores.mean_iou, mean)]
        if isinstance(scores, LayerScores):
            decisions = "the share of all decisions, one for each pixel and class, that are right"
            return [*figures, Figure("Pixel accuracy", scores.pixel_accuracy, decisions)]
        figures += [
            Figure(
                "Pixel accuracy",
                scores.pixel_accuracy,
                "pooled: the share of all pixels that are right",
            ),
            Figure(
                "Mean accuracy",
                scores.mean_accuracy,
                "the mean over the classes of the share of their pixels that are right (recall)",
            ),
            Figure(
                "Frequency weighted IoU",
                scores.frequency_weighted_iou,
                "IoU weighted by how many pixels each class has",
            ),
        ]
        if self.boundary:
            figures += [
                Figure(
                    "Mean boundary IoU",
                    nan_mean(self.boundary.iou),
                    "as mean IoU, of the pixels near outlines alone",
                ),
                Figure(
                    "Mean boundary F",
                    nan_mean(self.boundary.f),
                    "the mean over the classes of how well outlines lie on each other",
                ),
            ]
        return figures

    def columns(self) -> dict[str, Figures]:
        """The figures by class beside IoU, by the name of their column."""
        columns = {
            "precision": self.scores.precision,
            "recall": self.scores.recall,
            "Dice": self.scores.dice,
        }
        if self.boundary:
            columns["boundary IoU"] = self.boundary.iou
            columns["boundary F"] = self.boundary.f
        return columns

    def confusion_chart(self) -> Markup | None:
        """The confusion matrix as an SVG, with a last column for predictions of none of the classes
        where there are any; None without counts and where classes overlap.
        """
        if isinstance(self.scores, LayerScores):
            return None
        counts = self.scores.counts  # (C, C + 1): the last column holds predictions of none
        if not counts[:, :-1].any():
            return None
        columns = (*self.classes, "none of them")
        if not counts[:, -1].any():
            counts = counts[:, :-1]
            columns = self.classes
        totals = np.broadcast_to(counts.sum(1, keepdims=True), counts.shape)
        return render_confusion_matrix(safe_divide(counts, totals), self.classes, columns)

    def calibrations(self) -> dict[str, Reliability]:
        """Before and, where a temperature was fitted, after calibration."""
        calibrations = {}
        if self.reliability:
            calibrations["as it is"] = self.reliability
        if self.calibrated and self.temperature is not None:
            calibrations[f"at temperature {self.temperature:.2f}"] = self.calibrated
        return calibrations

    def reliability_chart(self) -> Markup:
        """Confidence against the share right as an SVG."""
        return render_reliability(self.calibrations())

    def worst_images(self) -> list[tuple[str, float]]:
        """Name and mean IoU of the images with the lowest of their own."""
        return [(name, value) for name, value in self.by_image if not np.isnan(value)][
            :WORST_IMAGES
        ]
