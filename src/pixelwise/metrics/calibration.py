"""Whether confidence means what it says, and the one number that mends it."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pixelwise.metrics.confusion import Counts, Figures, safe_divide

BINS = 15
TEMPERATURES = (0.05, 20.0)


class Reliability:
    """Confidence against the share of pixels that are right, in BINS equal bins, pooled (Guo et al.
    2017).
    """

    def __init__(self) -> None:
        self.pixels: Counts = np.zeros(BINS, np.int64)
        self._right: Counts = np.zeros(BINS, np.int64)
        self._confidence: Figures = np.zeros(BINS)

    def update(self, confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> None:
        """Add pixels that are not void: confidence in [0, 1] and whether the label is right, both
        of one shape.
        """
        place = np.minimum((confidence * BINS).astype(np.intp), BINS - 1).reshape(-1)
        self.pixels += np.bincount(place, minlength=BINS)
        self._right += np.bincount(place[right.reshape(-1)], minlength=BINS)
        self._confidence += np.bincount(place, confidence.reshape(-1), minlength=BINS)

    def merge(self, other: "Reliability") -> None:
        """Add the pixels of `other`."""
        self.pixels += other.pixels
        self._right += other._right
        self._confidence += other._confidence

    @property
    def confidence(self) -> Figures:
        """Mean confidence by bin; NaN where it is empty."""
        return safe_divide(self._confidence, self.pixels)

    @property
    def accuracy(self) -> Figures:
        """Share of pixels right by bin; NaN where it is empty."""
        return safe_divide(self._right, self.pixels)

    @property
    def error(self) -> float:
        """Expected calibration error: the mean over pixels of their bin's |confidence - share
        right| (equation 3).
        """
        return float(np.abs(self._right - self._confidence).sum() / max(1, self.pixels.sum()))

    def as_dict(self) -> dict[str, object]:
        """JSON values: the error, and of each bin its pixels, mean confidence and share right, null
        where empty.
        """
        bins = zip(
            self.pixels.tolist(), self.confidence.tolist(), self.accuracy.tolist(), strict=True
        )
        return {
            "expected_calibration_error": round(self.error, 6),
            "bins": [
                {
                    "pixels": n,
                    "confidence": round(c, 6) if n else None,
                    "accuracy": round(a, 6) if n else None,
                }
                for n, c, a in bins
            ],
        }


def fit_temperature(logits: NDArray[np.float32], target: NDArray[np.intp]) -> float:
    """The T in TEMPERATURES that makes softmax(logits / T) likeliest: logits (N, C), target class
    ids (N,).

    The negative log-likelihood is convex in 1 / T, so that golden-section search finds its one
    minimum. Source: Guo, Pleiss, Sun, Weinberger, ICML 2017, section 4.2.
    """
    shifted = logits - logits.max(1, keepdims=True)
    truth = np.take_along_axis(shifted, target[:, None], 1).mean(dtype=np.float64)

    def loss(inverse: float) -> float:
        return float(
            np.log(np.exp(shifted * np.float32(inverse)).sum(1)).mean(dtype=np.float64)
            - inverse * truth
        )

    return 1 / _minimum(loss, 1 / TEMPERATURES[1], 1 / TEMPERATURES[0])


def _minimum(
    function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-4
) -> float:
    """Where a function with one minimum in [low, high] has it, by golden-section search."""
    golden = (math.sqrt(5) - 1) / 2
    points = [high - golden * (high - low), low + golden * (high - low)]
    values = [function(point) for point in points]
    while high - low > tolerance:
        if values[0] < values[1]:
            high = points[1]
            points = [0.0, points[0]]
            values = [0.0, values[0]]
            points[0] = high - golden * (high - low)
            values[0] = function(points[0])
        else:
            low = points[0]
            points = [points[1], 0.0]
            values = [values[1], 0.0]
            points[1] = low + golden * (high - low)
            values[1] = function(points[1])
    return (low + high) / 2
