"""U-Net's expanding path. Source: Ronneberger, Fischer, Brox, MICCAI 2015, section 2 and figure 1."""

import torch
from torch import Tensor, nn

from pixelwise.models.layers import TransposedConv2d, class_scores, conv_block, enlarged

WIDTHS = {16: 256, 8: 128, 4: 64, 2: 32, 1: 16}
"""Channels of the decoder by stride."""


class UNet(nn.Module):
    """Up-convolution 2x2, concatenation with the encoder's features, two convolutions 3x3, stage by stage.

    It climbs to the encoder's finest stride; what is left to the image's size (2 for most encoders) is interpolated.
    Unlike the paper's, convolutions are padded and normalised, so sizes stay and nothing is cropped. And each stage
    gives class scores by a 1x1 convolution, which are upsampled and added up (Kayalibay, Jensen, van der Smagt 2017,
    "CNN-based segmentation of medical imaging data", section 3): what a pretrained encoder knows reaches the loss at
    once, not after eight new layers have learned to pass it on. With few images and few epochs that decides.
    """

    def __init__(self, channels: dict[int, int], classes: int) -> None:
        super().__init__()
        *finer, coarsest = channels
        self.strides = finer[::-1]
        widths = [channels[coarsest], *(WIDTHS[s] for s in self.strides)]
        self.ups = nn.ModuleList(
            _up_convolution(inputs, WIDTHS[s]) for inputs, s in zip(widths[:-1], self.strides, strict=True)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(conv_block(WIDTHS[s] + channels[s], WIDTHS[s]), conv_block(WIDTHS[s], WIDTHS[s]))
            for s in self.strides
        )
        self.scores = nn.ModuleList(class_scores(width, classes) for width in widths)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """Features by stride to logits (N, C, H / s, W / s) at the encoder's finest stride s."""
        x = features[max(features)]
        logits: Tensor = self.scores[0](x)
        for up, block, score, stride in zip(self.ups, self.blocks, self.scores[1:], self.strides, strict=True):
            x = block(torch.cat([up(x), features[stride]], dim=1))
            logits = enlarged(logits, 2) + score(x)
        return logits


def _up_convolution(inputs: int, outputs: int) -> TransposedConv2d:
    """Each output pixel sees one input pixel, so weights of variance 1 / inputs keep the variance of the features."""
    layer = TransposedConv2d(inputs, outputs, 2, stride=2)
    nn.init.normal_(layer.weight, std=inputs**-0.5)
    return layer
