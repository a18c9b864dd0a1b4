"""Whether scores of two models differ, from how their differences change when other images had been drawn."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.tasks.intervals import LEVEL, iou_of
from pixelwise.tasks.metrics import Counts, Figures

ROUNDS = 4000
_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Difference:
    """A score of one model minus that of another; its interval; the share of draws whose difference has another sign.

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

    counts (2, N, 3, C): of both models the same N images, as in PerImage.counts. Images are drawn with replacement,
    each draw the same for both models, so that what makes an image hard for both cancels; intervals are percentiles of
    the draws' differences (Efron and Tibshirani 1993, sections 8.3 and 13.3), 95 %, and for the mean IoU so much wider
    that the intervals of that many `comparisons` hold together in 95 % of cases (Bonferroni). One image alone: NaN.
    """
    number = counts.shape[1]
    measured = _scores(counts.sum(1)[None])[0]  # (2, 1 + C)
    if number < 2:
        draws: Figures = np.full((1, 2, measured.shape[1]), np.nan)
    else:
        flat = counts.astype(np.float64).swapaxes(0, 1).reshape(number, -1)  # sums below 2**53 are exact
        parts = [weights @ flat for weights in _weights(number, rounds, seed)]
        draws = _scores(np.concatenate(parts).reshape(-1, *counts.shape[:1], *counts.shape[2:]))
    levels = [1 - (1 - LEVEL) / comparisons, *[LEVEL] * counts.shape[3]]
    columns = zip(measured[0] - measured[1], (draws[:, 0] - draws[:, 1]).T, levels, strict=True)
    mean, *classes = [_difference(float(value), drawn, level) for value, drawn, level in columns]
    return mean, classes


def _weights(number: int, rounds: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each image is in each draw, (R, N) in parts of bounded size."""
    rng = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // number)
    for start in range(0, rounds, step):
        yield rng.multinomial(number, np.full(number, 1 / number), min(step, rounds - start)).astype(np.float64)


def _scores(pooled: Counts | Figures) -> Figures:
    """(R, M, 1 + C) mean IoU and IoU by class from (R, M, 3, C)."""
    iou = iou_of(pooled.astype(np.float64).reshape(-1, *pooled.shape[2:])).reshape(*pooled.shape[:2], -1)
    known = (~np.isnan(iou)).sum(-1)
    mean = np.divide(np.nansum(iou, -1), known, out=np.full(known.shape, np.nan), where=known > 0)
    return np.concatenate([mean[..., None], iou], axis=-1)


def _difference(value: float, draws: Figures, level: float) -> Difference:
    draws = draws[~np.isnan(draws)]
    if math.isnan(value) or not len(draws):
        return Difference(value, math.nan, math.nan, math.nan)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Difference(value, float(low), float(high), float(np.mean(np.sign(draws) != np.sign(value))))
