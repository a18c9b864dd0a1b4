"""The whole network: normalise, encode, decode, fit to the input's size."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.encoder import Encoder
from pixelwise.models.layers import resize_like

# Sides that are multiples of it stay whole numbers at a scale of so many quarters.
SCALE_ALIGN = 4


class Segmenter(nn.Module):
    """Float RGB, or other bands, (N, channels, H, W) in [0, 1] to logits (N, C, H, W), at exactly
    the input's size for every H, W >= 1.

    Normalisation constants are buffers and travel with the weights. The padding, at the right and
    the bottom, is zero after normalisation, which is what the encoder's own convolutions see beyond
    a border. In eval mode the images are resized by `scale`, and the logits resized back, both
    bilinearly. `multilabel` says that classes overlap: a logit is that of its class alone.
    """

    mean: Tensor
    std: Tensor

    # What stands before the names of the encoder's weights.
    encoder_prefix = "encoder.net."

    def __init__(
        self,
        encoder: Encoder,
        decoder: nn.Module,
        *,
        classes: int,
        temperature: float = 1.0,
        scale: float = 1.0,
        multilabel: bool = False,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.multilabel = multilabel
        self.temperature = temperature
        self.scale = scale
        self.encoder = encoder
        self.decoder = decoder
        self.register_buffer("mean", per_channel(encoder.mean))
        self.register_buffer("std", per_channel(encoder.std))

    @property
    def channels(self) -> int:
        """Of the pictures that it takes."""
        return self.mean.shape[1]

    @property
    def gives_cacheable_features(self) -> bool:
        """Whether its encoder's network gives a list of maps that are all its decoder sees."""
        return not self.encoder.pyramid.pooled_channels

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, H, W) in [0, 1] to logits (N, C, H, W)."""
        images = (images - self.mean) / self.std
        if self.scale != 1 and not self.training:
            logits = self._logits_at_scale(images)
        else:
            logits = self._logits(images)
        # a division by 1 would still cost a pass over memory
        if self.temperature == 1:
            return logits
        return logits / self.temperature

    def _logits_at_scale(self, images: Tensor) -> Tensor:
        """The logits of the resized images, resized back."""
        padded = pad_to_multiple(images, SCALE_ALIGN)
        resized = F.interpolate(
            padded,
            scale_factor=self.scale,
            mode="bilinear",
            align_corners=False,
        )
        logits = self._logits(resized)
        logits = resize_like(logits, padded)
        return crop_to(logits, images)

    def _logits(self, images: Tensor) -> Tensor:
        padded = pad_to_multiple(images, self.encoder.align)
        features = self.encoder(padded)
        logits: Tensor = self.decoder(features)  # (N, C, H', W'), at stride 1 or a few
        if logits.shape[-2:] != padded.shape[-2:]:
            logits = resize_like(logits, padded)
        return crop_to(logits, images)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """With zeros at the right and the bottom, up to a multiple of so many pixels a side."""
    height, width = images.shape[-2:]
    right = -width % multiple
    bottom = -height % multiple
    return F.pad(images, (0, right, 0, bottom))


def crop_to(logits: Tensor, images: Tensor) -> Tensor:
    """The upper left part, of the size of `images`."""
    height, width = images.shape[-2:]
    return logits[..., :height, :width]


def per_channel(values: Sequence[float]) -> Tensor:
    """(1, 3, 1, 1) of a value for each channel."""
    flat = torch.tensor(values)  # (3,)
    return flat.reshape(1, 3, 1, 1)
