"""A pyramid of features from a plain vision transformer, all of whose layers have one stride.

Source: Ranftl, Bochkovskiy, Koltun, ICCV 2021, "Vision Transformers for Dense Prediction", section
3 ("reassemble"): the tokens of four layers, spread evenly over the depth, become maps at strides 4,
8, 16 and 32, the shallowest the finest. Heads on frozen DINOv3 take four such layers too (Siméoni
et al. 2025). ViTDet (Li et al., ECCV 2022, section 3) needs the last layer alone where the
transformer is trained, but frozen, that one has lost what is small.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn

from pixelwise.models.transposed_conv import TransposedConv2d

# Strides of the pyramid.
STRIDES = (4, 8, 16, 32)

# Channels of each map, as in DPT's fusion blocks (its section 3) and in ViTDet.
WIDTH = 256


class Reassembly(nn.ModuleList):
    """Maps of four layers at `stride` to maps of WIDTH channels at STRIDES: normalisation and a 1x1
    convolution, then a transposed convolution to a finer stride or a strided one to a coarser.

    The first normalisation is over the channels of each token, as in the transformer: some channels
    of its residual stream are a hundred times as large as the rest.
    """

    def __init__(self, channels: int, stride: int) -> None:
        layers = []
        for target in STRIDES:
            layer = nn.Sequential(
                LayerNorm2d(channels),
                nn.Conv2d(channels, WIDTH, 1),
                _resample(stride, target),
            )
            layers.append(layer)
        super().__init__(layers)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Each (N, channels, h, w), shallowest first, to (N, WIDTH, H / s, W / s) for s in
        STRIDES.
        """
        return [layer(feature) for layer, feature in zip(self, maps, strict=True)]


def _resample(stride: int, target: int) -> nn.Module:
    if stride > target:
        factor = stride // target
        return TransposedConv2d(WIDTH, WIDTH, factor, stride=factor)
    if stride < target:
        factor = target // stride
        # every pixel is seen: 3x3 by 2, as in DPT, and 5x5 by 4
        return nn.Conv2d(WIDTH, WIDTH, factor + 1, stride=factor, padding=factor // 2)
    return nn.Identity()


def spread_over_depth(depth: int) -> list[int]:
    """Four layers (from 0), the last of each quarter; of 12: 2, 5, 8, 11."""
    quarters = len(STRIDES)
    layers = [math.ceil(depth * number / quarters) - 1 for number in range(1, quarters + 1)]
    return [max(0, layer) for layer in layers]


def is_plain(strides: Sequence[int]) -> bool:
    """Whether all features of a network have one stride."""
    return all(before == after for before, after in pairwise(strides))


def grid_stride(patch: int) -> int:
    """The stride that a grid of tokens stands for: of the powers of 2 the nearest to a patch's
    side, so that a patch of 14 pixels counts as 16.
    """
    return int(2 ** round(math.log2(patch)))


def resize_to_grid(images: Tensor, patch: int) -> Tensor:
    """(N, 3, H, W), sides multiples of 32, to such a size that there is a token for every
    `grid_stride` pixels; bilinearly, by 14 / 16 for patches of 14.
    """
    stride = grid_stride(patch)
    if patch == stride:
        return images
    height, width = images.shape[-2:]
    size = (height // stride * patch, width // stride * patch)
    return F.interpolate(images, size, mode="bilinear", align_corners=False)
