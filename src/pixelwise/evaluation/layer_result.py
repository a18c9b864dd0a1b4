"""What an evaluation of overlapping classes measures, as figures and as JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pixelwise.classes import Classes
from pixelwise.evaluation.result import PER_IMAGE
from pixelwise.io.atomic import write_text
from pixelwise.metrics.confusion import Counts, json_number
from pixelwise.metrics.layer_counts import LayerScores
from pixelwise.reports.score_summary import ScoreSummary


@dataclass(frozen=True)
class LayerEvaluation:
    """Scores of overlapping classes that model and data set share, and what was evaluated.

    Intervals are 95 %, lower and upper bound. `by_image` holds each image's own mean IoU, worst
    first, and `counts` its pixels (3, C): right, true, predicted. `thresholds` are the model's.
    """

    scores: LayerScores
    classes: Classes
    split: str
    thresholds: tuple[float, ...]
    notes: tuple[str, ...]
    mean_iou_interval: tuple[float, float]
    iou_intervals: tuple[tuple[float, float], ...]
    by_image: tuple[tuple[str, float], ...]
    counts: Mapping[str, Counts]

    def __repr__(self) -> str:
        figures = zip(self.classes.names, self.scores.iou, strict=True)
        by_class = ", ".join(f"{name} {value:.3f}" for name, value in figures)
        mean = self.scores.mean_iou
        return f"<LayerEvaluation on {self.split}: mean IoU {mean:.4f} ({by_class})>"

    def _repr_html_(self) -> str:
        """A table by class, which a notebook shows."""
        return self.scores.as_html(self.classes.names, self.split)

    def summary(self) -> ScoreSummary:
        """What a page tells of it."""
        return ScoreSummary(
            self.classes.names,
            self.scores,
            mean_iou_interval=self.mean_iou_interval,
            iou_intervals=self.iou_intervals,
            by_image=self.by_image,
        )

    def as_dict(self) -> dict[str, object]:
        """JSON values: scores, thresholds, 95 % intervals, each image's mean IoU (worst first),
        split and notes.
        """
        names = self.classes.names
        intervals = zip(names, self.iou_intervals, strict=True)
        return {
            **self.scores.as_dict(names),
            "multilabel": True,
            "thresholds": dict(zip(names, self.thresholds, strict=True)),
            "mean_iou_95": [json_number(bound) for bound in self.mean_iou_interval],
            "iou_95": {name: [json_number(bound) for bound in pair] for name, pair in intervals},
            "mean_iou_by_image": [
                {
                    "image": name,
                    "mean_iou": json_number(value),
                    **dict(zip(PER_IMAGE, self.counts[name].tolist(), strict=True)),
                }
                for name, value in self.by_image
            ],
            "split": self.split,
            "notes": list(self.notes),
        }

    def write_json(self, path: Path) -> None:
        """Write `as_dict` as a JSON file."""
        write_text(path, json.dumps(self.as_dict(), indent=2) + "\n")
