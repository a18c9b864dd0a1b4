"""Convolution and transposed convolution from their definitions: to read and to check by, not to be
fast.

Every function takes what PyTorch's operator of that name takes and gives the same result, values
and gradients; each says in loops or in one matrix what the fast kernels do. Deep learning's
"convolution" is a cross-correlation: the kernel is not rotated. Sources: Dumoulin, Visin 2016,
section 4; Zeiler et al. 2010, "Deconvolutional networks".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.errors import ConfigError
from pixelwise.models.conv_arithmetic import Geometry

Numbers = int | tuple[int, int]


@dataclass(frozen=True)
class _Axes:
    """Both axes, (vertical, horizontal), of one operator."""

    rows: Geometry
    columns: Geometry

    @classmethod
    def of(
        cls,
        weight: Tensor,
        stride: Numbers,
        padding: Numbers,
        dilation: Numbers,
        output_padding: Numbers = 0,
    ) -> "_Axes":
        options = map(_as_pair, (stride, padding, dilation, output_padding))
        rows, columns = zip(weight.shape[-2:], *options, strict=True)
        return cls(Geometry(*rows), Geometry(*columns))

    def conv_output(self, size: torch.Size) -> tuple[int, int]:
        return self.rows.conv_output(size[-2]), self.columns.conv_output(size[-1])

    def transposed(self, size: torch.Size) -> tuple[int, int]:
        return self.rows.transposed_output(size[-2]), self.columns.transposed_output(size[-1])

    def taps(self) -> Iterator[tuple[int, int]]:
        """Positions (u, v) in the kernel."""
        return product(range(self.rows.kernel), range(self.columns.kernel))

    def window(self, tap: tuple[int, int], height: int, width: int) -> tuple[slice, slice]:
        """Where tap (u, v) lies in the padded picture as the kernel visits `height` x `width`
        places.
        """
        rows = self.rows
        columns = self.columns
        top = tap[0] * rows.dilation
        left = tap[1] * columns.dilation
        return (
            slice(top, top + (height - 1) * rows.stride + 1, rows.stride),
            slice(left, left + (width - 1) * columns.stride + 1, columns.stride),
        )


def cross_correlation(
    input: Tensor,
    weight: Tensor,
    *,
    stride: Numbers = 1,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Tensor:
    """`F.conv2d`: each output pixel is the sum, over the kernel's taps, of weight times the pixel
    under that tap.

    input (N, C, H, W), weight (O, C / groups, kh, kw) to (N, O, H', W'). Raises ConfigError naming
    the broken rule.
    """
    _check_channels(input.shape[1], weight.shape[1] * groups, weight.shape[0], groups)
    axes = _Axes.of(weight, stride, padding, dilation)
    height, width = axes.conv_output(input.shape)
    padded = F.pad(input, _border(padding))
    pictures = _split_axis(padded, 1, groups)  # (N, groups, C / groups, H, W)
    kernels = _split_axis(weight, 0, groups)  # (groups, O / groups, C / groups, kh, kw)
    output = input.new_zeros(input.shape[0], groups, kernels.shape[1], height, width)
    for tap in axes.taps():
        pixels = pictures[(..., *axes.window(tap, height, width))]
        output = output + torch.einsum("ngchw,goc->ngohw", pixels, kernels[..., tap[0], tap[1]])
    return output.flatten(1, 2)


def transposed_by_scatter(
    input: Tensor,
    weight: Tensor,
    *,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Tensor:
    """`F.conv_transpose2d`: each input pixel lays the kernel, times its value, on the output; what
    overlaps adds up.

    input (N, C, H, W), weight (C, O / groups, kh, kw) to (N, O, H', W'). `padding` is cut from the
    result's border, `output_padding` adds to its end. Raises ConfigError naming the broken rule.
    """
    _check_channels(input.shape[1], weight.shape[0], weight.shape[1] * groups, groups)
    axes = _Axes.of(weight, stride, padding, dilation, output_padding)
    height, width = axes.transposed(input.shape)
    pictures = _split_axis(input, 1, groups)  # (N, groups, C / groups, H, W)
    kernels = _split_axis(weight, 0, groups)  # (groups, C / groups, O / groups, kh, kw)
    top, left = _as_pair(padding)
    rows, columns = input.shape[-2:]
    # where a kernel that reaches less than output_padding asks for ends, the rest is zero
    canvas = input.new_zeros(
        input.shape[0], groups, kernels.shape[2], height + 2 * top, width + 2 * left
    )
    for tap in axes.taps():
        laid = torch.einsum("ngchw,gco->ngohw", pictures, kernels[..., tap[0], tap[1]])
        layer = torch.zeros_like(canvas)
        layer[(..., *axes.window(tap, rows, columns))] = laid
        canvas = canvas + layer
    return canvas[..., top : top + height, left : left + width].flatten(1, 2)


def transposed_by_insertion(
    input: Tensor,
    weight: Tensor,
    *,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Tensor:
    """`F.conv_transpose2d` as a convolution: put s - 1 zeros between the pixels, pad by d (k - 1) -
    p, rotate the kernel by 180 degrees, convolve with stride 1.

    Shapes as in `transposed_by_scatter`. A padding beyond d (k - 1) becomes a crop.
    """
    _check_channels(input.shape[1], weight.shape[0], weight.shape[1] * groups, groups)
    axes = _Axes.of(weight, stride, padding, dilation, output_padding)
    axes.transposed(input.shape)
    stretched = _insert_zeros(input, axes.rows.stride, axes.columns.stride)
    top = axes.rows.effective_kernel - 1 - axes.rows.padding
    left = axes.columns.effective_kernel - 1 - axes.columns.padding
    right = left + axes.columns.output_padding
    bottom = top + axes.rows.output_padding
    padded = F.pad(stretched, (left, right, top, bottom))
    rotated = weight.flip(-2, -1)  # by 180 degrees
    kernels = _split_axis(rotated, 0, groups).transpose(1, 2).flatten(0, 1)
    return cross_correlation(padded, kernels, dilation=dilation, groups=groups)


def conv_matrix(
    kernel: Tensor,
    size: tuple[int, int],
    *,
    stride: Numbers = 1,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    places: tuple[int, int] | None = None,
) -> Tensor:
    """The convolution of one channel as a sparse matrix W: (kh, kw) to (H' W', H W), rows and
    columns in reading order.

    `size` is the picture's (H, W). `places` are the (H', W') that the kernel visits, where not all
    that fit are meant.

    Convolution is W x. W^T y is the transposed convolution, which is where it has its name: it is
    the gradient of the convolution with respect to its input, and the convolution is that of the
    transposed one. It is no inverse.
    """
    axes = _Axes.of(kernel, stride, padding, dilation)
    height, width = places or axes.conv_output(torch.Size(size))
    numbers = torch.arange(size[0] * size[1]).reshape(size)
    pixel = F.pad(numbers, _border(padding), value=-1)  # -1 marks the padding
    place = torch.arange(height * width).reshape(height, width)
    rows = []
    columns = []
    values = []
    for tap in axes.taps():
        under_tap = pixel[axes.window(tap, height, width)]
        inside = under_tap >= 0
        rows.append(place[inside])
        columns.append(under_tap[inside])
        values.append(kernel[tap].expand(int(inside.sum())))
    indices = torch.stack([torch.cat(rows), torch.cat(columns)])
    shape = (height * width, size[0] * size[1])
    return torch.sparse_coo_tensor(
        indices, torch.cat(values), shape, check_invariants=True
    ).coalesce()


def transposed_by_matrix(
    input: Tensor,
    weight: Tensor,
    *,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Tensor:
    """`F.conv_transpose2d` as W^T y with the matrix of `conv_matrix`, one for each pair of
    channels.

    Shapes as in `transposed_by_scatter`.
    """
    _check_channels(input.shape[1], weight.shape[0], weight.shape[1] * groups, groups)
    size = _Axes.of(weight, stride, padding, dilation, output_padding).transposed(input.shape)
    inputs = weight.shape[0] // groups
    outputs = weight.shape[1]
    columns = input.flatten(2)  # (N, C, H W)
    places = (input.shape[-2], input.shape[-1])
    planes = []
    for group, out in product(range(groups), range(outputs)):
        parts = []
        for channel in range(group * inputs, (group + 1) * inputs):
            matrix = conv_matrix(
                weight[channel, out],
                size,
                stride=stride,
                padding=padding,
                dilation=dilation,
                places=places,
            )
            parts.append(torch.sparse.mm(matrix.t(), columns[:, channel].t()).t())  # (N, H' W')
        planes.append(torch.stack(parts).sum(0))
    return torch.stack(planes, dim=1).reshape(input.shape[0], groups * outputs, *size)


def _as_pair(numbers: Numbers) -> tuple[int, int]:
    return (numbers, numbers) if isinstance(numbers, int) else numbers


def _split_axis(tensor: Tensor, axis: int, groups: int) -> Tensor:
    """The axis of length n as two, (groups, n / groups)."""
    before = tensor.shape[:axis]
    after = tensor.shape[axis + 1 :]
    return tensor.reshape(*before, groups, tensor.shape[axis] // groups, *after)


def _border(padding: Numbers) -> list[int]:
    vertical, horizontal = _as_pair(padding)
    return [horizontal, horizontal, vertical, vertical]


def _insert_zeros(input: Tensor, rows: int, columns: int) -> Tensor:
    """(N, C, H, W) to (N, C, (H - 1) rows + 1, (W - 1) columns + 1)."""
    height = (input.shape[-2] - 1) * rows + 1
    width = (input.shape[-1] - 1) * columns + 1
    stretched = input.new_zeros(*input.shape[:2], height, width)
    stretched[..., ::rows, ::columns] = input
    return stretched


def _check_channels(inputs: int, expected: int, outputs: int, groups: int) -> None:
    if groups < 1 or inputs % groups or outputs % groups:
        raise ConfigError(
            f"groups {groups}: must divide both {inputs} input and {outputs} output channels"
        )
    if inputs != expected:
        raise ConfigError(
            f"the weight is for {expected} input channels, but the input has {inputs}"
        )
