"""The transposed convolution whose kernel is a multiple of its stride, as one product over
neighbourhoods.

Source: Shi et al. 2016, section 3.2, the sub-pixel identity. Kernels have m times the stride s,
pixels a side: each output block of s x s pixels depends on m x m inputs. Shapes below have C inputs
and O outputs; h = H + m - 1 and w = W + m - 1 are the blocks in height and width.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

HALF_PRECISIONS = (torch.bfloat16, torch.float16)


def transposed_by_blocks(
    input: Tensor,
    weight: Tensor,
    *,
    stride: int,
    padding: tuple[int, int],
) -> Tensor:
    """`F.conv_transpose2d` for a square kernel of m times `stride` pixels.

    The product over the neighbourhoods gives the blocks' pixels, which are laid out, and `padding`
    is cut on each side. In half precision it is a matrix product, in full precision an m x m
    convolution, whichever is faster. input (N, C, H, W), weight (C, O, m s, m s) to
    (N, O, h s - 2 p, w s - 2 p), channels last in memory.
    """
    if input.dtype not in HALF_PRECISIONS:
        return _convolve_blocks(input, weight, stride, padding)
    trained = input.requires_grad or weight.requires_grad
    if torch.is_grad_enabled() and trained:
        output: Tensor = _TransposedByMatrix.apply(input, weight, stride, padding)
        return output
    return _multiply_blocks(input, weight, stride, padding)


def _convolve_blocks(
    input: Tensor,
    weight: Tensor,
    stride: int,
    padding: tuple[int, int],
) -> Tensor:
    taps = weight.shape[2] // stride
    padded = _pad_for_taps(input, taps)
    # float32 convolutions are faster in this layout on CPUs
    padded = padded.contiguous(memory_format=torch.channels_last)
    kernels = _block_kernels(weight, stride)
    blocks = F.conv2d(padded, kernels)  # (N, s s O, h, w)
    blocks = blocks.permute(0, 2, 3, 1)  # (N, h, w, s s O)
    return _blocks_to_image(blocks, weight.shape[1], stride, padding)


def _multiply_blocks(
    input: Tensor,
    weight: Tensor,
    stride: int,
    padding: tuple[int, int],
) -> Tensor:
    taps = weight.shape[2] // stride
    neighbourhoods = _gather_neighbourhoods(input, taps)  # (N, h, w, m m C)
    blocks = neighbourhoods @ _block_matrix(weight, stride)  # (N, h, w, s s O)
    return _blocks_to_image(blocks, weight.shape[1], stride, padding)


def _pad_for_taps(input: Tensor, taps: int) -> Tensor:
    # a block at the border depends on m - 1 inputs that do not exist, which are zero
    border = taps - 1
    return F.pad(input, (border, border, border, border))


def _blocks_to_image(
    blocks: Tensor,
    outputs: int,
    stride: int,
    padding: tuple[int, int],
) -> Tensor:
    """Blocks (N, h, w, s s O) side by side, less the padding: (N, O, h s - 2 p, w s - 2 p)."""
    images, height, width, _ = blocks.shape
    split = blocks.reshape(images, height, width, stride, stride * outputs)
    rows = split.transpose(2, 3)  # (N, h, s, w, s O)
    full_height = height * stride
    full_width = width * stride
    whole = rows.reshape(images, full_height, full_width, outputs)
    top, left = padding
    cropped = whole[:, top : full_height - top, left : full_width - left]
    return cropped.permute(0, 3, 1, 2)


def _gather_neighbourhoods(input: Tensor, taps: int) -> Tensor:
    """(N, C, H, W) to the m x m inputs that each block depends on, (N, h, w, m m C)."""
    padded = _pad_for_taps(input, taps)
    padded = padded.permute(0, 2, 3, 1)  # (N, h + m - 1, w + m - 1, C)
    height = padded.shape[1] - taps + 1
    width = padded.shape[2] - taps + 1
    shifted = []
    for u, v in _tap_offsets(taps):
        rows = slice(u, u + height)
        columns = slice(v, v + width)
        shifted.append(padded[:, rows, columns])  # (N, h, w, C)
    return torch.cat(shifted, dim=-1)


def _block_matrix(weight: Tensor, stride: int) -> Tensor:
    """Weight (C, O, m s, m s) as the matrix from a neighbourhood to a block, (m m C, s s O)."""
    inputs, outputs, kernel, _ = weight.shape
    taps = kernel // stride
    split = weight.reshape(inputs, outputs, taps, stride, taps, stride)
    ordered = split.permute(2, 4, 0, 3, 5, 1)  # (m, m, C, s, s, O)
    # a transposed convolution scatters: the neighbour above meets the kernel's lower part
    rotated = ordered.flip(0, 1)
    return rotated.reshape(taps * taps * inputs, stride * stride * outputs)


def _block_kernels(weight: Tensor, stride: int) -> Tensor:
    """The same as the kernels of a convolution, (s s O, C, m, m)."""
    inputs = weight.shape[0]
    taps = weight.shape[2] // stride
    matrix = _block_matrix(weight, stride)
    split = matrix.T.reshape(-1, taps, taps, inputs)  # (s s O, m, m, C)
    return split.permute(0, 3, 1, 2)


def _tap_offsets(taps: int) -> Iterator[tuple[int, int]]:
    return product(range(taps), range(taps))


class _TransposedByMatrix(torch.autograd.Function):
    """`_multiply_blocks` with its gradients as two matrix products and no copy of the image beyond
    the one they need.
    """

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        stride: int,
        padding: tuple[int, int],
    ) -> Tensor:
        ctx.save_for_backward(input, weight)
        ctx.stride = stride
        ctx.padding = padding
        return _multiply_blocks(input, weight, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        input, weight = ctx.saved_tensors
        stride = ctx.stride
        taps = weight.shape[2] // stride
        # gathered again, as keeping them from the forward pass would take m m times the input
        neighbourhoods = _gather_neighbourhoods(input, taps)
        shape = neighbourhoods.shape
        blocks = _image_to_blocks(gradient, shape, stride, ctx.padding)
        of_input = _input_gradient(blocks, weight, stride, shape)
        of_weight = _weight_gradient(blocks, neighbourhoods, weight.shape, stride)
        return of_input, of_weight, None, None


def _image_to_blocks(
    gradient: Tensor,
    shape: torch.Size,
    stride: int,
    padding: tuple[int, int],
) -> Tensor:
    """The inverse of `_blocks_to_image`: (N h w, s s O), for a `shape` of (N, h, w, ...)."""
    images, height, width, _ = shape
    outputs = gradient.shape[1]
    top, left = padding
    pixels = gradient.permute(0, 2, 3, 1)  # (N, h s - 2 p, w s - 2 p, O)
    whole = F.pad(pixels, (0, 0, left, left, top, top))
    rows = whole.reshape(images, height, stride, width, stride * outputs)
    blocks = rows.transpose(2, 3)  # (N, h, w, s, s O)
    count = images * height * width
    return blocks.reshape(count, stride * stride * outputs)


def _input_gradient(blocks: Tensor, weight: Tensor, stride: int, shape: torch.Size) -> Tensor:
    """(N, C, H, W): each input gets the sum of what the neighbourhoods that hold it get."""
    images, height, width, _ = shape
    inputs = weight.shape[0]
    taps = weight.shape[2] // stride
    matrix = _block_matrix(weight, stride)
    products = blocks @ matrix.T  # (N h w, m m C)
    of_taps = products.reshape(images, height, width, taps * taps, inputs)
    border = taps - 1
    padded = of_taps.new_zeros(images, height + border, width + border, inputs)
    for tap, (u, v) in enumerate(_tap_offsets(taps)):
        rows = slice(u, u + height)
        columns = slice(v, v + width)
        padded[:, rows, columns] += of_taps[:, :, :, tap]
    cropped = padded[:, border:height, border:width]  # (N, H, W, C)
    return cropped.permute(0, 3, 1, 2)


def _weight_gradient(
    blocks: Tensor,
    neighbourhoods: Tensor,
    shape: torch.Size,
    stride: int,
) -> Tensor:
    """Of the weight's `shape`, (C, O, m s, m s)."""
    inputs, outputs, kernel, _ = shape
    taps = kernel // stride
    flat = neighbourhoods.reshape(len(blocks), taps * taps * inputs)
    matrix = flat.T @ blocks  # (m m C, s s O)
    split = matrix.reshape(taps, taps, inputs, stride, stride, outputs)
    # the inverse of _block_matrix
    rotated = split.flip(0, 1)
    ordered = rotated.permute(2, 5, 0, 3, 1, 4)  # (C, O, m, s, m, s)
    return ordered.reshape(shape)
