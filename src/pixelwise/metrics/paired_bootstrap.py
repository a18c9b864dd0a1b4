"""Whether scores of two models differ, from how their differences change when other images had been
drawn.
"""

import math
from dataclasses import dataclass

import numpy as np

from pixelwise.metrics.bootstrap import LEVEL, ROUNDS, resample, scores_from_counts
from pixelwise.metrics.confusion import Counts, Figures


@dataclass(frozen=True)
class Difference:
    """A score of one model minus that of another; its interval; the share of draws whose difference
    has another sign.

    All are NaN where one of the models has no such score.
    """

    value: float
    low: float
    high: float
    flips: float

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def paired(
    counts: Counts, *, comparisons: int = 1, rounds: int = ROUNDS, seed: int = 0
) -> tuple[Difference, list[Difference]]:
    """Differences of pooled mean IoU and of each class's IoU, the first model minus the second.

    counts (2, N, 3, C): of both models the same N images, as in PerImage.counts. Draws are the same
    for both, so that what makes an image hard for both cancels; intervals are percentiles of the
    draws' differences (Efron and Tibshirani 1993, sections 8.3 and 13.3), 95 %, and for the mean
    IoU so much wider that the intervals of that many `comparisons` hold together in 95 % of cases
    (Bonferroni). One image alone: NaN.
    """
    measured = scores_from_counts(counts.sum(1))  # (2, 1 + C)
    if counts.shape[1] < 2:
        draws: Figures = np.full((1, *measured.shape), np.nan)
    else:
        draws = resample(counts, rounds, seed)
    levels = [1 - (1 - LEVEL) / comparisons, *[LEVEL] * counts.shape[3]]
    columns = zip(measured[0] - measured[1], (draws[:, 0] - draws[:, 1]).T, levels, strict=True)
    mean, *classes = [_difference(float(value), drawn, level) for value, drawn, level in columns]
    return mean, classes


def _difference(value: float, draws: Figures, level: float) -> Difference:
    draws = draws[~np.isnan(draws)]
    if math.isnan(value) or not len(draws):
        return Difference(value, math.nan, math.nan, math.nan)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Difference(
        value, float(low), float(high), float(np.mean(np.sign(draws) != np.sign(value)))
    )
