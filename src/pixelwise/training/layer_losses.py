"""Losses of classes that overlap, over logits (N, C, H, W) and layers (N, C, H, W): 0, 1 and void.

All give a scalar in float32, leave void out, pool over the whole batch, and are zero, with a
gradient of zero, where all is void.
"""

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from torch import Tensor

from pixelwise.classes import VOID
from pixelwise.errors import ConfigError
from pixelwise.training.losses import LOSSES, Loss, sum_losses


def binary_cross_entropy(logits: Tensor, target: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """Mean over pixels and classes, each class counted with its `weight` (C,)."""
    losses = _binary_losses(logits, target)
    counted = (target != VOID).float()
    if weight is not None:
        counted = counted * weight[:, None, None]
    return (losses * counted).sum() / counted.sum().clamp(min=1e-6)


def dice(logits: Tensor, target: Tensor) -> Tensor:
    """1 - the soft Dice coefficient of each class's layer, averaged over the classes in the target.
    Source: as `losses.dice`.
    """
    return tversky(logits, target, alpha=0.5, beta=0.5)


def tversky(logits: Tensor, target: Tensor, *, alpha: float = 0.3, beta: float = 0.7) -> Tensor:
    """As `losses.tversky`, of each class's layer, averaged over the classes in the target."""
    axes = (0, 2, 3)
    truth = target == 1
    scores = logits.float().sigmoid() * (target != VOID)
    overlap = (scores * truth).sum(axes)  # (C,)
    sizes = truth.sum(axes)
    union = overlap + alpha * (scores.sum(axes) - overlap) + beta * (sizes - overlap)
    losses = (1 - overlap / union.clamp(min=1e-6))[sizes > 0]
    return losses.mean() if len(losses) else 0 * logits.float().sum()


def focal(logits: Tensor, target: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Mean of (1 - p)^gamma times the binary cross-entropy; p is the score of what is true.
    Source: as `losses.focal`.
    """
    losses = _binary_losses(logits, target)
    counted = target != VOID
    factor = (1 - (-losses).exp()) ** gamma
    return (factor * losses * counted).sum() / counted.sum().clamp(min=1)


LAYER_LOSSES: dict[str, Callable[..., Tensor]] = {
    "cross_entropy": binary_cross_entropy,
    "dice": dice,
    "tversky": tversky,
    "focal": focal,
}


def make_layer_loss(text: str, *, weight: Tensor | None = None) -> Loss:
    """As `make_loss`, of classes that overlap. Raises ConfigError for a loss that needs one class
    a pixel.
    """
    for name in LOSSES:
        if name in text and name not in LAYER_LOSSES:
            raise ConfigError(
                f"loss '{text}': {name} needs one class a pixel; for classes that overlap "
                f"(multilabel) choose of {', '.join(LAYER_LOSSES)}"
            )
    known: dict[str, Callable[..., Tensor]] = {
        **LAYER_LOSSES,
        "cross_entropy": partial(binary_cross_entropy, weight=weight),
    }
    return sum_losses(text, known)


def _binary_losses(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy (N, C, H, W) of every pixel, void too."""
    truth = (target == 1).float()
    return F.binary_cross_entropy_with_logits(logits.float(), truth, reduction="none")
