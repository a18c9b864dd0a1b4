"""How far alpha is off."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass
class AlphaError:
    """Mean absolute error of alpha, 0 to 1, over all pixels that count."""

    total: float = 0.0
    pixels: int = 0

    def update(
        self,
        truth: NDArray[np.floating],
        alpha: NDArray[np.floating],
        counted: NDArray[np.bool_],
    ) -> None:
        """Count one image: all (H, W)."""
        self.total += float(np.abs(truth - alpha, dtype=np.float64)[counted].sum())
        self.pixels += int(counted.sum())

    def merge(self, other: "AlphaError") -> None:
        """Count the images of `other` too."""
        self.total += other.total
        self.pixels += other.pixels

    @property
    def mean(self) -> float:
        """NaN where nothing counts."""
        return self.total / self.pixels if self.pixels else float("nan")
