"""U-Net's expanding path. Source: Ronneberger, Fischer, Brox, MICCAI 2015, section 2 and figure 1."""

import torch
from torch import Tensor, nn

from pixelwise.models.layers import TransposedConv2d, conv_block

WIDTHS = {16: 256, 8: 128, 4: 64, 2: 32, 1: 16}
"""Channels of the decoder by stride."""


class UNet(nn.Module):
    """Up-convolution 2x2, concatenation with the encoder's features, two convolutions 3x3; then 1x1 scores.

    It climbs to the encoder's finest stride; what is left to the image's size (2 for most encoders) is interpolated.
    Unlike the paper's, convolutions are padded and normalised, so sizes stay and nothing is cropped, and each pair of
    convolutions has a linear 1x1 shortcut around it (Zhang, Liu, Wang 2018, "Road extraction by deep residual U-Net").
    With few images and few epochs that decides: what the encoder knows reaches the scores at once, not after eight new
    layers have learned to pass it on.
    """

    def __init__(self, channels: dict[int, int], classes: int) -> None:
        super().__init__()
        *finer, coarsest = channels
        self.strides = finer[::-1]
        above = [channels[coarsest], *(WIDTHS[s] for s in self.strides)]
        self.ups = nn.ModuleList(
            _up_convolution(inputs, WIDTHS[s]) for inputs, s in zip(above[:-1], self.strides, strict=True)
        )
        self.blocks = nn.ModuleList(_ResidualBlock(WIDTHS[s] + channels[s], WIDTHS[s]) for s in self.strides)
        self.score = nn.Conv2d(above[-1], classes, 1)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """Features by stride to logits (N, C, H / s, W / s) at the encoder's finest stride s."""
        x = features[max(features)]
        for up, block, stride in zip(self.ups, self.blocks, self.strides, strict=True):
            x = block(torch.cat([up(x), features[stride]], dim=1))
        logits: Tensor = self.score(x)
        return logits


class _ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation, plus a 1x1 shortcut; no activation after the sum."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            conv_block(inputs, outputs),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1)
        nn.init.normal_(self.shortcut.weight, std=inputs**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        total: Tensor = self.convolutions(x) + self.shortcut(x)
        return total


def _up_convolution(inputs: int, outputs: int) -> TransposedConv2d:
    """Each output pixel sees one input pixel, so weights of variance 1 / inputs keep the variance of the features."""
    layer = TransposedConv2d(inputs, outputs, 2, stride=2)
    nn.init.normal_(layer.weight, std=inputs**-0.5)
    return layer
