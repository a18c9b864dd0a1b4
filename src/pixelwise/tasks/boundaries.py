"""How well outlines are met: IoU over the pixels near the borders of the masks alone."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.tasks.labels import VOID

WIDTH = 0.02
"""Share of the image's diagonal that counts as near a border (Cheng et al. 2021, section 4)."""


class BoundaryIoU:
    """Boundary IoU by class, pooled over images.

    Of each mask only the pixels within `width` (a share of the diagonal, at least one pixel) of its own outline count;
    the image's border is an outline as well. Void pixels of the truth count nowhere. Source: Cheng, Girshick, Dollár,
    Berg, Kirillov, CVPR 2021, "Boundary IoU", equation 2; distances are measured along rows and columns, as in the
    authors' code.
    """

    def __init__(self, classes: int, *, width: float = WIDTH) -> None:
        self.width = width
        self.intersection = torch.zeros(classes, dtype=torch.long)
        self.union = torch.zeros(classes, dtype=torch.long)

    def update(self, truth: Tensor, labels: Tensor) -> None:
        """Count one image: true and predicted class ids (H, W)."""
        height, width = truth.shape
        reach = max(1, round(self.width * (height**2 + width**2) ** 0.5))
        counted = truth != VOID
        for label in range(len(self.union)):
            a, b = truth == label, (labels == label) & counted
            if a.any() or b.any():
                a, b = _rim(a, reach), _rim(b, reach)
                self.intersection[label] += (a & b).sum()
                self.union[label] += (a | b).sum()

    def scores(self) -> list[float | None]:
        """By class; None where a class is in neither truth nor prediction."""
        pairs = zip(self.intersection.tolist(), self.union.tolist(), strict=True)
        return [both / either if either else None for both, either in pairs]

    def mean(self) -> float:
        """Over the classes that have a score."""
        known = [score for score in self.scores() if score is not None]
        return sum(known) / len(known)


def _rim(mask: Tensor, reach: int) -> Tensor:
    """The pixels of `mask` (H, W) that are less than `reach` + 1 steps from outside it or from the image's border."""
    outside = F.pad((~mask).float()[None, None], (reach,) * 4, value=1.0)
    near = F.max_pool2d(F.max_pool2d(outside, (1, 2 * reach + 1), stride=1), (2 * reach + 1, 1), stride=1)[0, 0] > 0
    return mask & near
