"""What a band that is called alpha holds: opacity, or data of another kind."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Opacity is 0 or 255 but for soft edges; or has a few values such as 0 and 1. Near infrared, as in
# aerial images whose fourth band is called alpha, has hundreds nearly everywhere.
_MAX_SOFT_SHARE = 0.1
_MAX_VALUES = 16


def is_opacity(values: NDArray[Any]) -> bool:
    """Whether the pixels of a band that is called alpha, all or a sample of them, are opacities."""
    visible = int(np.count_nonzero(values))
    soft = visible - int(np.count_nonzero(values == 255))
    return soft <= _MAX_SOFT_SHARE * visible or np.unique(values).size <= _MAX_VALUES


def is_clear_cut(values: NDArray[Any]) -> bool:
    """Whether all of these are 0 or 255 and some 255, as of a band that nothing calls alpha."""
    return bool(np.isin(values, (0, 255)).all() and (values == 255).any())
