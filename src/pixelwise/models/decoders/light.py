"""A light pyramid decoder of this project: context at the coarsest stride, then one narrow
convolution a stage.

After the feature pyramid of Lin et al. 2017 (section 3: lateral 1x1 convolutions and sums), the
averages over windows of PSPNet (Zhao et al. 2017, section 3.2; here of fixed windows, as in DDRNet,
Pan et al. 2022, section III-C, so that a crop and a whole image are seen alike), and the summed
class scores of the stages.
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.layers import SummedScores, conv_block, upsample_bilinear
from pixelwise.models.pyramid import Features, Pyramid

# Channels of the decoder by stride, at most those of the encoder there.
CHANNELS = {32: 160, 16: 96, 8: 64, 4: 48, 2: 24, 1: 16}

# Sides of the windows that are averaged at the coarsest stride, beside the whole image.
WINDOWS = (3, 7)


class Light(nn.Module):
    """Sums where U-Net concatenates, one 3x3 convolution where it has two, and a third of the
    channels: a tenth of its arithmetic.

    It goes up to the encoder's finest stride; what is left to the image's size is interpolated.
    """

    def __init__(
        self, pyramid: Pyramid, classes: int, *, upsample: str = "bilinear", plain: bool = False
    ) -> None:
        super().__init__()
        self.strides = sorted(pyramid.channels, reverse=True)
        widths = [CHANNELS[stride] for stride in self.strides]
        self.context = _Context(pyramid.channels[self.strides[0]], widths[0])
        self.laterals = nn.ModuleList()
        self.narrows = nn.ModuleList()
        self.blocks = nn.ModuleList()
        for (coarse, fine), stride in zip(pairwise(widths), self.strides[1:], strict=True):
            self.laterals.append(nn.Conv2d(pyramid.channels[stride], fine, 1))
            self.narrows.append(nn.Conv2d(coarse, fine, 1, bias=False))
            self.blocks.append(_block(fine))
        self.scores = SummedScores(widths, classes)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H / s, W / s) at the encoder's finest stride s."""
        stages = [
            self.context(features[self.strides[0]])
        ]  # each (N, width, H / stride, W / stride)
        steps = zip(self.laterals, self.narrows, self.blocks, self.strides[1:], strict=True)
        for lateral, narrow, block, stride in steps:
            skip = lateral(features[stride])
            coarse = upsample_bilinear(narrow(stages[-1]), 2)
            stages.append(block(skip + coarse))
        logits: Tensor = self.scores(stages)
        return logits


def _block(width: int) -> nn.Sequential:
    """The sum normalised, then a convolution."""
    return nn.Sequential(
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        conv_block(width, width),
    )


class _Context(nn.Module):
    """Features and their averages over windows, summed after a 1x1 convolution each."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.own = conv_block(inputs, width, kernel=1)
        self.averages = nn.ModuleList()
        for _ in (*WINDOWS, None):
            self.averages.append(nn.Conv2d(width, width, 1))
        self.join = conv_block(width, width)

    def forward(self, feature: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, width, h, w)."""
        own = self.own(feature)
        total = own
        *local, whole = self.averages
        for window, layer in zip(WINDOWS, local, strict=True):
            average = F.avg_pool2d(own, window, 1, window // 2, count_include_pad=False)
            total = total + layer(average)
        total = total + whole(own.mean((2, 3), keepdim=True))
        joined: Tensor = self.join(total)
        return joined
