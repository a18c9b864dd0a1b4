"""What a band that is called alpha holds: opacity, or data of another kind."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Opacity is 0 or 255 nearly everywhere, with soft edges at most; or has a few values such as 0
# and 1. Near infrared, as in aerial images whose fourth band is called alpha, has hundreds.
_MIN_EXTREME_SHARE = 0.9
_MAX_VALUES = 16


def is_opacity(values: NDArray[Any]) -> bool:
    """Whether the pixels of a band that is called alpha, all or a sample of them, are opacities."""
    if not values.size:
        return True
    extreme = int(np.count_nonzero((values == 0) | (values == 255)))
    return extreme >= _MIN_EXTREME_SHARE * values.size or np.unique(values).size <= _MAX_VALUES
