"""LinkNet's decoder. Source: Chaurasia, Culurciello, VCIP 2017, section III and figures 1, 3."""

from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from pixelwise.models.layers import SummedScores, conv_block, upsampled
from pixelwise.models.pyramid import Features, Pyramid
from pixelwise.models.upsampling import (
    SequentialWithFeatures,
    TransposedConv2d,
    upsample_by,
    upsampler,
)

NARROWEST = 16
"""A block's inner width is a quarter of its input, but never below this: small encoders have as few
as 24 channels.
"""

HEAD = 32
"""Channels of the last two stages (the paper's full-conv 64 -> 32, conv 32 -> 32)."""


class LinkNet(nn.Module):
    """Decoder blocks whose output is added to the encoder's features of the same stride, down to
    stride 4; then a full convolution, a convolution and a full convolution 2x2 to the classes at
    the image's size.

    Beyond the paper, each stage's class scores (SummedScores) are added to the head's; not so with
    `plain`.
    """

    def __init__(
        self, pyramid: Pyramid, classes: int, *, upsample: str = "transposed", plain: bool = False
    ) -> None:
        super().__init__()
        channels = pyramid.channels
        strides = [s for s in sorted(channels, reverse=True) if s >= 4]
        self.strides = strides[1:]
        widths = [channels[s] for s in strides]

        def climb(inputs: int, outputs: int, start: int, end: int, *, kernel: int = 3) -> nn.Module:
            paper = partial(_transposed, inputs, outputs, kernel)
            return upsampler(
                upsample, inputs, outputs, pyramid=pyramid, start=start, end=end, transposed=paper
            )

        def block(inputs: int, outputs: int, start: int, end: int) -> SequentialWithFeatures:
            """1x1 to a quarter of the channels, full convolution, 1x1 to `outputs`."""
            inner = max(inputs // 4, NARROWEST)
            full = (
                climb(inner, inner, start, end)
                if start > end
                else _transposed(inner, inner, 3, stride=1)
            )
            return SequentialWithFeatures(
                conv_block(inputs, inner, kernel=1),
                _normalised(full, inner),
                conv_block(inner, outputs, kernel=1),
            )

        self.blocks = nn.ModuleList(
            block(a, b, start, end)
            for (start, end), (a, b) in zip(pairwise(strides), pairwise(widths), strict=True)
        )
        self.last = block(widths[-1], widths[-1], 4, 4)
        self.head = SequentialWithFeatures(
            _normalised(climb(widths[-1], HEAD, 4, 2), HEAD),
            conv_block(HEAD, HEAD),
            climb(HEAD, classes, 2, 1, kernel=2),
        )
        self.scores = None if plain else SummedScores(widths, classes)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H, W) at stride 1."""
        stages = [features[max(features)]]
        for block, stride in zip(self.blocks, self.strides, strict=True):
            stages.append(upsample_by(block, stages[-1], features) + features[stride])
        logits = upsample_by(self.head, upsample_by(self.last, stages[-1], features), features)
        return logits if self.scores is None else upsampled(self.scores(stages), 4) + logits


def _transposed(inputs: int, outputs: int, kernel: int, *, stride: int = 2) -> TransposedConv2d:
    """The paper's full convolution: 3x3 without bias, as a normalisation follows; the last one 2x2
    with bias.
    """
    if kernel == 2:
        return TransposedConv2d(inputs, outputs, 2, stride=2)
    return TransposedConv2d(
        inputs, outputs, 3, stride=stride, padding=1, output_padding=stride - 1, bias=False
    )


def _normalised(layer: nn.Module, outputs: int) -> SequentialWithFeatures:
    return SequentialWithFeatures(layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
