"""LinkNet's decoder. Source: Chaurasia, Culurciello, VCIP 2017, section III and figures 1, 3."""

from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from pixelwise.models.layers import TransposedConv2d, class_scores, conv_block, enlarged

NARROWEST = 16
"""A block's inner width is a quarter of its input, but never below this: small encoders have as few as 24 channels."""

HEAD = 32
"""Channels of the last two stages (the paper's full-conv 64 -> 32, conv 32 -> 32)."""


def full_conv(inputs: int, outputs: int, *, stride: int) -> nn.Sequential:
    """The paper's full convolution: transposed 3x3 by `stride`, batch normalisation, ReLU."""
    return nn.Sequential(
        TransposedConv2d(inputs, outputs, 3, stride=stride, padding=1, output_padding=stride - 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def decoder_block(inputs: int, outputs: int, *, stride: int = 2) -> nn.Sequential:
    """1x1 to a quarter of the channels, full convolution, 1x1 to `outputs`."""
    inner = max(inputs // 4, NARROWEST)
    return nn.Sequential(
        conv_block(inputs, inner, kernel=1),
        full_conv(inner, inner, stride=stride),
        conv_block(inner, outputs, kernel=1),
    )


class LinkNet(nn.Module):
    """Decoder blocks whose output is added to the encoder's features of the same stride, down to stride 4; then a
    full convolution, a convolution and a full convolution 2x2 to the classes at the image's size.

    Beyond the paper, each stage's class scores (a 1x1 convolution) are upsampled and added up, as in `unet` and for the
    same reason: a pretrained encoder is of use from the first step.
    """

    def __init__(self, channels: dict[int, int], classes: int) -> None:
        super().__init__()
        self.strides = [s for s in sorted(channels, reverse=True) if s >= 4][1:]
        widths = [channels[max(channels)], *(channels[s] for s in self.strides)]
        self.blocks = nn.ModuleList(decoder_block(inputs, outputs) for inputs, outputs in pairwise(widths))
        self.last = decoder_block(widths[-1], widths[-1], stride=1)
        self.head = nn.Sequential(
            full_conv(widths[-1], HEAD, stride=2),
            conv_block(HEAD, HEAD),
            TransposedConv2d(HEAD, classes, 2, stride=2),
        )
        self.scores = nn.ModuleList(class_scores(width, classes) for width in widths)

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        """Features by stride to logits (N, C, H, W) at stride 1."""
        x = features[max(features)]
        logits: Tensor = self.scores[0](x)
        for block, score, stride in zip(self.blocks, self.scores[1:], self.strides, strict=True):
            x = block(x) + features[stride]
            logits = enlarged(logits, 2) + score(x)
        return enlarged(logits, 4) + cast(Tensor, self.head(self.last(x)))
