"""SegFormer's all-MLP decoder. Source: Xie, Wang, Yu, Anandkumar, Alvarez, Luo, NeurIPS 2021,
section 3.2 and equation 4.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.layers import class_scores, resize_like
from pixelwise.models.pyramid import Features, Pyramid

STRIDES = (32, 16, 8, 4)

# Those of the paper's B0 and B1; its larger ones have 768.
CHANNELS = 256


class SegFormer(nn.Module):
    """Each stride's features through a linear layer, enlarged to stride 4, through another linear
    layer together, then batch normalisation, ReLU and the classes.

    Beside the paper, the second layer is applied before the features are enlarged, in one part for
    each stride: a linear layer of a pixel commutes with interpolation. There it follows the first
    one directly, and the two are one layer, whose weights are the product of theirs: the outputs
    are the same for a tenth of the work.
    """

    def __init__(self, pyramid: Pyramid, classes: int) -> None:
        super().__init__()
        self.linears = nn.ModuleList()
        self.fusions = nn.ModuleList()
        for stride in STRIDES:
            linear = nn.Conv2d(pyramid.channels[stride], CHANNELS, 1)
            self.linears.append(linear)
            self.fusions.append(nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False))
        self.activate = nn.Sequential(nn.BatchNorm2d(CHANNELS), nn.ReLU(inplace=True))
        self.scores = class_scores(CHANNELS, classes)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H / 4, W / 4)."""
        parts = []  # each (N, 256, H / stride, W / stride)
        for stride, linear, fusion in zip(STRIDES, self.linears, self.fusions, strict=True):
            parts.append(_apply_both(linear, fusion, features[stride]))
        *coarser, fused = parts
        for part in coarser:
            fused = fused + resize_like(part, fused)
        logits: Tensor = self.scores(self.activate(fused))
        return logits


def _apply_both(first: nn.Module, second: nn.Module, features: Tensor) -> Tensor:
    """Two 1x1 convolutions, the second without bias, by the product of their weights."""
    outer = second.get_parameter("weight").flatten(1)
    weight = outer @ first.get_parameter("weight").flatten(1)
    return F.conv2d(features, weight[:, :, None, None], outer @ first.get_parameter("bias"))
