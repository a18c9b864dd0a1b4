"""PSPNet. Source: Zhao, Shi, Qi, Wang, Jia, CVPR 2017, section 3.2 and figure 3."""

import torch
from torch import Tensor, nn

from pixelwise.models.layers import conv_block
from pixelwise.models.pooling import PyramidPooling
from pixelwise.models.pyramid import Features, Pyramid

CHANNELS = 512

# Into so many parts a side the picture is pooled.
BINS = (1, 2, 3, 6)


class PSPNet(nn.Module):
    """The coarsest features beside their averages over the whole and its parts, a 1x1 convolution,
    and a 3x3 one to the classes.

    The coarsest features are those of an encoder dilated to stride 8, as in the paper, or those of
    stride 32 where timm cannot dilate it. The convolutions at the end are those of
    segmentation_models.pytorch, without its dropout; the paper leaves them open. Interpolation has
    aligned corners, as the authors' code has.
    """

    def __init__(self, pyramid: Pyramid, classes: int) -> None:
        super().__init__()
        inputs = pyramid.channels[max(pyramid.channels)]
        pooled = inputs // len(BINS)
        self.pooling = PyramidPooling(inputs, pooled, bins=BINS, align_corners=True)
        self.fuse = conv_block(len(BINS) * pooled + inputs, CHANNELS, kernel=1)
        self.scores = nn.Conv2d(CHANNELS, classes, 3, padding=1)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H / s, W / s) at the coarsest stride s."""
        coarsest = features[max(features)]  # (N, inputs, H / s, W / s)
        joined = torch.cat([*self.pooling(coarsest), coarsest], dim=1)
        logits: Tensor = self.scores(self.fuse(joined))
        return logits
