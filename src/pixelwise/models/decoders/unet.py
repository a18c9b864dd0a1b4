"""U-Net's expanding path. Source: Ronneberger, Fischer, Brox, MICCAI 2015, section 2 and figure 1."""

import torch
from torch import Tensor, nn

from pixelwise.models.layers import TransposedConv2d, conv_block

WIDTHS = {16: 256, 8: 128, 4: 64, 2: 32, 1: 16}
"""Channels of the decoder by stride."""


class UNet(nn.Module):
    """Up-convolution 2x2, concatenation with the encoder's features, two convolutions 3x3; then 1x1 scores.

    It climbs to the encoder's finest stride; what is left to the image's size (2 for most encoders) is interpolated.
    Unlike the paper's, convolutions are padded and normalised, so sizes stay and nothing is cropped.
    """

    def __init__(self, channels: dict[int, int], classes: int) -> None:
        super().__init__()
        *finer, coarsest = channels
        self.strides = finer[::-1]
        above = [channels[coarsest], *(WIDTHS[s] for s in self.strides)]
        self.ups = nn.ModuleList(
            _up_convolution(inputs, WIDTHS[s]) for inputs, s in zip(above[:-1], self.strides, strict=True)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(conv_block(WIDTHS[s] + channels[s], WIDTHS[s]), conv_block(WIDTHS[s], WIDTHS[s]))
            for s in self.strides
        )
        self.score = nn.Conv2d(above[-1], classes, 1)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """Features by stride to logits (N, C, H / s, W / s) at the encoder's finest stride s."""
        x = features[max(features)]
        for up, block, stride in zip(self.ups, self.blocks, self.strides, strict=True):
            x = block(torch.cat([up(x), features[stride]], dim=1))
        logits: Tensor = self.score(x)
        return logits


def _up_convolution(inputs: int, outputs: int) -> TransposedConv2d:
    """Each output pixel sees one input pixel, so the variance is kept with 2 / inputs (section 3, after He et al.)."""
    layer = TransposedConv2d(inputs, outputs, 2, stride=2)
    nn.init.normal_(layer.weight, std=(2 / inputs) ** 0.5)
    return layer
