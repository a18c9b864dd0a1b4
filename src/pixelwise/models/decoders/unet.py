"""U-Net's expanding path. Source: Ronneberger, Fischer, Brox, MICCAI 2015, section 2 and figure
1.
"""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from pixelwise.models.layers import SummedScores, class_scores, conv_block
from pixelwise.models.pyramid import Features, Pyramid
from pixelwise.models.transposed_conv import TransposedConv2d
from pixelwise.models.upsampling import build_upsampler, upsample_by

# Channels of the decoder by stride.
CHANNELS = {16: 256, 8: 128, 4: 64, 2: 32, 1: 16}


class UNet(nn.Module):
    """Up-convolution 2x2, concatenation with the encoder's features, two convolutions 3x3, stage by
    stage.

    It goes up to the encoder's finest stride; what is left to the image's size (2 for most
    encoders) is interpolated. Unlike the paper's, convolutions are padded and normalised, so sizes
    stay and nothing is cropped.

    `plain`: the stages have as many channels as the encoder there (512 to 64 on the paper's own),
    and a 1x1 convolution of the last one gives the classes. Otherwise CHANNELS, and SummedScores.
    """

    def __init__(
        self,
        pyramid: Pyramid,
        classes: int,
        *,
        upsample: str = "transposed",
        plain: bool = False,
    ) -> None:
        super().__init__()
        *finer, coarsest = pyramid.channels
        self.strides = finer[::-1]
        channels = pyramid.channels if plain else CHANNELS
        # by stride, coarse to fine
        widths = {coarsest: pyramid.channels[coarsest]}
        for stride in self.strides:
            widths[stride] = channels[stride]
        self.ups = _build_ups(upsample, widths, pyramid)
        self.blocks = nn.ModuleList()
        for stride in self.strides:
            block = _build_block(pyramid.channels[stride], widths[stride])
            self.blocks.append(block)
        self.plain = plain
        if plain:
            finest = finer[0]
            self.scores: nn.Module = class_scores(widths[finest], classes)
        else:
            self.scores = SummedScores(widths.values(), classes)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H / s, W / s) at the encoder's finest stride s."""
        stages = [features[max(features)]]  # each (N, width, H / stride, W / stride)
        for up, block, stride in zip(self.ups, self.blocks, self.strides, strict=True):
            upsampled = upsample_by(up, stages[-1], features)
            joined = _concatenate(upsampled, features[stride])
            stages.append(block(joined))
        scored = stages[-1] if self.plain else stages
        logits: Tensor = self.scores(scored)
        return logits


def _build_ups(kind: str, widths: Mapping[int, int], pyramid: Pyramid) -> nn.ModuleList:
    """The upsampling from each stage to the next, for channels by stride, coarse to fine."""
    ups = nn.ModuleList()
    for (start, inputs), (end, outputs) in pairwise(widths.items()):
        layer = build_upsampler(
            kind,
            (inputs, outputs),
            strides=(start, end),
            pyramid=pyramid,
            transposed=partial(_up_convolution, inputs, outputs),
        )
        ups.append(layer)
    return ups


def _build_block(skip_channels: int, width: int) -> nn.Sequential:
    """Two convolutions of the concatenation of `width` channels and the skip's."""
    return nn.Sequential(
        conv_block(width + skip_channels, width),
        conv_block(width, width),
    )


def _concatenate(upsampled: Tensor, skip: Tensor) -> Tensor:
    """Channels after one another. The encoder's gradient gets memory of its own: PyTorch gives it a
    slice, on which the backward of batch normalisation takes up to 50 times as long
    (benchmarks/results/train_speed.md).
    """
    if skip.requires_grad:
        skip.register_hook(_make_dense)  # type: ignore[no-untyped-call]
    return torch.cat([upsampled, skip], dim=1)


def _make_dense(gradient: Tensor) -> Tensor:
    """Without the gaps between a slice's rows; channels last, if the slice is so."""
    if gradient.stride(1) == 1:
        return gradient.contiguous(memory_format=torch.channels_last)
    return gradient.contiguous()


def _up_convolution(inputs: int, outputs: int) -> TransposedConv2d:
    """Each output pixel sees one input pixel, so weights of variance 1 / inputs keep the variance
    of the features.
    """
    layer = TransposedConv2d(inputs, outputs, 2, stride=2)
    nn.init.normal_(layer.weight, std=inputs**-0.5)
    return layer
