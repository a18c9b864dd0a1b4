"""How far a number of objects in new images may be from the truth, from images with known numbers.

Source: Cochran 1977, "Sampling Techniques", chapter 6 (the ratio estimator); errors of one image
grow with the root of its number, as those of counts do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Numbers = NDArray[np.int64]

LEVEL = 0.95
FEWEST_IMAGES = 5


@dataclass(frozen=True)
class CountInterval:
    """True and predicted numbers (N,) of objects in N images, at least FEWEST_IMAGES, of which some
    have objects that were predicted.
    """

    true: Numbers
    predicted: Numbers

    def of(self, predicted: Numbers) -> tuple[int, int]:
        """The 95 % interval of how many objects there truly are in new images together, of the same
        source, by the numbers (K,) predicted in each.

        Variance of the ratio true / predicted by the jackknife, and of what single images deviate
        from it; Student's t with N - 1 degrees of freedom.
        """
        count = len(self.true)
        true = self.true.sum()
        own = self.predicted.sum()
        ratio = true / own
        others = np.maximum(own - self.predicted, 1)
        without = (true - self.true) / others  # the ratio without each image
        ratio_variance = (count - 1) / count * ((without - without.mean()) ** 2).sum()
        deviations = (self.true - without * self.predicted) ** 2 / (self.predicted + 1)
        variance = deviations.sum() / (count - 1)
        total = predicted.sum()
        spread = np.sqrt(total**2 * ratio_variance + variance * (predicted + 1).sum())
        half = float(stdtrit(count - 1, (1 + LEVEL) / 2) * spread)
        middle = float(ratio * total)
        return max(0, int(np.floor(middle - half))), int(np.ceil(middle + half))
