"""What is minimised: the distance to the content, to the style, and to smoothness.

Source: Zhang et al., "Dive into Deep Learning", section 14.12.5; Gatys, Ecker, Bethge 2016,
sections 2.1 and 2.2.
"""

import torch
from torch import Tensor


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Mean square of the difference of two maps (1, C, h, w)."""
    difference = features - target
    return difference.square().mean()


def gram(features: Tensor) -> Tensor:
    """Products of all pairs of channels, summed over the positions: (1, C, h, w) to (C, C), divided
    by C h w.
    """
    # in float32: bfloat16 has too few digits for sums over so many positions
    flat = features.float().flatten(2)[0]  # (C, h w)
    products = flat @ flat.T  # (C, C)
    return products / flat.numel()


def style_loss(matrix: Tensor, target: Tensor) -> Tensor:
    """Mean square of the difference of two Gram matrices (C, C)."""
    difference = matrix - target
    return difference.square().mean()


def total_variation(image: Tensor) -> Tensor:
    """Half the sum of the mean absolute differences of neighbours, down and across, of an image (1,
    3, H, W).
    """
    down = image[..., 1:, :] - image[..., :-1, :]  # (1, 3, H - 1, W)
    across = image[..., :, 1:] - image[..., :, :-1]  # (1, 3, H, W - 1)
    total = torch.zeros(())
    for differences in (down, across):
        # an image of one row or column has no neighbours in that direction
        if differences.numel():
            total = total + differences.abs().mean()
    return 0.5 * total
