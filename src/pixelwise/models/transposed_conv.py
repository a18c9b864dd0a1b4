"""A transposed convolution that is fast on CPUs, and its start as bilinear interpolation."""

import torch
from torch import Tensor, nn

from pixelwise.hardware import cpu_has_bfloat16, cpu_has_float16
from pixelwise.models.blockwise_transposed import HALF_PRECISIONS, transposed_by_blocks
from pixelwise.models.conv_arithmetic import upsampling_geometry

# From this stride on a transposed convolution is faster by blocks
# (benchmarks/results/transposed_convolution.md).
BLOCKWISE_STRIDE = 8


class TransposedConv2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with the same parameters and result, and faster on CPUs.

    For strides from BLOCKWISE_STRIDE on, `transposed_by_blocks` is one and a half to five times as
    fast as PyTorch's way: in float32 on the CPU, in half precision where the processor multiplies
    such matrices by itself. In float32 it is also faster to train where blocks do not overlap.
    Everything else takes PyTorch's way, on the CPU in the layout channels_last, which is up to
    twice as fast; the result has that layout then. ONNX files hold PyTorch's layer.

    Half precision on a CPU without instructions for it is computed in float32, and rounded.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, H, W) to (N, outputs, (H - 1) s - 2 p + k, ...), as PyTorch's operator."""
        if input.ndim == 4 and output_size is None and _is_emulated(input):
            return self._forward_in_float32(input)
        if input.ndim == 4 and output_size is None and self._suits_blocks(input):
            return self._forward_by_blocks(input)
        if input.ndim == 4 and input.device.type == "cpu":
            input = input.contiguous(memory_format=torch.channels_last)
        return super().forward(input, output_size)

    def _forward_by_blocks(self, input: Tensor) -> Tensor:
        # autocast would cast only inside, after the way was chosen by dtype
        dtype = _compute_dtype(input)
        padding = (int(self.padding[0]), int(self.padding[1]))
        output = transposed_by_blocks(
            input.to(dtype),
            self.weight.to(dtype),
            stride=self.stride[0],
            padding=padding,
        )
        if self.bias is None:
            return output
        return output + self.bias[:, None, None]

    def _forward_in_float32(self, input: Tensor) -> Tensor:
        dtype = _compute_dtype(input)
        with torch.autocast("cpu", enabled=False):
            # a layer whose own weights have half precision is computed so too
            parameters = {name: value.float() for name, value in self.named_parameters()}
            output: Tensor = torch.func.functional_call(self, parameters, (input.float(),))
        return output.to(dtype)

    def _suits_blocks(self, input: Tensor) -> bool:
        """Whether blocks are possible and faster here."""
        if not self._has_square_blocks():
            return False
        kernel = self.kernel_size[0]
        stride = self.stride[0]
        device = input.device.type
        dtype = _compute_dtype(input)
        large = stride >= BLOCKWISE_STRIDE
        if dtype in HALF_PRECISIONS:
            return large and _multiplies_natively(dtype, device)
        if dtype != torch.float32 or device != "cpu" or torch.onnx.is_in_onnx_export():
            return False
        disjoint = kernel == stride  # blocks that do not overlap
        return large or (disjoint and torch.is_grad_enabled())

    def _has_square_blocks(self) -> bool:
        kernel_height, kernel_width = self.kernel_size
        row_stride, column_stride = self.stride
        if kernel_height != kernel_width or row_stride != column_stride:
            return False
        undilated = set(self.dilation) == {1}
        unpadded = set(self.output_padding) == {0}
        if self.groups != 1 or not undilated or not unpadded:
            return False
        return kernel_height % row_stride == 0


def _compute_dtype(input: Tensor) -> torch.dtype:
    device = input.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return input.dtype


def _is_emulated(input: Tensor) -> bool:
    """Whether the CPU lacks instructions for the precision that would be computed in."""
    device = input.device.type
    dtype = _compute_dtype(input)
    return device == "cpu" and dtype in HALF_PRECISIONS and not _multiplies_natively(dtype, device)


def _multiplies_natively(dtype: torch.dtype, device: str) -> bool:
    """Whether a product of matrices of that half precision is fast there."""
    if device != "cpu":
        return True
    return cpu_has_bfloat16() if dtype == torch.bfloat16 else cpu_has_float16()


def bilinear_kernel(inputs: int, outputs: int, kernel: int) -> Tensor:
    """Weights (inputs, outputs, kernel, kernel) of a transposed convolution that upsamples
    bilinearly.

    Channel i goes to channel i alone. Source: Long et al. 2015, section 4.1; Caffe's
    `BilinearFiller`.
    """
    factor = (kernel + 1) // 2
    # an even kernel is centred between two pixels
    center = factor - 1 if kernel % 2 == 1 else factor - 0.5
    distances = (torch.arange(kernel) - center).abs()
    taps = 1 - distances / factor  # (kernel,)
    weight = torch.zeros(inputs, outputs, kernel, kernel)
    channel = torch.arange(min(inputs, outputs))
    weight[channel, channel] = taps[:, None] * taps[None, :]
    return weight


def bilinear_transposed_conv(inputs: int, outputs: int, stride: int) -> TransposedConv2d:
    """A learned upsampling by `stride`, started as bilinear interpolation: kernel 2s, stride s,
    padding s/2.
    """
    geometry = upsampling_geometry(stride)
    layer = TransposedConv2d(
        inputs,
        outputs,
        geometry.kernel,
        stride,
        geometry.padding,
        bias=False,
    )
    with torch.no_grad():
        layer.weight.copy_(bilinear_kernel(inputs, outputs, geometry.kernel))
    return layer
