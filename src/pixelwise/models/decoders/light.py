"""A light decoder of this project: context at the coarsest stride, then one narrow convolution a
stage.

A feature pyramid (Lin et al. 2017, "Feature Pyramid Networks", section 3: lateral 1x1 convolutions
and sums) whose coarsest features are summed with their averages over windows (after Zhao et al.
2017, section 3.2; of fixed windows, as in Pan et al. 2022, "Deep Dual-Resolution Networks", section
III-C, so that a crop and a whole image are seen alike), and which scores every stage.
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.layers import SummedScores, conv_block, upsample_bilinear
from pixelwise.models.pyramid import Features, Pyramid

# Channels of the decoder by stride.
CHANNELS = {64: 160, 32: 160, 16: 96, 8: 64, 4: 48, 2: 24, 1: 16}

# Sides of the windows that are averaged at the coarsest stride, beside the whole image.
WINDOWS = (3, 7)


class Light(nn.Module):
    """Sums where U-Net concatenates, one 3x3 convolution where it has two, and fewer channels: a
    fifth of its arithmetic (benchmarks/results/front.md).

    It goes up to the encoder's finest stride, so that thin things stay; what is left to the image's
    size is interpolated.
    """

    def __init__(self, pyramid: Pyramid, classes: int) -> None:
        super().__init__()
        self.strides = sorted(pyramid.channels, reverse=True)
        coarsest, *finer = self.strides
        widths = [CHANNELS[stride] for stride in self.strides]
        self.context = _Context(pyramid.channels[coarsest], widths[0])
        self.laterals = nn.ModuleList()
        self.reductions = nn.ModuleList()
        self.blocks = nn.ModuleList()
        for stride, (inputs, outputs) in zip(finer, pairwise(widths), strict=True):
            self.laterals.append(nn.Conv2d(pyramid.channels[stride], outputs, 1))
            self.reductions.append(nn.Conv2d(inputs, outputs, 1, bias=False))
            self.blocks.append(_build_block(outputs))
        self.scores = SummedScores(widths, classes)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H / s, W / s) at the encoder's finest stride s."""
        coarsest, *finer = self.strides
        stages = [self.context(features[coarsest])]  # each (N, width, H / stride, W / stride)
        layers = zip(self.laterals, self.reductions, self.blocks, finer, strict=True)
        for lateral, reduction, block, stride in layers:
            # fewer channels first: less is interpolated
            upsampled = upsample_bilinear(reduction(stages[-1]), 2)
            stages.append(block(lateral(features[stride]) + upsampled))
        logits: Tensor = self.scores(stages)
        return logits


def _build_block(width: int) -> nn.Sequential:
    """Normalises a sum, and convolves it."""
    return nn.Sequential(
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        conv_block(width, width),
    )


class _Context(nn.Module):
    """Features and their averages over windows and the whole image, each after a 1x1 convolution,
    summed.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.own = conv_block(inputs, width, kernel=1)
        self.averages = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in (*WINDOWS, None))
        self.join = conv_block(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, width, h, w)."""
        own = self.own(features)
        *of_windows, of_image = self.averages
        total = own + of_image(own.mean((2, 3), keepdim=True))
        for window, layer in zip(WINDOWS, of_windows, strict=True):
            average = F.avg_pool2d(own, window, 1, window // 2, count_include_pad=False)
            total = total + layer(average)
        joined: Tensor = self.join(total)
        return joined
