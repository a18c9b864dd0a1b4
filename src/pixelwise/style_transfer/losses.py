"""What is minimised: the distance to the content, to the style, and to smoothness.

Source: Zhang et al., "Dive into Deep Learning", section 14.12.5; Gatys, Ecker, Bethge 2016,
sections 2.1 and 2.2.
"""

import torch
from torch import Tensor


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Mean square of the difference of two maps (1, C, h, w)."""
    return (features - target).square().mean()


def gram(features: Tensor) -> Tensor:
    """Products of all pairs of channels, summed over the positions: (1, C, h, w) to (C, C), divided
    by C h w.
    """
    flat = features.float().flatten(2)[0]  # (C, h w)
    return flat @ flat.T / flat.numel()


def style_loss(matrix: Tensor, target: Tensor) -> Tensor:
    """Mean square of the difference of two Gram matrices (C, C)."""
    return (matrix - target).square().mean()


def total_variation(image: Tensor) -> Tensor:
    """Half the sum of the mean absolute differences of neighbours, down and across, of an image (1,
    3, H, W).
    """
    down = (image[..., 1:, :] - image[..., :-1, :]).abs()
    across = (image[..., :, 1:] - image[..., :, :-1]).abs()
    # an image of one row or column has no neighbours in that direction
    means = [differences.mean() for differences in (down, across) if differences.numel()]
    return 0.5 * sum(means, torch.zeros(()))
