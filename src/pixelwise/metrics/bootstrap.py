"""How sure a score is, from how much it changes when other images of the same kind had been
drawn.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pixelwise.metrics.confusion import Counts, Figures, safe_divide

ROUNDS = 4000
LEVEL = 0.95
_AT_ONCE = 4_000_000


class PerImage:
    """Of each image, by class: pixels right, true and predicted. Three numbers a class, not a whole
    matrix.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._rows: list[Counts] = []

    def add(self, matrix: Counts) -> None:
        """Take up one image's counts (C, C + 1) of (true, predicted), as in ConfusionMatrix."""
        inner = matrix[:, :-1]
        self._rows.append(np.stack([inner.diagonal(), matrix.sum(1), inner.sum(0)]))

    def merge(self, other: "PerImage") -> None:
        """Add the images of `other` after those here."""
        self._rows += other._rows

    def counts(self) -> Counts:
        """(N, 3, C) pixels right, true, predicted."""
        return np.array(self._rows, np.int64).reshape(-1, 3, self._classes)

    def mean_iou(self) -> Figures:
        """(N,) each image's mean IoU over the classes it shows or was given; NaN where all of it is
        void.
        """
        return scores_from_counts(self.counts())[:, 0]


def bootstrap(
    images: PerImage, *, rounds: int = ROUNDS, seed: int = 0
) -> tuple[NDArray[np.float64], Figures]:
    """95 % intervals of pooled scores: mean IoU (2,) and IoU by class (2, C), lower and upper; NaN
    for absent classes.

    From the 2.5th to the 97.5th percentile of `redrawn` scores (Efron and Tibshirani 1993, section
    13.3). It says what other images of the same source would give, not what another training would.
    A class that a draw lacks is left out of that draw's mean, as always. One image alone says
    nothing of others: NaN.
    """
    counts = images.counts()
    bounds: Figures = np.full((2, 1 + counts.shape[2]), np.nan)
    if len(counts) > 1:
        draws = resample(counts[None], rounds, seed)[:, 0]
        known = ~np.isnan(draws).all(0)
        bounds[:, known] = np.nanquantile(
            draws[:, known], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0
        )
    return bounds[:, 0], bounds[:, 1:]


def resample(counts: Counts, rounds: int, seed: int) -> Figures:
    """(R, M, 1 + C) pooled `scores_of` M models when their N images are drawn anew with
    replacement, N of them.

    counts (M, N, 3, C), as in PerImage.counts; each of the `rounds` draws is the same for all
    models.
    """
    models, number, *rest = counts.shape
    flat = (
        counts.astype(np.float64).swapaxes(0, 1).reshape(number, -1)
    )  # sums below 2**53 are exact
    pooled = np.concatenate([weights @ flat for weights in _weights(number, rounds, seed)])
    return scores_from_counts(pooled.reshape(rounds, models, *rest))


def scores_from_counts(counts: Counts | Figures) -> Figures:
    """(..., 1 + C) mean IoU and IoU by class of counts (..., 3, C) of pixels right, true and
    predicted.

    A class in neither truth nor prediction has none (NaN) and is left out of the mean.
    """
    right, true, predicted = np.moveaxis(counts, -2, 0)
    iou = safe_divide(right, true + predicted - right)
    mean = safe_divide(np.nansum(iou, -1), (~np.isnan(iou)).sum(-1))
    return np.concatenate([mean[..., None], iou], axis=-1)


def _weights(number: int, rounds: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each image is in each draw, (R, N) in parts of bounded size."""
    rng = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // number)
    for start in range(0, rounds, step):
        yield rng.multinomial(
            number, np.full(number, 1 / number), min(step, rounds - start)
        ).astype(np.float64)
