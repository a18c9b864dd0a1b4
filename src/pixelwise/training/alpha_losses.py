"""Losses of alpha mattes, over logits (N, 2, H, W) and levels (N, H, W): 0 to ALPHA_LEVELS, or
void.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from pixelwise.classes import VOID
from pixelwise.datasets.alpha import ALPHA_LEVELS
from pixelwise.training.losses import LOSSES, Loss, sum_losses


def soft_cross_entropy(logits: Tensor, target: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """Cross-entropy whose truth is alpha for the second class and the rest for the first: a pixel
    that a hair half covers is right at one half. Each class counts with its `weight` (2,).
    """
    counted = (target != VOID).float()
    alpha = target.float() / ALPHA_LEVELS
    truth = torch.stack([1 - alpha, alpha], dim=1) * counted[:, None]  # (N, 2, H, W)
    if weight is not None:
        truth = truth * weight[:, None, None]
    losses = -(truth * logits.float().log_softmax(1)).sum()
    return losses / truth.sum().clamp(min=1e-6)


def to_classes(target: Tensor) -> Tensor:
    """Class ids of levels: the second class from half opacity on."""
    return torch.where(target == VOID, VOID, (2 * target > ALPHA_LEVELS).to(target.dtype))


def make_alpha_loss(text: str, *, weight: Tensor | None = None) -> Loss:
    """As `make_loss`; of levels are the cross-entropies, the other losses take classes."""

    def on_classes(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda logits, target: loss(logits, to_classes(target))

    known = {name: on_classes(loss) for name, loss in LOSSES.items()}
    known["cross_entropy"] = partial(soft_cross_entropy, weight=weight)
    return sum_losses(text, known)
