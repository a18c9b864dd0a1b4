"""Scores of classes that overlap: each class by itself, over all pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixelwise.classes import VOID
from pixelwise.metrics.confusion import (
    Counts,
    Figures,
    json_number,
    nan_mean,
    safe_divide,
    scores_as_html,
)


class LayerCounts:
    """Of each class, over all pixels that are not void in its layer: how many are rightly of it,
    truly of it, predicted to be of it, and how many count: (4, C).
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.counts: Counts = np.zeros((4, classes), np.int64)
        self.images = 0
        self.pixels = 0

    def update(self, target: Tensor, layers: Tensor, *, images: int = 1) -> Counts:
        """Add pixels, and return their counts: `target` (N, C, H, W) of 0, 1 and void, `layers`
        (N, C, H, W) of 0 and 1, or both without N.
        """
        axes = (-1, -2) if target.ndim == 3 else (0, -1, -2)
        counted = target != VOID
        true = target == 1
        predicted = (layers > 0) & counted
        rows = (true & predicted, true, predicted, counted)
        added: Counts = torch.stack([row.sum(axes) for row in rows]).cpu().numpy()
        self.counts += added
        self.images += images
        self.pixels += target.numel()
        return added

    def merge(self, other: "LayerCounts") -> None:
        """Add the pixels of `other`."""
        self.counts += other.counts
        self.images += other.images
        self.pixels += other.pixels

    def scores(self) -> "LayerScores":
        """The figures of everything added so far."""
        void = 1 - self.counts[3].sum() / self.pixels if self.pixels else 0.0
        return LayerScores(self.counts.copy(), self.images, float(void))


@dataclass(frozen=True)
class LayerScores:
    """Figures pooled over all pixels, by class: its pixels against all others. A class absent from
    truth and prediction is NaN and left out of every mean.
    """

    counts: Counts  # (4, C)
    images: int
    void_fraction: float

    def as_html(self, names: Sequence[str], title: str = "scores") -> str:
        """A table by class, with its name."""
        return scores_as_html(
            self.columns(), names, f"{title}: {self.images} images", self.mean_iou
        )

    def columns(self) -> dict[str, Figures]:
        """The figures by class, by the name of their column."""
        return {
            "IoU": self.iou,
            "precision": self.precision,
            "recall": self.recall,
            "Dice": self.dice,
        }

    @property
    def iou(self) -> Figures:
        """Of the pixels that are truly or by the prediction of a class, the share that are both."""
        right, true, predicted, _ = self.counts
        return safe_divide(right, true + predicted - right)

    @property
    def dice(self) -> Figures:
        """2 right / (true + predicted), by class."""
        right, true, predicted, _ = self.counts
        return safe_divide(2 * right, true + predicted)

    @property
    def precision(self) -> Figures:
        """Of the pixels taken for a class, the share that is it. NaN where none were."""
        return safe_divide(self.counts[0], self.counts[2])

    @property
    def recall(self) -> Figures:
        """Of a class's pixels, the share that is found. NaN where it has none."""
        return safe_divide(self.counts[0], self.counts[1])

    @property
    def mean_iou(self) -> float:
        """Mean of `iou` over the classes that occur."""
        return nan_mean(self.iou)

    @property
    def pixel_accuracy(self) -> float:
        """Share of the decisions, one for each pixel and class, that are right."""
        right, true, predicted, counted = self.counts.sum(1)
        return float(safe_divide(counted - (true + predicted - 2 * right), counted))

    def as_dict(self, names: Sequence[str]) -> dict[str, object]:
        """Everything as JSON values; by-class figures are keyed by name, null where the class is
        absent.
        """
        by_class = {
            column.lower(): dict(zip(names, map(json_number, values), strict=True))
            for column, values in self.columns().items()
        }
        return {
            "classes": list(names),
            **by_class,
            "mean_iou": json_number(self.mean_iou),
            "pixel_accuracy": json_number(self.pixel_accuracy),
            "images": self.images,
            "void_fraction": round(self.void_fraction, 6),
        }
