"""U-Net's expanding path. Source: Ronneberger, Fischer, Brox, MICCAI 2015, section 2 and figure
1.
"""

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from pixelwise.models.layers import SummedScores, class_scores, conv_block
from pixelwise.models.pyramid import Features, Pyramid
from pixelwise.models.upsampling import TransposedConv2d, upsample_by, upsampler

WIDTHS = {16: 256, 8: 128, 4: 64, 2: 32, 1: 16}
"""Channels of the decoder by stride."""


class UNet(nn.Module):
    """Up-convolution 2x2, concatenation with the encoder's features, two convolutions 3x3, stage by
    stage.

    It climbs to the encoder's finest stride; what is left to the image's size (2 for most encoders)
    is interpolated. Unlike the paper's, convolutions are padded and normalised, so sizes stay and
    nothing is cropped.

    `plain`: the stages have as many channels as the encoder there (512 to 64 on the paper's own),
    and a 1x1 convolution of the last one gives the classes. Otherwise WIDTHS, and SummedScores.
    """

    def __init__(
        self, pyramid: Pyramid, classes: int, *, upsample: str = "transposed", plain: bool = False
    ) -> None:
        super().__init__()
        *finer, coarsest = pyramid.channels
        self.strides = finer[::-1]
        stages = {coarsest: pyramid.channels[coarsest]}
        stages |= {s: pyramid.channels[s] if plain else WIDTHS[s] for s in self.strides}
        self.ups = nn.ModuleList(
            upsampler(
                upsample,
                a,
                b,
                pyramid=pyramid,
                start=start,
                end=end,
                transposed=partial(_up_convolution, a, b),
            )
            for (start, a), (end, b) in pairwise(stages.items())
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                conv_block(stages[s] + pyramid.channels[s], stages[s]),
                conv_block(stages[s], stages[s]),
            )
            for s in self.strides
        )
        self.plain = plain
        self.scores = (
            class_scores(stages[finer[0]], classes)
            if plain
            else SummedScores(stages.values(), classes)
        )

    def forward(self, features: Features) -> Tensor:
        """Features by stride to logits (N, C, H / s, W / s) at the encoder's finest stride s."""
        stages = [features[max(features)]]
        for up, block, stride in zip(self.ups, self.blocks, self.strides, strict=True):
            risen = upsample_by(up, stages[-1], features)
            stages.append(block(_joined(risen, features[stride])))
        logits: Tensor = self.scores(stages[-1] if self.plain else stages)
        return logits


def _joined(risen: Tensor, skipped: Tensor) -> Tensor:
    """Channels after one another. The encoder's gradient gets memory of its own: PyTorch gives it a
    slice, on which the backward of batch normalisation takes up to 50 times as long
    (benchmarks/results/train_speed.md).
    """
    if skipped.requires_grad:
        skipped.register_hook(_in_one_piece)  # type: ignore[no-untyped-call]
    return torch.cat([risen, skipped], dim=1)


def _in_one_piece(gradient: Tensor) -> Tensor:
    """Channels last, if the slice is so, without the gaps."""
    last = gradient.stride(1) == 1
    return gradient.contiguous(
        memory_format=torch.channels_last if last else torch.contiguous_format
    )


def _up_convolution(inputs: int, outputs: int) -> TransposedConv2d:
    """Each output pixel sees one input pixel, so weights of variance 1 / inputs keep the variance
    of the features.
    """
    layer = TransposedConv2d(inputs, outputs, 2, stride=2)
    nn.init.normal_(layer.weight, std=inputs**-0.5)
    return layer
