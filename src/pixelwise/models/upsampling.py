"""The layers that enlarge a decoder's feature maps: transposed convolution, bilinear, sub-pixel
convolution, max-unpooling.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.models.layers import conv_block
from pixelwise.models.pyramid import Features, Pyramid

# What a decoder's `upsample` may be: learned, fixed, learned at low resolution, or by the encoder's
# max-pooling.
UPSAMPLE = ("transposed", "bilinear", "subpixel", "unpool")


class Unpool(nn.Module):
    """Max-unpooling, one factor of 2 after the other: each value returns to the place where the
    encoder found it.

    Before it a 1x1 convolution to the channels that were pooled, after the last a 3x3 one that
    fills the zeros between. Source: Badrinarayanan, Kendall, Cipolla 2017, "SegNet", section 3.
    `strides` are those reached, coarse to fine.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        pyramid: Pyramid,
        strides: list[int],
    ) -> None:
        super().__init__()
        _check_pooling(pyramid, strides)
        self.strides = strides
        pooled_widths = [pyramid.pooled_channels[stride] for stride in strides]
        widths = [inputs, *pooled_widths]
        self.widen = nn.ModuleList()
        for before, after in pairwise(widths):
            layer = nn.Identity() if before == after else conv_block(before, after, kernel=1)
            self.widen.append(layer)
        self.fill = nn.Conv2d(widths[-1], outputs, 3, padding=1)

    def forward(self, x: Tensor, features: Features) -> Tensor:
        """(N, inputs, h, w) and the encoder's features to (N, outputs, 2^n h, 2^n w)."""
        for stride, widen in zip(self.strides, self.widen, strict=True):
            indices = features.pool_indices[stride]
            x = widen(x)
            x = F.max_unpool2d(x, indices, kernel_size=(2, 2), stride=(2, 2))
        filled: Tensor = self.fill(x)
        return filled


def _check_pooling(pyramid: Pyramid, strides: list[int]) -> None:
    missing = [stride for stride in strides if stride not in pyramid.pooled_channels]
    if missing:
        raise ConfigError(
            "upsample 'unpool' needs an encoder that halves by 2x2 max-pooling at "
            f"strides {strides}, and this one "
            f"does not at {missing}; choose a vgg, or upsample transposed, bilinear or subpixel"
        )


class SequentialWithFeatures(nn.Sequential):
    """Layers in a row, those that need the encoder's features (`Unpool`) among them."""

    def forward(self, x: Tensor, features: Features) -> Tensor:  # type: ignore[override]
        """Apply each layer; (N, inputs, h, w) to what the last one gives."""
        for layer in self:
            x = upsample_by(layer, x, features)
        return x


def upsample_by(layer: nn.Module, x: Tensor, features: Features) -> Tensor:
    """`layer`(x), with the encoder's features where the layer wants them."""
    if isinstance(layer, Unpool | SequentialWithFeatures):
        upsampled: Tensor = layer(x, features)
    else:
        upsampled = layer(x)
    return upsampled


def build_upsampler(
    kind: str,
    channels: tuple[int, int],
    *,
    strides: tuple[int, int],
    pyramid: Pyramid,
    transposed: Callable[[], nn.Module],
) -> nn.Module:
    """A layer of `channels` (inputs, outputs) from one stride to another, coarse to fine; apply it
    with `upsample_by`.

    kind: one of UPSAMPLE; `transposed` makes the transposed convolution that the decoder's paper
    has at this place. Raises ConfigError for another kind, and for `unpool` where the encoder has
    no max-pooling there.
    """
    inputs, outputs = channels
    start, end = strides
    factor = start // end
    if kind == "transposed":
        return transposed()
    if kind == "bilinear":
        return _bilinear_upsampler(inputs, outputs, factor)
    if kind == "subpixel":
        convolution = _nearest_subpixel_conv(inputs, outputs, factor)
        return nn.Sequential(convolution, nn.PixelShuffle(factor))
    if kind == "unpool":
        return Unpool(inputs, outputs, pyramid, _halve_down_to(start, end))
    raise unknown_choice_error("upsample", kind, UPSAMPLE)


def _bilinear_upsampler(inputs: int, outputs: int, factor: int) -> nn.Module:
    interpolate = nn.Upsample(
        scale_factor=factor,
        mode="bilinear",
        align_corners=False,
    )
    if inputs == outputs:
        return interpolate
    # the convolution first, on the smaller map: a 1x1 one commutes with interpolation
    convolution = nn.Conv2d(inputs, outputs, 1)
    return nn.Sequential(convolution, interpolate)


def _nearest_subpixel_conv(inputs: int, outputs: int, factor: int) -> nn.Conv2d:
    """3x3 to outputs * factor^2 channels; all pixels of a block start equal, so that no
    checkerboard is there at first.

    Source: Aitken et al. 2017, "Checkerboard artifact free sub-pixel convolution", section 4.
    """
    block = factor**2
    layer = nn.Conv2d(inputs, outputs * block, 3, padding=1)
    kernels = torch.empty(outputs, inputs, 3, 3)
    nn.init.kaiming_normal_(kernels)
    with torch.no_grad():
        # nn.PixelShuffle takes the channels of a block from neighbouring ones
        layer.weight.copy_(kernels.repeat_interleave(block, dim=0))
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def _halve_down_to(start: int, end: int) -> list[int]:
    """The strides below `start`, halved down to `end`."""
    strides = []
    stride = start
    while stride // 2 >= end:
        stride //= 2
        strides.append(stride)
    return strides
