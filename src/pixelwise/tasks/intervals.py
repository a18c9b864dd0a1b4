"""How sure a score is, from how much it changes when other images of the same kind had been drawn."""

import numpy as np
from numpy.typing import NDArray

from pixelwise.tasks.metrics import Counts, Figures

ROUNDS = 1000
LEVEL = 0.95


class PerImage:
    """Of each image, by class: pixels right, true and predicted. Three numbers a class, not a whole matrix."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._rows: list[Counts] = []

    def add(self, matrix: Counts) -> None:
        """Take up one image's counts (C, C + 1) of (true, predicted), as in ConfusionMatrix."""
        inner = matrix[:, :-1]
        self._rows.append(np.stack([inner.diagonal(), matrix.sum(1), inner.sum(0)]))

    def join(self, other: "PerImage") -> None:
        """Take up the images of `other` after those here."""
        self._rows += other._rows

    def counts(self) -> Counts:
        """(N, 3, C) pixels right, true, predicted."""
        return np.array(self._rows, np.int64).reshape(-1, 3, self._classes)

    def mean_iou(self) -> Figures:
        """(N,) each image's mean IoU over the classes it shows or was given; NaN where all of it is void."""
        iou = iou_of(self.counts().astype(np.float64))
        known = ~np.isnan(iou)
        total = np.nansum(iou, axis=1)
        result: Figures = np.full(len(iou), np.nan)
        np.divide(total, known.sum(1), out=result, where=known.any(1))
        return result


def bootstrap(images: PerImage, *, rounds: int = ROUNDS, seed: int = 0) -> tuple[NDArray[np.float64], Figures]:
    """95 % intervals of pooled scores: mean IoU (2,) and IoU by class (2, C), lower and upper; NaN for absent classes.

    Images are drawn anew with replacement, as many as there are, `rounds` times, and the pooled score is computed of
    each draw; the interval is from the 2.5th to the 97.5th percentile (Efron and Tibshirani 1993, section 13.3). It
    says what other images of the same source would give, not what another training would. A class that a draw lacks
    is left out of that draw's mean, as always. One image alone says nothing of others: NaN.
    """
    counts = images.counts()
    rng = np.random.default_rng(seed)
    number = len(counts)
    if number < 2:
        return np.full(2, np.nan), np.full((2, counts.shape[2]), np.nan)
    means, by_class = [], []
    for _ in range(rounds):
        weights = np.bincount(rng.integers(0, number, number), minlength=number)
        iou = iou_of(np.tensordot(weights, counts, axes=1)[None].astype(np.float64))[0]
        by_class.append(iou)
        means.append(np.nan if np.isnan(iou).all() else np.nanmean(iou))
    edges = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    classes = np.array(by_class)
    absent = np.isnan(classes).all(0)
    bounds: Figures = np.full((2, classes.shape[1]), np.nan)
    bounds[:, ~absent] = np.nanquantile(classes[:, ~absent], edges, axis=0)
    return np.nanquantile(means, edges), bounds


def iou_of(counts: Figures) -> Figures:
    """(N, C) IoU from (N, 3, C) pixels right, true and predicted; NaN where a class is in neither."""
    union = counts[:, 1] + counts[:, 2] - counts[:, 0]
    result: Figures = np.full(union.shape, np.nan)
    np.divide(counts[:, 0], union, out=result, where=union > 0)
    return result
