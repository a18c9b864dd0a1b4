"""How sure a score is, or the difference of two models' scores: how much it changes when other
images of the same kind are drawn.

Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.metrics.confusion import Counts, Figures, safe_divide
from pixelwise.metrics.count_interval import LEVEL as LEVEL  # noqa: PLC0414  also found here

# Draws.
ROUNDS = 4000


# Weights (images times draws) that are held at a time: 32 MB.
_MAX_WEIGHTS = 4_000_000


@dataclass(frozen=True)
class Difference:
    """A score of one model minus that of another. All are NaN where one of the models has no such
    score.
    """

    value: float
    """As measured."""

    low: float
    """Lower end of the interval."""

    high: float
    """Upper end of the interval."""

    sign_flips: float
    """Share of the draws whose difference has another sign, 0 to 1."""

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


class PerImage:
    """Of each image, by class: pixels right, true and predicted. Three numbers a class, not a whole
    matrix.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._rows: list[Counts] = []

    def add(self, matrix: Counts) -> None:
        """Take up one image's counts (C, C + 1) of (true, predicted), as in ConfusionMatrix."""
        # without the extra column, so that a prediction of void is no class's
        inner = matrix[:, :-1]  # (C, C)
        right = inner.diagonal()
        true = matrix.sum(1)
        predicted = inner.sum(0)
        self.add_row(np.stack([right, true, predicted]))

    def add_row(self, row: Counts) -> None:
        """Take up one image's pixels (3, C) right, true and predicted."""
        self._rows.append(row)

    def merge(self, other: "PerImage") -> None:
        """Add the images of `other` after those here."""
        self._rows += other._rows

    def counts(self) -> Counts:
        """(N, 3, C) pixels right, true, predicted."""
        rows = np.array(self._rows, np.int64)
        # reshaped, as an empty list has no axes of its own
        return rows.reshape(-1, 3, self._classes)

    def mean_iou(self) -> Figures:
        """(N,) each image's mean IoU over the classes it shows or was given; NaN where all of it is
        void.
        """
        scores = scores_from_counts(self.counts())  # (N, 1 + C)
        return scores[:, 0]


def bootstrap(
    images: PerImage,
    *,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> tuple[NDArray[np.float64], Figures]:
    """95 % intervals of pooled scores: mean IoU (2,) and IoU by class (2, C), lower and upper; NaN
    for absent classes.

    From the 2.5th to the 97.5th percentile of resampled scores (Efron and Tibshirani 1993, section
    13.3). It says what other images of the same source would give, not what another training would.
    A class that a draw lacks is left out of that draw's mean, as always. One image alone says
    nothing of others: NaN.
    """
    counts = images.counts()  # (N, 3, C)
    columns = 1 + counts.shape[2]
    bounds: Figures = np.full((2, columns), np.nan)
    if len(counts) > 1:
        one_model = counts[None]  # (1, N, 3, C)
        draws = resample(one_model, rounds, seed)[:, 0]  # (R, 1 + C)
        # NumPy warns of columns without any figure
        absent = np.isnan(draws).all(0)
        bounds[:, ~absent] = np.nanquantile(
            draws[:, ~absent],
            _interval_ends(LEVEL),
            axis=0,
        )
    mean = bounds[:, 0]
    by_class = bounds[:, 1:]
    return mean, by_class


def bootstrap_ratio(
    above: Counts, below: Counts, *, rounds: int = ROUNDS, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of sum(above) / sum(below) of N images, (N,) each; NaN of one image alone
    and where a sum below may be 0.
    """
    if len(above) < 2:
        return math.nan, math.nan
    flat = np.stack([above, below], axis=1).astype(np.float64)  # (N, 2)
    sums = np.concatenate([weights @ flat for weights in _draw_weights(len(flat), rounds, seed)])
    if (sums[:, 1] <= 0).any():
        return math.nan, math.nan
    low, high = np.quantile(sums[:, 0] / sums[:, 1], _interval_ends(LEVEL))
    return float(low), float(high)


def paired_bootstrap(
    counts: Counts,
    *,
    comparisons: int = 1,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> tuple[Difference, list[Difference]]:
    """Differences of pooled mean IoU and of each class's IoU, the first model minus the second.

    counts (2, N, 3, C): of both models the same N images, as in PerImage.counts. Draws are the same
    for both, so that what makes an image hard for both cancels; intervals are percentiles of the
    draws' differences (Efron and Tibshirani 1993, sections 8.3 and 13.3), 95 %, and for the mean
    IoU so much wider that the intervals of that many `comparisons` hold together in 95 % of cases
    (Bonferroni). One image alone: NaN.
    """
    pooled = counts.sum(1)  # (2, 3, C)
    measured = scores_from_counts(pooled)  # (2, 1 + C)
    if counts.shape[1] < 2:
        draws: Figures = np.full((1, *measured.shape), np.nan)
    else:
        draws = resample(counts, rounds, seed)  # (R, 2, 1 + C)
    values = measured[0] - measured[1]  # (1 + C)
    drawn = draws[:, 0] - draws[:, 1]  # (R, 1 + C)
    # Bonferroni: the errors of all comparisons add up to at most that of one
    mean_level = 1 - (1 - LEVEL) / comparisons
    mean = _difference(float(values[0]), drawn[:, 0], mean_level)
    by_class = [
        _difference(float(value), column, LEVEL)
        for value, column in zip(values[1:], drawn.T[1:], strict=True)
    ]
    return mean, by_class


def resample(counts: Counts, rounds: int, seed: int) -> Figures:
    """(R, M, 1 + C) pooled scores of M models when their N images are drawn again with
    replacement, N of them.

    counts (M, N, 3, C), as in PerImage.counts; each of the `rounds` draws is the same for all
    models.
    """
    models, images, *rest = counts.shape
    # as float64, in which sums below 2**53 are exact, for a matrix product
    by_image = counts.astype(np.float64).swapaxes(0, 1)  # (N, M, 3, C)
    flat = by_image.reshape(images, -1)  # (N, M 3 C)
    parts = []
    for weights in _draw_weights(images, rounds, seed):
        parts.append(weights @ flat)
    pooled = np.concatenate(parts)  # (R, M 3 C)
    by_draw = pooled.reshape(rounds, models, *rest)
    return scores_from_counts(by_draw)


def scores_from_counts(counts: Counts | Figures) -> Figures:
    """(..., 1 + C) mean IoU and IoU by class of counts (..., 3, C) of pixels right, true and
    predicted.

    A class in neither truth nor prediction has none (NaN) and is left out of the mean.
    """
    right, true, predicted = np.moveaxis(counts, -2, 0)  # each (..., C)
    union = true + predicted - right
    iou = safe_divide(right, union)
    # not np.nanmean, which warns where no class has a figure
    total = np.nansum(iou, -1)
    present = ~np.isnan(iou)
    mean = safe_divide(total, present.sum(-1))
    return np.concatenate([mean[..., None], iou], axis=-1)


def _interval_ends(level: float) -> tuple[float, float]:
    """The quantiles that bound the middle share `level` of the draws."""
    low = (1 - level) / 2
    high = (1 + level) / 2
    return low, high


def _difference(value: float, draws: Figures, level: float) -> Difference:
    # a draw may lack the class altogether
    missing = np.isnan(draws)
    draws = draws[~missing]
    if math.isnan(value) or not len(draws):
        return Difference(value, math.nan, math.nan, math.nan)
    low, high = np.quantile(draws, _interval_ends(level))
    flipped = np.sign(draws) != np.sign(value)
    sign_flips = np.mean(flipped)
    return Difference(
        value,
        float(low),
        float(high),
        float(sign_flips),
    )


def _draw_weights(images: int, rounds: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each image is in each draw, (R, N) in parts of bounded size."""
    rng = np.random.default_rng(seed)
    even = np.full(images, 1 / images)
    step = max(1, _MAX_WEIGHTS // images)
    for start in range(0, rounds, step):
        size = min(step, rounds - start)
        # drawing N images with replacement is one multinomial draw of their counts
        weights = rng.multinomial(images, even, size)  # (size, N)
        yield weights.astype(np.float64)
