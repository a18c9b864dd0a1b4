"""Lite reduced ASPP, MobileNetV3's head. Source: Howard et al., ICCV 2019, section 6.4 and figure
10.
"""

from torch import Tensor, nn

from pixelwise.models.layers import class_scores, conv_block, resize_like
from pixelwise.models.pooling import pool_to_bins
from pixelwise.models.pyramid import Features, Pyramid

CHANNELS = 128


class LRASPP(nn.Module):
    """A 1x1 convolution of the coarsest features, its channels weighted by what the whole picture
    holds, scored, and added to class scores of the features of stride 8.

    The coarsest features are those of a last stage dilated to stride 16, as in the paper, or those
    of stride 32 where timm cannot dilate the encoder. As in torchvision, the weights come from an
    average over the whole picture, which in the paper is taken over large windows.
    """

    def __init__(self, pyramid: Pyramid, classes: int) -> None:
        super().__init__()
        inputs = pyramid.channels[max(pyramid.channels)]
        self.reduce = conv_block(inputs, CHANNELS, kernel=1)
        self.weigh = nn.Sequential(
            nn.Conv2d(inputs, CHANNELS, 1, bias=False),
            nn.Sigmoid(),
        )
        self.fine_scores = class_scores(pyramid.channels[8], classes)
        self.coarse_scores = class_scores(CHANNELS, classes)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H / 8, W / 8)."""
        coarsest = features[max(features)]
        weights = self.weigh(pool_to_bins(coarsest, 1))  # (N, 128, 1, 1)
        weighted = self.reduce(coarsest) * weights  # (N, 128, H / 16, W / 16)
        fine: Tensor = self.fine_scores(features[8])  # (N, C, H / 8, W / 8)
        # scored first: a 1x1 convolution commutes with interpolation
        coarse = self.coarse_scores(weighted)
        return fine + resize_like(coarse, fine)
