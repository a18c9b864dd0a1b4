"""Building blocks that several decoders share."""

from collections.abc import Iterable
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn


def conv_block(inputs: int, outputs: int, *, kernel: int = 3) -> nn.Sequential:
    """Convolution that keeps the size, batch normalisation, ReLU."""
    return nn.Sequential(
        # without bias, which the normalisation would take out again
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def class_scores(inputs: int, classes: int) -> nn.Conv2d:
    """A 1x1 convolution to class scores, started with Xavier weights and no bias."""
    layer = nn.Conv2d(inputs, classes, 1)
    # Glorot and Bengio 2010, equation 16: no ReLU follows
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(cast(Tensor, layer.bias))
    return layer


def resize_like(features: Tensor, target: Tensor, *, align_corners: bool = False) -> Tensor:
    """(N, C, h, w) at the height and width of `target`, bilinearly."""
    size = target.shape[-2:]
    return F.interpolate(features, size, mode="bilinear", align_corners=align_corners)


def upsample_bilinear(logits: Tensor, factor: int) -> Tensor:
    """(N, C, H, W) to (N, C, factor H, factor W), bilinearly."""
    return F.interpolate(
        logits,
        scale_factor=factor,
        mode="bilinear",
        align_corners=False,
    )


class SummedScores(nn.ModuleList):
    """Class scores of every stage of a decoder, from coarse to fine, each upsampled by 2 and added
    to the next.

    Source: Kayalibay, Jensen, van der Smagt 2017, "CNN-based segmentation of medical imaging data",
    section 3. What a pretrained encoder knows reaches the loss at once, not after eight new layers
    have learned to pass it on. With few images and few epochs that decides.
    """

    def __init__(self, widths: Iterable[int], classes: int) -> None:
        layers = [class_scores(width, classes) for width in widths]
        super().__init__(layers)

    def forward(self, stages: list[Tensor]) -> Tensor:
        """Features (N, width, h, w) of each stage to logits (N, classes, h, w) at the finest."""
        first, *finer = self
        logits: Tensor = first(stages[0])
        for layer, stage in zip(finer, stages[1:], strict=True):
            coarser = upsample_bilinear(logits, 2)
            scores = layer(stage)  # (N, classes, 2 h, 2 w)
            logits = coarser + scores
        return logits
