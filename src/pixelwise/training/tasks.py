"""What a network's logits mean, one class a pixel, several, or alpha: how they are decided and
counted.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from pixelwise.metrics.confusion import ConfusionMatrix
from pixelwise.metrics.layer_counts import LayerCounts
from pixelwise.training.alpha_losses import soft_cross_entropy, to_classes
from pixelwise.training.layer_losses import binary_cross_entropy
from pixelwise.training.losses import Loss, cross_entropy

PixelCounts = ConfusionMatrix | LayerCounts


def _as_it_is(target: Tensor) -> Tensor:
    return target


@dataclass(frozen=True)
class Task:
    """What training does with logits."""

    make_counts: Callable[[int], PixelCounts]
    """Counts of no pixel yet, of so many classes."""
    decide: Callable[[Tensor], Tensor]
    """Logits (N, C, H, W) to what is counted beside the target."""
    validation_loss: Loss
    to_truth: Callable[[Tensor], Tensor] = _as_it_is
    """The target to what is counted."""


def _top_class(logits: Tensor) -> Tensor:
    return logits.argmax(1)


def _above_half(logits: Tensor) -> Tensor:
    """Layers (N, C, H, W) where the score is above .5; thresholds are sought after the training."""
    return logits > 0


ONE_CLASS = Task(ConfusionMatrix, _top_class, cross_entropy)
ALPHA = Task(ConfusionMatrix, _top_class, soft_cross_entropy, to_classes)
MULTILABEL = Task(LayerCounts, _above_half, binary_cross_entropy)
