"""Feature pyramid network for segmentation. Source: Lin et al., CVPR 2017, "Feature pyramid
networks for object detection", section 3; the segmentation branch: Kirillov, Girshick, He, Dollar,
CVPR 2019, "Panoptic feature pyramid networks", section 3 and figure 3.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.layers import class_scores
from pixelwise.models.pyramid import Features, Pyramid

STRIDES = (32, 16, 8, 4)

PYRAMID_CHANNELS = 256

SEGMENTATION_CHANNELS = 128

# Channels are normalised in this many groups.
GROUPS = 32


class FPN(nn.Module):
    """A pyramid of equal channels, added up from coarse to fine; each of its maps enlarged to
    stride 4 by convolutions and bilinear steps of 2, and their sum.

    The pyramid is enlarged to the nearest pixel, as in the first paper. The steps of 2 have aligned
    corners, as in segmentation_models.pytorch, whose dropout is left out.
    """

    def __init__(self, pyramid: Pyramid, classes: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList()
        self.branches = nn.ModuleList()
        for stride in STRIDES:
            lateral = nn.Conv2d(pyramid.channels[stride], PYRAMID_CHANNELS, 1)
            self.laterals.append(lateral)
            self.branches.append(_build_branch(stride))
        self.scores = class_scores(SEGMENTATION_CHANNELS, classes)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H / 4, W / 4)."""
        summed = self.laterals[0](features[32])  # (N, 256, H / 32, W / 32)
        semantic = self.branches[0](summed)  # (N, 128, H / 4, W / 4)
        finer = zip(STRIDES[1:], self.laterals[1:], self.branches[1:], strict=True)
        for stride, lateral, branch in finer:
            enlarged = F.interpolate(summed, scale_factor=2.0, mode="nearest")
            summed = enlarged + lateral(features[stride])  # (N, 256, H / stride, W / stride)
            semantic = semantic + branch(summed)
        logits: Tensor = self.scores(semantic)
        return logits


def _build_branch(stride: int) -> nn.Sequential:
    """From the pyramid's map of a stride to stride 4: a convolution, and where it is coarser one
    for each step of 2.
    """
    layers: list[nn.Module] = [*_conv_group_norm(PYRAMID_CHANNELS)]
    while stride > 4:
        enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        layers.append(enlarge)
        stride //= 2
        if stride > 4:
            layers += _conv_group_norm(SEGMENTATION_CHANNELS)
    return nn.Sequential(*layers)


def _conv_group_norm(inputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, SEGMENTATION_CHANNELS, 3, padding=1, bias=False),
        nn.GroupNorm(GROUPS, SEGMENTATION_CHANNELS),
        nn.ReLU(inplace=True),
    ]
