"""Whether confidence is the share of pixels that are right, and the temperature to make it so."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from pixelwise.metrics.confusion import Counts, Figures, safe_divide

BINS = 15

# The least and the greatest temperature that is searched.
TEMPERATURES = (0.05, 20.0)

# Of 1 / T; float32's likelihoods are too coarse for a closer minimum.
_TOLERANCE = 1e-5


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
        # a confidence of exactly 1 belongs to the last bin
        index = np.minimum((confidence * BINS).astype(np.intp), BINS - 1).reshape(-1)
        self.pixels += np.bincount(index, minlength=BINS)
        self._right += np.bincount(index[right.reshape(-1)], minlength=BINS)
        self._confidence += np.bincount(index, confidence.reshape(-1), minlength=BINS)

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
        rows = zip(
            self.pixels.tolist(), self.confidence.tolist(), self.accuracy.tolist(), strict=True
        )
        return {
            "expected_calibration_error": round(self.error, 6),
            "bins": [
                {
                    "pixels": pixels,
                    "confidence": round(confidence, 6) if pixels else None,
                    "accuracy": round(accuracy, 6) if pixels else None,
                }
                for pixels, confidence, accuracy in rows
            ],
        }


def fit_temperature(logits: NDArray[np.float32], target: NDArray[np.intp]) -> float:
    """The T in TEMPERATURES that makes softmax(logits / T) likeliest: logits (N, C), target class
    ids (N,).

    The negative log-likelihood is convex in 1 / T, so that a bounded search finds its one minimum.
    Source: Guo, Pleiss, Sun, Weinberger, ICML 2017, section 4.2.
    """
    shifted = logits - logits.max(1, keepdims=True)  # (N, C), so that no power overflows
    of_truth = np.take_along_axis(shifted, target[:, None], 1).mean(dtype=np.float64)

    def negative_log_likelihood(inverse: float) -> float:
        sums = np.exp(shifted * np.float32(inverse)).sum(1)
        return float(np.log(sums).mean(dtype=np.float64) - inverse * of_truth)

    lowest, highest = TEMPERATURES
    ends = (1 / highest, 1 / lowest)
    search = minimize_scalar(
        negative_log_likelihood,
        bounds=ends,
        method="bounded",
        options={"xatol": _TOLERANCE},
    )
    # logits that are always right: no inverse is best, and the search stops where float32 sees none
    candidates = [float(search.x), *ends]
    return 1 / min(candidates, key=lambda inverse: (negative_log_likelihood(inverse), -inverse))
