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

UPSAMPLE = ("transposed", "bilinear", "subpixel", "unpool")
"""What a decoder's `upsample` may be: learned, fixed, learned at low resolution, or by the
encoder's max-pooling.
"""

_HALVES = torch.bfloat16, torch.float16

BLOCKWISE = 8
"""From this stride on a transposed convolution is faster by blocks
(benchmarks/results/transposed_convolution.md).
"""


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
    if input.dtype not in _HALVES:
        padded = F.pad(input, (weight.shape[2] // stride - 1,) * 4).contiguous(
            memory_format=torch.channels_last
        )
        blocks = F.conv2d(padded, _kernels(weight, stride)).permute(0, 2, 3, 1)
        return _laid_out(blocks, weight.shape[1], stride, padding)
    if torch.is_grad_enabled() and (input.requires_grad or weight.requires_grad):
        result: Tensor = _Blocks.apply(input, weight, stride, padding)
        return result
    return _blocks(input, weight, stride, padding)


def _blocks(input: Tensor, weight: Tensor, stride: int, padding: tuple[int, int]) -> Tensor:
    blocks = _neighbourhoods(input, weight.shape[2] // stride) @ _matrix(weight, stride)
    return _laid_out(blocks, weight.shape[1], stride, padding)


def _laid_out(blocks: Tensor, outputs: int, stride: int, padding: tuple[int, int]) -> Tensor:
    """Blocks (N, h, w, s s O) side by side, less the padding: (N, O, h s - 2 p, w s - 2 p)."""
    images, height, width, _ = blocks.shape
    rows = blocks.reshape(images, height, width, stride, stride * outputs).transpose(2, 3)
    picture = rows.reshape(images, height * stride, width * stride, outputs)
    top, left = padding
    return picture[:, top : height * stride - top, left : width * stride - left].permute(0, 3, 1, 2)


def _neighbourhoods(input: Tensor, taps: int) -> Tensor:
    """(N, C, H, W) to the taps x taps inputs that each block depends on, (N, H + taps - 1, W + taps
    - 1, taps^2 C).
    """
    padded = F.pad(input, (taps - 1,) * 4).permute(0, 2, 3, 1)
    height = padded.shape[1] - taps + 1
    width = padded.shape[2] - taps + 1
    return torch.cat([padded[:, u : u + height, v : v + width] for u, v in _corners(taps)], dim=-1)


def _matrix(weight: Tensor, stride: int) -> Tensor:
    """Weight (C, O, m s, m s) as the matrix from a neighbourhood to a block, (m m C, s s O)."""
    inputs = weight.shape[0]
    outputs = weight.shape[1]
    taps = weight.shape[2] // stride
    parts = (
        weight.reshape(inputs, outputs, taps, stride, taps, stride)
        .permute(2, 4, 0, 3, 5, 1)
        .flip(0, 1)
    )
    return parts.reshape(taps * taps * inputs, stride * stride * outputs)


def _kernels(weight: Tensor, stride: int) -> Tensor:
    """The same as the kernels of a convolution, (s s O, C, m, m)."""
    taps = weight.shape[2] // stride
    return _matrix(weight, stride).T.reshape(-1, taps, taps, weight.shape[0]).permute(0, 3, 1, 2)


def _corners(taps: int) -> Iterator[tuple[int, int]]:
    return product(range(taps), range(taps))


class _Blocks(torch.autograd.Function):
    """`_blocks` with its gradients as two matrix products and no copy of the picture beyond the one
    they need.
    """

    @staticmethod
    def forward(
        ctx: Any, input: Tensor, weight: Tensor, stride: int, padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(input, weight)
        ctx.stride = stride
        ctx.padding = padding
        return _blocks(input, weight, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        input, weight = ctx.saved_tensors
        stride = ctx.stride
        top, left = ctx.padding
        inputs = weight.shape[0]
        outputs = weight.shape[1]
        taps = weight.shape[2] // stride
        seen = _neighbourhoods(input, taps)
        images, height, width, _ = seen.shape
        picture = F.pad(gradient.permute(0, 2, 3, 1), (0, 0, left, left, top, top))
        rows = picture.reshape(images, height, stride, width, stride * outputs)
        blocks = rows.transpose(2, 3).reshape(images * height * width, stride * stride * outputs)
        matrix = seen.reshape(len(blocks), taps * taps * inputs).T @ blocks
        parts = (
            matrix.reshape(taps, taps, inputs, stride, stride, outputs)
            .flip(0, 1)
            .permute(2, 5, 0, 3, 1, 4)
        )
        back = (blocks @ _matrix(weight, stride).T).reshape(
            images, height, width, taps * taps, inputs
        )
        padded = back.new_zeros(images, height + taps - 1, width + taps - 1, inputs)
        for number, (u, v) in enumerate(_corners(taps)):
            padded[:, u : u + height, v : v + width] += back[:, :, :, number]
        inner = padded[:, taps - 1 : height, taps - 1 : width].permute(0, 3, 1, 2)
        return inner, parts.reshape(weight.shape), None, None


class TransposedConv2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with the same parameters and result, and faster on CPUs.

    For strides from BLOCKWISE on, `transposed_by_blocks` is one and a half to five times as fast as
    PyTorch's way: in float32 on the CPU, in half precision where the processor multiplies such
    matrices by itself. In float32 it is also faster to train where blocks do not overlap.
    Everything else takes PyTorch's way, on the CPU in the layout channels_last, which is up to
    twice as fast; the result has that layout then. ONNX files hold PyTorch's layer.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, H, W) to (N, outputs, (H - 1) s - 2 p + k, ...), as PyTorch's operator."""
        if input.ndim == 4 and output_size is None and self._suits_blocks(input):
            padding = int(self.padding[0]), int(self.padding[1])
            dtype = _dtype(input)
            output = transposed_by_blocks(
                input.to(dtype), self.weight.to(dtype), stride=self.stride[0], padding=padding
            )
            return output if self.bias is None else output + self.bias[:, None, None]
        if input.ndim == 4 and input.device.type == "cpu":
            input = input.contiguous(memory_format=torch.channels_last)
        return super().forward(input, output_size)

    def _suits_blocks(self, input: Tensor) -> bool:
        stride = self.stride
        kernel = self.kernel_size
        plain = self.groups == 1 and set(self.dilation) == {1} and set(self.output_padding) == {0}
        square = stride[0] == stride[1] and kernel[0] == kernel[1]
        if not (plain and square and kernel[0] % stride[0] == 0):
            return False
        dtype = _dtype(input)
        large = stride[0] >= BLOCKWISE
        if dtype in _HALVES:
            return large and _multiplies_halves(dtype, input.device.type)
        here = (
            dtype == torch.float32
            and input.device.type == "cpu"
            and not torch.onnx.is_in_onnx_export()
        )
        return here and (large or (kernel[0] == stride[0] and torch.is_grad_enabled()))


def _dtype(input: Tensor) -> torch.dtype:
    device = input.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else input.dtype


def _multiplies_halves(dtype: torch.dtype, device: str) -> bool:
    """Whether a product of matrices of that half precision is fast there."""
    if dtype == torch.bfloat16:
        return device != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return device != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_fp16_supported())


class Unpool(nn.Module):
    """Max-unpooling, one factor of 2 after the other: each value returns to the place where the
    encoder found it.

    Before it a 1x1 convolution to the channels that were pooled, after the last a 3x3 one that
    fills the zeros between. Source: Badrinarayanan, Kendall, Cipolla 2017, "SegNet", section 3.
    `strides` are those reached, coarse to fine.
    """

    def __init__(self, inputs: int, outputs: int, pyramid: Pyramid, strides: list[int]) -> None:
        super().__init__()
        missing = [stride for stride in strides if stride not in pyramid.pooled]
        if missing:
            raise ConfigError(
                "upsample 'unpool' needs an encoder that halves by 2x2 max-pooling at "
                f"strides {strides}, and this one "
                f"does not at {missing}; choose a vgg, or upsample transposed, bilinear or subpixel"
            )
        self.strides = strides
        widths = [inputs, *(pyramid.pooled[stride] for stride in strides)]
        self.widen = nn.ModuleList(
            nn.Identity() if a == b else conv_block(a, b, kernel=1) for a, b in pairwise(widths)
        )
        self.fill = nn.Conv2d(widths[-1], outputs, 3, padding=1)

    def forward(self, x: Tensor, features: Features) -> Tensor:
        """(N, inputs, h, w) and the encoder's features to (N, outputs, 2^n h, 2^n w)."""
        for stride, widen in zip(self.strides, self.widen, strict=True):
            x = F.max_unpool2d(widen(x), features.places[stride], kernel_size=(2, 2), stride=(2, 2))
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
    result: Tensor = (
        layer(x, features) if isinstance(layer, Unpool | SequentialWithFeatures) else layer(x)
    )
    return result


def upsampler(
    kind: str,
    inputs: int,
    outputs: int,
    *,
    pyramid: Pyramid,
    start: int,
    end: int,
    transposed: Callable[[], nn.Module],
) -> nn.Module:
    """A layer from stride `start` to stride `end`, inputs to outputs channels; apply it with
    `raised`.

    kind: one of UPSAMPLE; `transposed` makes the transposed convolution that the decoder's paper
    has at this place. Raises ConfigError for another kind, and for `unpool` where the encoder has
    no max-pooling there.
    """
    factor = start // end
    if kind == "transposed":
        return transposed()
    if kind == "bilinear":
        enlarge = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)
        return (
            enlarge if inputs == outputs else nn.Sequential(nn.Conv2d(inputs, outputs, 1), enlarge)
        )
    if kind == "subpixel":
        return nn.Sequential(_started_as_nearest(inputs, outputs, factor), nn.PixelShuffle(factor))
    if kind == "unpool":
        return Unpool(inputs, outputs, pyramid, [start >> n for n in range(1, factor.bit_length())])
    raise unknown_choice_error("upsample", kind, UPSAMPLE)


def upsampling(inputs: int, outputs: int, stride: int) -> TransposedConv2d:
    """A learned upsampling by `stride`, started as bilinear interpolation: kernel 2s, stride s,
    padding s/2.
    """
    rule = upsampling_geometry(stride)
    layer = TransposedConv2d(inputs, outputs, rule.kernel, stride, rule.padding, bias=False)
    with torch.no_grad():
        layer.weight.copy_(bilinear_kernel(inputs, outputs, rule.kernel))
    return layer


def _started_as_nearest(inputs: int, outputs: int, factor: int) -> nn.Conv2d:
    """3x3 to outputs * factor^2 channels; all pixels of a block start equal, so that no
    checkerboard is there at first.

    Source: Aitken et al. 2017, "Checkerboard artifact free sub-pixel convolution", section 4.
    """
    layer = nn.Conv2d(inputs, outputs * factor**2, 3, padding=1)
    first = nn.init.kaiming_normal_(torch.empty(outputs, inputs, 3, 3))
    with torch.no_grad():
        layer.weight.copy_(first.repeat_interleave(factor**2, dim=0))
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
