"""Building blocks that several decoders share."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv_block(inputs: int, outputs: int, *, kernel: int = 3) -> nn.Sequential:
    """Convolution that keeps the size, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def class_scores(inputs: int, classes: int) -> nn.Conv2d:
    """A 1x1 convolution to class scores, started with Xavier weights and no bias."""
    layer = nn.Conv2d(inputs, classes, 1)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(cast(Tensor, layer.bias))
    return layer


def enlarged(logits: Tensor, factor: int) -> Tensor:
    """(N, C, H, W) to (N, C, factor H, factor W), bilinearly."""
    return F.interpolate(logits, scale_factor=factor, mode="bilinear", align_corners=False)


def bilinear_kernel(inputs: int, outputs: int, kernel: int) -> Tensor:
    """Weights (inputs, outputs, kernel, kernel) of a transposed convolution that upsamples bilinearly.

    Channel i goes to channel i alone. Source: Long et al. 2015, section 4.1; Caffe's `BilinearFiller`.
    """
    factor = (kernel + 1) // 2
    center = factor - 1 if kernel % 2 == 1 else factor - 0.5
    taps = 1 - (torch.arange(kernel) - center).abs() / factor
    weight = torch.zeros(inputs, outputs, kernel, kernel)
    channel = torch.arange(min(inputs, outputs))
    weight[channel, channel] = taps[:, None] * taps[None, :]
    return weight


class TransposedConv2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with the same parameters and result, computed faster where kernel is a multiple of stride.

    With kernel m*s and stride s each output block of s x s pixels depends on m x m inputs, so the whole is one m x m
    convolution to C*s*s channels, a pixel shuffle by s and a crop of `padding` on each side (Shi et al. 2016, section
    3.2, the sub-pixel identity). CPU libraries have fast kernels for that in every precision, and for
    strides such as 32 they have none for the plain form in bfloat16.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, H, W) to (N, outputs, (H - 1) s - 2 p + k, ...), as PyTorch's operator."""
        if output_size is not None or not self._is_subpixel():
            return super().forward(input, output_size)
        stride, taps = self.stride[0], self.kernel_size[0] // self.stride[0]
        weight = self.weight.reshape(self.in_channels, self.out_channels, taps, stride, taps, stride)
        weight = weight.permute(1, 3, 5, 0, 2, 4).flip(-2, -1)  # (outputs, s, s, inputs, m, m)
        weight = weight.reshape(-1, self.in_channels, taps, taps)
        blocks = F.conv2d(input, weight, padding=taps - 1)
        output = F.pixel_shuffle(blocks, stride)
        top, left = int(self.padding[0]), int(self.padding[1])
        output = output[..., top : output.shape[-2] - top, left : output.shape[-1] - left]
        return output if self.bias is None else output + self.bias[:, None, None]

    def _is_subpixel(self) -> bool:
        square = len({*self.stride}) == len({*self.kernel_size}) == 1
        plain = self.groups == 1 and set(self.dilation) == {1} and set(self.output_padding) == {0}
        return square and plain and self.kernel_size[0] % self.stride[0] == 0


def upsampling(inputs: int, outputs: int, stride: int) -> TransposedConv2d:
    """A learned upsampling by `stride`, started as bilinear interpolation: kernel 2s, stride s, padding s/2."""
    layer = TransposedConv2d(inputs, outputs, 2 * stride, stride, padding=stride // 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(bilinear_kernel(inputs, outputs, 2 * stride))
    return layer
