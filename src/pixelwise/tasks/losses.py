"""Losses over logits (N, C, H, W) and targets (N, H, W) of class ids and void."""

import torch.nn.functional as F
from torch import Tensor

from pixelwise.tasks.labels import VOID


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy over the pixels that are not void; zero, with a gradient, where all are."""
    total = F.cross_entropy(logits.float(), target, ignore_index=VOID, reduction="sum")
    counted: Tensor = (target != VOID).sum().clamp(min=1)
    return total / counted
