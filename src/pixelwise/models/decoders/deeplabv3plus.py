"""DeepLabV3+. Source: Chen, Zhu, Papandreou, Schroff, Adam, ECCV 2018, section 3; its pyramid of
dilated convolutions (ASPP): Chen, Papandreou, Schroff, Adam 2017, "Rethinking atrous convolution
for semantic image segmentation", section 3.3.
"""

import torch
from torch import Tensor, nn

from pixelwise.models.layer_swaps import run_depthwise_in_float32
from pixelwise.models.layers import class_scores, conv_block, resize_like
from pixelwise.models.pooling import PooledConv
from pixelwise.models.pyramid import Features, Pyramid

CHANNELS = 256

# Channels to which the features of stride 4 are reduced.
SKIP_CHANNELS = 48

# Dilations at stride 16; at another stride those of the same reach in the image.
RATES = (6, 12, 18)


class DeepLabV3Plus(nn.Module):
    """Dilated convolutions of the coarsest features, enlarged to stride 4, joined with the features
    there, and one separable convolution 3x3.

    The coarsest features are those of a last stage dilated to stride 16, as in the paper, or those
    of stride 32 where timm cannot dilate the encoder; the dilations are halved then. Beside the
    paper: one convolution after the junction, not two, and no normalisation of the pooled features,
    which have one value per channel. Interpolation has aligned corners, as the authors' code has.
    """

    def __init__(self, pyramid: Pyramid, classes: int) -> None:
        super().__init__()
        coarsest = max(pyramid.channels)
        rates = [rate * 16 // coarsest for rate in RATES]
        self.context = nn.Sequential(
            ASPP(pyramid.channels[coarsest], CHANNELS, rates),
            _separable_block(CHANNELS, CHANNELS),
        )
        self.skip = conv_block(pyramid.channels[4], SKIP_CHANNELS, kernel=1)
        self.fuse = _separable_block(SKIP_CHANNELS + CHANNELS, CHANNELS)
        self.scores = class_scores(CHANNELS, classes)
        run_depthwise_in_float32(self)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H / 4, W / 4)."""
        coarsest = features[max(features)]
        context = self.context(coarsest)  # (N, 256, H / 16, W / 16)
        skip = self.skip(features[4])  # (N, 48, H / 4, W / 4)
        enlarged = resize_like(context, skip, align_corners=True)
        joined = torch.cat([enlarged, skip], dim=1)
        logits: Tensor = self.scores(self.fuse(joined))
        return logits


class ASPP(nn.Module):
    """A 1x1 convolution, separable 3x3 ones dilated by `rates` and the pooled image, side by side,
    then a 1x1 convolution of all.
    """

    def __init__(self, inputs: int, outputs: int, rates: list[int]) -> None:
        super().__init__()
        branches: list[nn.Module] = [conv_block(inputs, outputs, kernel=1)]
        for rate in rates:
            branch = _separable_block(inputs, outputs, dilation=rate)
            branches.append(branch)
        branches.append(PooledConv(inputs, outputs))
        self.branches = nn.ModuleList(branches)
        self.project = conv_block(len(branches) * outputs, outputs, kernel=1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        contexts = [branch(features) for branch in self.branches]
        projected: Tensor = self.project(torch.cat(contexts, dim=1))
        return projected


def _separable_block(inputs: int, outputs: int, *, dilation: int = 1) -> nn.Sequential:
    """A 3x3 convolution of each channel, then a block of 1x1 across them (section 3.1)."""
    depthwise = nn.Conv2d(
        inputs,
        inputs,
        3,
        padding=dilation,
        dilation=dilation,
        groups=inputs,
        bias=False,
    )
    return nn.Sequential(depthwise, *conv_block(inputs, outputs, kernel=1))
