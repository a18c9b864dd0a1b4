"""The whole network: normalise, encode, decode, fit to the input's size."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.encoder import Encoder

ALIGN = 32
"""Inputs are padded to a multiple of the coarsest stride, so that features of all strides align."""


class Segmenter(nn.Module):
    """Float RGB (N, 3, H, W) in [0, 1] to logits (N, C, H, W), at exactly the input's size for every H, W >= 1.

    Normalisation constants are buffers and travel with the weights. The padding, at the right and the bottom, is zero
    after normalisation, which is what the encoder's own convolutions see beyond a border.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Encoder, decoder: nn.Module, *, classes: int, temperature: float = 1.0) -> None:
        super().__init__()
        self.classes = classes
        self.temperature = temperature
        self.encoder = encoder
        self.decoder = decoder
        self.register_buffer("mean", _per_channel(encoder.mean))
        self.register_buffer("std", _per_channel(encoder.std))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to logits (N, C, H, W)."""
        height, width = images.shape[-2:]
        images = (images - self.mean) / self.std
        padded = F.pad(images, (0, -width % ALIGN, 0, -height % ALIGN))
        logits = self.decoder(self.encoder(padded))  # (N, C, H', W'), at stride 1 or a few
        if logits.shape[-2:] != padded.shape[-2:]:
            logits = F.interpolate(logits, padded.shape[-2:], mode="bilinear", align_corners=False)
        fitted: Tensor = logits[..., :height, :width]
        return fitted if self.temperature == 1 else fitted / self.temperature


def _per_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values).reshape(1, 3, 1, 1)
