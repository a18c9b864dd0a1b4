"""U-Net's expanding path. Source: Ronneberger, Fischer, Brox, MICCAI 2015, section 2 and figure
1.
"""

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from pixelwise.models.layers import SummedScores, class_scores, conv_block
from pixelwise.models.pyramid import Features, Pyramid
from pixelwise.models.upsampling import TransposedConv2d, build_upsampler, upsample_by

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
        self, pyramid: Pyramid, classes: int, *, upsample: str = "transposed", plain: bool = False
    ) -> None:
        super().__init__()
        *finer, coarsest = pyramid.channels
        self.strides = finer[::-1]
        channels = pyramid.channels if plain else CHANNELS
        widths = {coarsest: pyramid.channels[coarsest]}
        widths |= {stride: channels[stride] for stride in self.strides}
        self.ups = nn.ModuleList(
            build_upsampler(
                upsample,
                (inputs, outputs),
                strides=(start, end),
                pyramid=pyramid,
                transposed=partial(_up_convolution, inputs, outputs),
            )
            for (start, inputs), (end, outputs) in pairwise(widths.items())
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                conv_block(widths[stride] + pyramid.channels[stride], widths[stride]),
                conv_block(widths[stride], widths[stride]),
            )
            for stride in self.strides
        )
        self.plain = plain
        if plain:
            self.scores: nn.Module = class_scores(widths[finer[0]], classes)
        else:
            self.scores = SummedScores(widths.values(), classes)

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H / s, W / s) at the encoder's finest stride s."""
        stages = [features[max(features)]]  # each (N, width, H / stride, W / stride)
        for up, block, stride in zip(self.ups, self.blocks, self.strides, strict=True):
            upsampled = upsample_by(up, stages[-1], features)
            stages.append(block(_concatenate(upsampled, features[stride])))
        logits: Tensor = self.scores(stages[-1] if self.plain else stages)
        return logits


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
