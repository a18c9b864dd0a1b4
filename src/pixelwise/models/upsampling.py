"""Ways to make feature maps larger: transposed convolution, bilinear, sub-pixel convolution,
max-unpooling.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise, product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.models.conv_arithmetic import upsampling_geometry
from pixelwise.models.layers import conv_block
from pixelwise.models.pyramid import Features, Pyramid

# What a decoder's `upsample` may be: learned, fixed, learned at low resolution, or by the encoder's
# max-pooling.
UPSAMPLE = ("transposed", "bilinear", "subpixel", "unpool")

_HALF_PRECISIONS = (torch.bfloat16, torch.float16)

# From this stride on a transposed convolution is faster by blocks
# (benchmarks/results/transposed_convolution.md).
BLOCKWISE_STRIDE = 8


def bilinear_kernel(inputs: int, outputs: int, kernel: int) -> Tensor:
    """Weights (inputs, outputs, kernel, kernel) of a transposed convolution that upsamples
    bilinearly.

    Channel i goes to channel i alone. Source: Long et al. 2015, section 4.1; Caffe's
    `BilinearFiller`.
    """
    factor = (kernel + 1) // 2
    center = factor - 1 if kernel % 2 == 1 else factor - 0.5
    taps = 1 - (torch.arange(kernel) - center).abs() / factor
    weight = torch.zeros(inputs, outputs, kernel, kernel)
    channel = torch.arange(min(inputs, outputs))
    weight[channel, channel] = taps[:, None] * taps[None, :]
    return weight


def transposed_by_blocks(
    input: Tensor, weight: Tensor, *, stride: int, padding: tuple[int, int]
) -> Tensor:
    """`F.conv_transpose2d` for a square kernel of m times `stride` pixels, as one product over
    neighbourhoods.

    Each output block of s x s pixels depends on m x m inputs: the product over those neighbourhoods
    gives the blocks' pixels, which are laid out, and `padding` is cut on each side. Source: Shi et
    al. 2016, section 3.2, the sub-pixel identity. In half precision it is a matrix product, in full
    precision an m x m convolution, whichever is faster. input (N, C, H, W), weight (C, O, m s, m s)
    to (N, O, (H + m - 1) s - 2 p, ...), channels last in memory.
    """
    if input.dtype not in _HALF_PRECISIONS:
        taps = weight.shape[2] // stride
        padded = F.pad(input, (taps - 1,) * 4).contiguous(memory_format=torch.channels_last)
        blocks = F.conv2d(padded, _block_kernels(weight, stride)).permute(0, 2, 3, 1)
        return _blocks_to_image(blocks, weight.shape[1], stride, padding)
    if torch.is_grad_enabled() and (input.requires_grad or weight.requires_grad):
        output: Tensor = _TransposedByMatrix.apply(input, weight, stride, padding)
        return output
    return _multiply_blocks(input, weight, stride, padding)


def _multiply_blocks(
    input: Tensor, weight: Tensor, stride: int, padding: tuple[int, int]
) -> Tensor:
    neighbourhoods = _gather_neighbourhoods(input, weight.shape[2] // stride)
    blocks = neighbourhoods @ _block_matrix(weight, stride)  # (N, h, w, s s O)
    return _blocks_to_image(blocks, weight.shape[1], stride, padding)


def _blocks_to_image(blocks: Tensor, outputs: int, stride: int, padding: tuple[int, int]) -> Tensor:
    """Blocks (N, h, w, s s O) side by side, less the padding: (N, O, h s - 2 p, w s - 2 p)."""
    images, height, width, _ = blocks.shape
    rows = blocks.reshape(images, height, width, stride, stride * outputs).transpose(2, 3)
    whole = rows.reshape(images, height * stride, width * stride, outputs)
    top, left = padding
    cropped = whole[:, top : height * stride - top, left : width * stride - left]
    return cropped.permute(0, 3, 1, 2)


def _gather_neighbourhoods(input: Tensor, taps: int) -> Tensor:
    """(N, C, H, W) to the taps x taps inputs that each block depends on, (N, H + taps - 1, W + taps
    - 1, taps^2 C).
    """
    padded = F.pad(input, (taps - 1,) * 4).permute(0, 2, 3, 1)
    height = padded.shape[1] - taps + 1
    width = padded.shape[2] - taps + 1
    shifted = [padded[:, u : u + height, v : v + width] for u, v in _tap_offsets(taps)]
    return torch.cat(shifted, dim=-1)


def _block_matrix(weight: Tensor, stride: int) -> Tensor:
    """Weight (C, O, m s, m s) as the matrix from a neighbourhood to a block, (m m C, s s O)."""
    inputs, outputs, kernel, _ = weight.shape
    taps = kernel // stride
    split = weight.reshape(inputs, outputs, taps, stride, taps, stride)
    ordered = split.permute(2, 4, 0, 3, 5, 1).flip(0, 1)
    return ordered.reshape(taps * taps * inputs, stride * stride * outputs)


def _block_kernels(weight: Tensor, stride: int) -> Tensor:
    """The same as the kernels of a convolution, (s s O, C, m, m)."""
    taps = weight.shape[2] // stride
    matrix = _block_matrix(weight, stride)
    return matrix.T.reshape(-1, taps, taps, weight.shape[0]).permute(0, 3, 1, 2)


def _tap_offsets(taps: int) -> Iterator[tuple[int, int]]:
    return product(range(taps), range(taps))


class _TransposedByMatrix(torch.autograd.Function):
    """`_multiply_blocks` with its gradients as two matrix products and no copy of the image beyond
    the one they need.
    """

    @staticmethod
    def forward(
        ctx: Any, input: Tensor, weight: Tensor, stride: int, padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(input, weight)
        ctx.stride = stride
        ctx.padding = padding
        return _multiply_blocks(input, weight, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        input, weight = ctx.saved_tensors
        neighbourhoods = _gather_neighbourhoods(input, weight.shape[2] // ctx.stride)
        blocks = _image_to_blocks(gradient, neighbourhoods.shape, ctx.stride, ctx.padding)
        of_input = _input_gradient(blocks, weight, ctx.stride, neighbourhoods.shape)
        of_weight = _weight_gradient(blocks, neighbourhoods, weight.shape, ctx.stride)
        return of_input, of_weight, None, None


def _image_to_blocks(
    gradient: Tensor, shape: torch.Size, stride: int, padding: tuple[int, int]
) -> Tensor:
    """The inverse of `_blocks_to_image`: (N h w, s s O), for a `shape` of (N, h, w, ...)."""
    images, height, width, _ = shape
    outputs = gradient.shape[1]
    top, left = padding
    whole = F.pad(gradient.permute(0, 2, 3, 1), (0, 0, left, left, top, top))
    rows = whole.reshape(images, height, stride, width, stride * outputs)
    return rows.transpose(2, 3).reshape(images * height * width, stride * stride * outputs)


def _input_gradient(blocks: Tensor, weight: Tensor, stride: int, shape: torch.Size) -> Tensor:
    """(N, C, H, W): each input gets the sum of what the neighbourhoods that hold it get."""
    images, height, width, _ = shape
    inputs = weight.shape[0]
    taps = weight.shape[2] // stride
    products = blocks @ _block_matrix(weight, stride).T
    of_taps = products.reshape(images, height, width, taps * taps, inputs)
    padded = of_taps.new_zeros(images, height + taps - 1, width + taps - 1, inputs)
    for tap, (u, v) in enumerate(_tap_offsets(taps)):
        padded[:, u : u + height, v : v + width] += of_taps[:, :, :, tap]
    return padded[:, taps - 1 : height, taps - 1 : width].permute(0, 3, 1, 2)


def _weight_gradient(
    blocks: Tensor, neighbourhoods: Tensor, shape: torch.Size, stride: int
) -> Tensor:
    """Of the weight's `shape`, (C, O, m s, m s)."""
    inputs, outputs, kernel, _ = shape
    taps = kernel // stride
    matrix = neighbourhoods.reshape(len(blocks), taps * taps * inputs).T @ blocks
    split = matrix.reshape(taps, taps, inputs, stride, stride, outputs)
    return split.flip(0, 1).permute(2, 5, 0, 3, 1, 4).reshape(shape)


class TransposedConv2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with the same parameters and result, and faster on CPUs.

    For strides from BLOCKWISE_STRIDE on, `transposed_by_blocks` is one and a half to five times as
    fast as PyTorch's way: in float32 on the CPU, in half precision where the processor multiplies
    such matrices by itself. In float32 it is also faster to train where blocks do not overlap.
    Everything else takes PyTorch's way, on the CPU in the layout channels_last, which is up to
    twice as fast; the result has that layout then. ONNX files hold PyTorch's layer.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, H, W) to (N, outputs, (H - 1) s - 2 p + k, ...), as PyTorch's operator."""
        if input.ndim == 4 and output_size is None and self._suits_blocks(input):
            dtype = _compute_dtype(input)
            output = transposed_by_blocks(
                input.to(dtype),
                self.weight.to(dtype),
                stride=self.stride[0],
                padding=(int(self.padding[0]), int(self.padding[1])),
            )
            return output if self.bias is None else output + self.bias[:, None, None]
        if input.ndim == 4 and input.device.type == "cpu":
            input = input.contiguous(memory_format=torch.channels_last)
        return super().forward(input, output_size)

    def _suits_blocks(self, input: Tensor) -> bool:
        """Whether blocks are possible and faster here."""
        kernel = self.kernel_size
        stride = self.stride
        plain = self.groups == 1 and set(self.dilation) == {1} and set(self.output_padding) == {0}
        square = stride[0] == stride[1] and kernel[0] == kernel[1]
        if not (plain and square and kernel[0] % stride[0] == 0):
            return False
        dtype = _compute_dtype(input)
        large = stride[0] >= BLOCKWISE_STRIDE
        if dtype in _HALF_PRECISIONS:
            return large and _multiplies_natively(dtype, input.device.type)
        if dtype != torch.float32 or input.device.type != "cpu" or torch.onnx.is_in_onnx_export():
            return False
        disjoint = kernel[0] == stride[0]  # blocks that do not overlap
        return large or (disjoint and torch.is_grad_enabled())


def _compute_dtype(input: Tensor) -> torch.dtype:
    device = input.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else input.dtype


def _multiplies_natively(dtype: torch.dtype, device: str) -> bool:
    """Whether a product of matrices of that half precision is fast there."""
    if device != "cpu":
        return True
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_fp16_supported())


class Unpool(nn.Module):
    """Max-unpooling, one factor of 2 after the other: each value returns to the place where the
    encoder found it.

    Before it a 1x1 convolution to the channels that were pooled, after the last a 3x3 one that
    fills the zeros between. Source: Badrinarayanan, Kendall, Cipolla 2017, "SegNet", section 3.
    `strides` are those reached, coarse to fine.
    """

    def __init__(self, inputs: int, outputs: int, pyramid: Pyramid, strides: list[int]) -> None:
        super().__init__()
        missing = [stride for stride in strides if stride not in pyramid.pooled_channels]
        if missing:
            raise ConfigError(
                "upsample 'unpool' needs an encoder that halves by 2x2 max-pooling at "
                f"strides {strides}, and this one "
                f"does not at {missing}; choose a vgg, or upsample transposed, bilinear or subpixel"
            )
        self.strides = strides
        widths = [inputs, *(pyramid.pooled_channels[stride] for stride in strides)]
        self.widen = nn.ModuleList(
            nn.Identity() if before == after else conv_block(before, after, kernel=1)
            for before, after in pairwise(widths)
        )
        self.fill = nn.Conv2d(widths[-1], outputs, 3, padding=1)

    def forward(self, x: Tensor, features: Features) -> Tensor:
        """(N, inputs, h, w) and the encoder's features to (N, outputs, 2^n h, 2^n w)."""
        for stride, widen in zip(self.strides, self.widen, strict=True):
            indices = features.pool_indices[stride]
            x = F.max_unpool2d(widen(x), indices, kernel_size=(2, 2), stride=(2, 2))
        filled: Tensor = self.fill(x)
        return filled


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
        interpolate = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)
        if inputs == outputs:
            return interpolate
        return nn.Sequential(nn.Conv2d(inputs, outputs, 1), interpolate)
    if kind == "subpixel":
        convolution = _nearest_subpixel_conv(inputs, outputs, factor)
        return nn.Sequential(convolution, nn.PixelShuffle(factor))
    if kind == "unpool":
        halvings = factor.bit_length() - 1
        return Unpool(inputs, outputs, pyramid, [start >> n for n in range(1, halvings + 1)])
    raise unknown_choice_error("upsample", kind, UPSAMPLE)


def bilinear_transposed_conv(inputs: int, outputs: int, stride: int) -> TransposedConv2d:
    """A learned upsampling by `stride`, started as bilinear interpolation: kernel 2s, stride s,
    padding s/2.
    """
    geometry = upsampling_geometry(stride)
    layer = TransposedConv2d(inputs, outputs, geometry.kernel, stride, geometry.padding, bias=False)
    with torch.no_grad():
        layer.weight.copy_(bilinear_kernel(inputs, outputs, geometry.kernel))
    return layer


def _nearest_subpixel_conv(inputs: int, outputs: int, factor: int) -> nn.Conv2d:
    """3x3 to outputs * factor^2 channels; all pixels of a block start equal, so that no
    checkerboard is there at first.

    Source: Aitken et al. 2017, "Checkerboard artifact free sub-pixel convolution", section 4.
    """
    layer = nn.Conv2d(inputs, outputs * factor**2, 3, padding=1)
    shared = nn.init.kaiming_normal_(torch.empty(outputs, inputs, 3, 3))
    with torch.no_grad():
        layer.weight.copy_(shared.repeat_interleave(factor**2, dim=0))
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
