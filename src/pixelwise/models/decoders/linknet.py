"""LinkNet's decoder. Source: Chaurasia, Culurciello, VCIP 2017, section III and figures 1, 3."""

from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from pixelwise.models.layers import SummedScores, conv_block, upsample_bilinear
from pixelwise.models.pyramid import Features, Pyramid
from pixelwise.models.upsampling import (
    SequentialWithFeatures,
    TransposedConv2d,
    build_upsampler,
    upsample_by,
)

# A block's inner width is a quarter of its input, but never below this: small encoders have as few
# as 24 channels.
MIN_INNER_CHANNELS = 16

# Channels of the last two stages (the paper's full-conv 64 -> 32, conv 32 -> 32).
HEAD_CHANNELS = 32


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

        def upsampler(
            inputs: int, outputs: int, start: int, end: int, *, kernel: int = 3
        ) -> nn.Module:
            return build_upsampler(
                upsample,
                (inputs, outputs),
                strides=(start, end),
                pyramid=pyramid,
                transposed=partial(_full_conv, inputs, outputs, kernel),
            )

        def block(inputs: int, outputs: int, start: int, end: int) -> SequentialWithFeatures:
            """1x1 to a quarter of the channels, full convolution, 1x1 to `outputs`."""
            inner = max(inputs // 4, MIN_INNER_CHANNELS)
            if start > end:
                full_conv = upsampler(inner, inner, start, end)
            else:
                full_conv = _full_conv(inner, inner, 3, stride=1)
            return SequentialWithFeatures(
                conv_block(inputs, inner, kernel=1),
                _normalised(full_conv, inner),
                conv_block(inner, outputs, kernel=1),
            )

        self.blocks = nn.ModuleList(
            block(inputs, outputs, start, end)
            for (start, end), (inputs, outputs) in zip(
                pairwise(strides), pairwise(widths), strict=True
            )
        )
        self.last = block(widths[-1], widths[-1], 4, 4)
        self.head = SequentialWithFeatures(
            _normalised(upsampler(widths[-1], HEAD_CHANNELS, 4, 2), HEAD_CHANNELS),
            conv_block(HEAD_CHANNELS, HEAD_CHANNELS),
            upsampler(HEAD_CHANNELS, classes, 2, 1, kernel=2),
        )
        self.scores = None if plain else SummedScores(widths, classes)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H, W) at stride 1."""
        stages = [features[max(features)]]  # each (N, width, H / stride, W / stride)
        for block, stride in zip(self.blocks, self.strides, strict=True):
            stages.append(upsample_by(block, stages[-1], features) + features[stride])
        finest = upsample_by(self.last, stages[-1], features)
        logits = upsample_by(self.head, finest, features)
        if self.scores is None:
            return logits
        return upsample_bilinear(self.scores(stages), 4) + logits


def _full_conv(inputs: int, outputs: int, kernel: int, *, stride: int = 2) -> TransposedConv2d:
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
