"""Scores from one pooled confusion matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.classes import VOID

Counts = NDArray[np.int64]
Figures = NDArray[np.float64]


class ConfusionMatrix:
    """Counts of (true class, predicted class) over all pixels that are not void.

    A prediction of void (a class that the data set does not have) counts as wrong: it stands in an
    extra last column.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.counts: Counts = np.zeros((classes, classes + 1), dtype=np.int64)
        self.images = 0
        self.pixels = 0

    def update(self, target: Tensor, labels: Tensor, *, images: int = 1) -> Counts:
        """Add pixels, and return their counts: `target` and `labels` are integer tensors of one
        shape, ids or void.
        """
        size = self.classes + 1
        target = target.reshape(-1)
        labels = labels.reshape(-1)
        counted = target != VOID
        rows = target[counted].long()
        # void, 255, goes to the extra column
        columns = labels[counted].long().clamp(max=self.classes)
        # one number a pair: a single bincount, on the device where the labels are
        pairs = rows * size + columns
        flat = torch.bincount(pairs, minlength=self.classes * size)
        table = flat.reshape(self.classes, size)
        added: Counts = table.cpu().numpy()
        self.counts += added
        self.images += images
        self.pixels += target.numel()
        return added

    def merge(self, other: "ConfusionMatrix") -> None:
        """Add the pixels of `other`."""
        self.counts += other.counts
        self.images += other.images
        self.pixels += other.pixels

    def scores(self) -> "Scores":
        """The figures of everything added so far."""
        void = 0.0
        if self.pixels:
            void = 1 - self.counts.sum() / self.pixels
        return Scores(self.counts.copy(), self.images, float(void))


@dataclass(frozen=True)
class Scores:
    """Figures pooled over all pixels. A class absent from truth and prediction is NaN and left out
    of every mean.

    Definitions as in Long et al. 2015, section 5: with n_ij pixels of class i predicted as j and
    t_i = sum_j n_ij.
    """

    counts: Counts  # (C, C + 1)
    images: int
    void_fraction: float

    def __repr__(self) -> str:
        by_class = " ".join(f"{value:.3f}" for value in self.iou)
        return (
            f"<Scores of {self.images} images: mean IoU {self.mean_iou:.4f}, pixel accuracy "
            f"{self.pixel_accuracy:.4f}; IoU by class {by_class}>"
        )

    def _repr_html_(self) -> str:
        """A table by class id, which a notebook shows."""
        return self.as_html([str(label) for label in range(len(self.counts))])

    def as_html(self, names: Sequence[str], title: str = "scores") -> str:
        """A table by class, with its name."""
        columns = {
            "IoU": self.iou,
            "precision": self.precision,
            "recall": self.recall,
            "Dice": self.dice,
        }
        return scores_as_html(columns, names, f"{title}: {self.images} images", self.mean_iou)

    @property
    def _inner(self) -> Counts:
        """(C, C), without the predictions of void."""
        return self.counts[:, :-1]

    @property
    def _hits(self) -> Counts:
        return np.asarray(self._inner.diagonal())

    @property
    def _truth(self) -> Counts:
        # with the extra column: what is taken for void is still of its class
        return np.asarray(self.counts.sum(axis=1))

    @property
    def _predicted(self) -> Counts:
        return np.asarray(self._inner.sum(axis=0))

    @property
    def iou(self) -> Figures:
        """n_ii / (t_i + predicted_i - n_ii), by class."""
        union = self._truth + self._predicted - self._hits
        return safe_divide(self._hits, union)

    @property
    def dice(self) -> Figures:
        """2 n_ii / (t_i + predicted_i), by class."""
        return safe_divide(2 * self._hits, self._truth + self._predicted)

    @property
    def precision(self) -> Figures:
        """n_ii / predicted_i, by class: of the pixels taken for it, the share that is it. NaN where
        none were.
        """
        return safe_divide(self._hits, self._predicted)

    @property
    def recall(self) -> Figures:
        """n_ii / t_i, by class: of its pixels, the share that is found (its accuracy). NaN where it
        has none.
        """
        return safe_divide(self._hits, self._truth)

    def joined(self, groups: Sequence[Sequence[int]]) -> "Scores":
        """The figures with the classes of each group as one, in their order. Raises ValueError
        where a class is in none or in two.
        """
        if sorted(label for group in groups for label in group) != list(range(len(self.counts))):
            raise ValueError("each class must be in one group")
        table = np.zeros((len(groups), len(self.counts)), np.int64)
        for row, group in zip(table, groups, strict=True):
            row[list(group)] = 1
        counts = np.column_stack([table @ self._inner @ table.T, table @ self.counts[:, -1]])
        return Scores(counts, self.images, self.void_fraction)

    @property
    def mean_iou(self) -> float:
        """Mean of `iou` over the classes that occur."""
        return nan_mean(self.iou)

    @property
    def pixel_accuracy(self) -> float:
        """Share of pixels, void left out, that are right."""
        right = self._hits.sum()
        total = self.counts.sum()
        return float(safe_divide(right, total))

    @property
    def mean_accuracy(self) -> float:
        """Mean over the classes of n_ii / t_i."""
        return nan_mean(safe_divide(self._hits, self._truth))

    @property
    def frequency_weighted_iou(self) -> float:
        """`iou` weighted by each class's share of the true pixels."""
        total = self._truth.sum()
        if not total:
            return float("nan")
        weighted = self._truth * self.iou
        return float(np.nansum(weighted) / total)

    def most_confused(
        self, names: tuple[str, ...], count: int = 8
    ) -> list[dict[str, str | int | float]]:
        """The pairs of classes that cost the most pixels, with the share of the true class's pixels
        that went there.
        """
        lost = self._inner.copy()
        np.fill_diagonal(lost, 0)
        # stable, so that ties stand in the classes' order on every machine
        order = np.argsort(-lost, axis=None, kind="stable")[:count]
        truths, predictions = np.unravel_index(order, lost.shape)
        truth_pixels = self._truth
        rows: list[dict[str, str | int | float]] = []
        for truth, predicted in zip(truths, predictions, strict=True):
            pixels = lost[truth, predicted]
            if not pixels:
                continue
            share = float(pixels / truth_pixels[truth])
            rows.append(
                {
                    "truth": names[truth],
                    "taken_for": names[predicted],
                    "pixels": int(pixels),
                    "share": round(share, 6),
                }
            )
        return rows

    def as_dict(self, names: tuple[str, ...]) -> dict[str, object]:
        """Everything as JSON values; by-class figures are keyed by name, null where the class is
        absent.
        """

        def by_class(values: Figures) -> dict[str, float | None]:
            numbers = map(json_number, values)
            return dict(zip(names, numbers, strict=True))

        return {
            "classes": list(names),
            "iou": by_class(self.iou),
            "mean_iou": json_number(self.mean_iou),
            "pixel_accuracy": json_number(self.pixel_accuracy),
            "mean_accuracy": json_number(self.mean_accuracy),
            "frequency_weighted_iou": json_number(self.frequency_weighted_iou),
            "dice": by_class(self.dice),
            "precision": by_class(self.precision),
            "recall": by_class(self.recall),
            "confusion_matrix": self._inner.tolist(),
            "predicted_as_none_of_them": self.counts[:, -1].tolist(),
            "most_confused": self.most_confused(names),
            "images": self.images,
            "void_fraction": round(self.void_fraction, 6),
        }


def scores_as_html(
    columns: Mapping[str, Figures], names: Sequence[str], title: str, mean_iou: float
) -> str:
    """A table of figures by class, by the name of their column."""
    heading = "".join(f"<th>{column}</th>" for column in ("", *columns))
    body = ""
    for name, *values in zip(names, *columns.values(), strict=True):
        cells = "".join(f"<td>{value:.4f}</td>" for value in values)
        body += f"<tr><th>{escape(name)}</th>{cells}</tr>"
    caption = f"{escape(title)}, mean IoU {mean_iou:.4f}"
    return f"<table><caption>{caption}</caption><tr>{heading}</tr>{body}</table>"


def json_number(value: float) -> float | None:
    """A figure as JSON holds it: rounded, null for NaN."""
    # JSON knows no NaN; Python would write one that other readers reject
    if np.isnan(value):
        return None
    return round(float(value), 6)


def safe_divide(
    above: Counts | Figures | np.int64,
    below: Counts | Figures | np.int64,
) -> Figures:
    """`above` / `below` element by element, NaN where `below` is 0."""
    above = np.asarray(above, dtype=np.float64)
    below = np.asarray(below, dtype=np.float64)
    result: Figures = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=result, where=below > 0)
    return result


def nan_mean(values: Figures) -> float:
    """The mean over the classes that have a figure; NaN where none has."""
    # np.nanmean warns of an empty mean
    if np.isnan(values).all():
        return float("nan")
    return float(np.nanmean(values))
