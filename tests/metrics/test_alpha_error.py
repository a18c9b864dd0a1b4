import math

import numpy as np

from pixelwise.metrics.alpha_error import AlphaError


def test_the_error_is_the_mean_over_the_pixels_that_count() -> None:
    error = AlphaError()
    assert math.isnan(error.mean)
    other = AlphaError()
    counted = np.array([[True, True, False]])
    error.update(np.array([[0.0, 1.0, 0.5]]), np.array([[0.25, 0.5, 0.0]]), counted)
    other.update(np.zeros((1, 3)), np.full((1, 3), 0.5), np.ones((1, 3), bool))
    error.merge(other)
    assert error.mean == (0.25 + 0.5 + 3 * 0.5) / 5
