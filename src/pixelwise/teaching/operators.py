"""Convolution and transposed convolution from their definitions: to read and to check by, not to be
fast.

Every function takes what PyTorch's operator of that name takes, or a single map (H, W) with its
kernel (kh, kw) as textbooks write them, and gives the same result, values and gradients; each says
in loops or in one matrix what the fast kernels do. Deep learning's "convolution" is a
cross-correlation: the kernel is not rotated. Sources: Dumoulin, Visin 2016, section 4; Zeiler et
al. 2010, "Deconvolutional networks".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.errors import ConfigError
from pixelwise.models.conv_arithmetic import Geometry
from pixelwise.teaching.operands import Numbers, Operands, as_pair, check_kernel


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
        kernels = weight.shape[-2:]
        strides = as_pair("stride", stride)
        paddings = as_pair("padding", padding)
        dilations = as_pair("dilation", dilation)
        output_paddings = as_pair("output_padding", output_padding)
        # one pair of each option to one set of options for each axis
        rows, columns = zip(
            kernels,
            strides,
            paddings,
            dilations,
            output_paddings,
            strict=True,
        )
        return cls(Geometry(*rows), Geometry(*columns))

    def conv_output(self, size: torch.Size) -> tuple[int, int]:
        height, width = size[-2:]
        return self.rows.conv_output(height), self.columns.conv_output(width)

    def transposed_output(self, size: torch.Size) -> tuple[int, int]:
        height, width = size[-2:]
        return self.rows.transposed_output(height), self.columns.transposed_output(width)

    def taps(self) -> Iterator[tuple[int, int]]:
        """Positions (u, v) in the kernel."""
        return product(range(self.rows.kernel), range(self.columns.kernel))

    def window(self, tap: tuple[int, int], height: int, width: int) -> tuple[slice, slice]:
        """Where tap (u, v) lies in the padded picture as the kernel visits `height` x `width`
        places.
        """
        u, v = tap
        rows = _visited(self.rows, u, height)
        columns = _visited(self.columns, v, width)
        return rows, columns


def _visited(axis: Geometry, tap: int, count: int) -> slice:
    """On one axis: the pixels under a tap as the kernel visits `count` places."""
    start = tap * axis.dilation
    last = start + (count - 1) * axis.stride
    # up to the last one, and not a stride further, where the picture may have ended
    return slice(start, last + 1, axis.stride)


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
    operands = Operands.of(input, weight)
    input = operands.input
    weight = operands.weight
    expected = weight.shape[1] * groups
    _check_channels(input.shape[1], expected, weight.shape[0], groups)
    axes = _Axes.of(weight, stride, padding, dilation)
    size = axes.conv_output(input.shape)
    padded = F.pad(input, _border(padding))
    pictures = _split_axis(padded, 1, groups)  # (N, groups, C / groups, H, W)
    kernels = _split_axis(weight, 0, groups)  # (groups, O / groups, C / groups, kh, kw)
    output = _gather(axes, pictures, kernels, size)
    return operands.restore(output.flatten(1, 2))


def _gather(
    axes: _Axes,
    pictures: Tensor,
    kernels: Tensor,
    size: tuple[int, int],
) -> Tensor:
    """(N, groups, O / groups, *size): what the kernels see of padded pictures at each place."""
    images = pictures.shape[0]
    groups, outputs = kernels.shape[:2]
    height, width = size
    output = pictures.new_zeros(images, groups, outputs, height, width)
    for u, v in axes.taps():
        rows, columns = axes.window((u, v), height, width)
        pixels = pictures[..., rows, columns]  # (N, groups, C / groups, H', W')
        weights = kernels[..., u, v]  # (groups, O / groups, C / groups)
        # not in place, which the gradients do not allow
        output = output + torch.einsum("ngchw,goc->ngohw", pixels, weights)
    return output


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
    operands = Operands.of(input, weight)
    input = operands.input
    weight = operands.weight
    _check_transposed(input, weight, groups)
    axes = _Axes.of(weight, stride, padding, dilation, output_padding)
    height, width = axes.transposed_output(input.shape)
    top, left = as_pair("padding", padding)
    # where a kernel that reaches less than output_padding asks for ends, the rest is zero
    size = (height + 2 * top, width + 2 * left)
    canvas = _scatter(axes, input, weight, groups, size)
    rows = slice(top, top + height)
    columns = slice(left, left + width)
    cropped = canvas[..., rows, columns]
    return operands.restore(cropped.flatten(1, 2))


def _scatter(
    axes: _Axes,
    input: Tensor,
    weight: Tensor,
    groups: int,
    size: tuple[int, int],
) -> Tensor:
    """(N, groups, O / groups, *size): the kernels that all pixels lay, before the border is cut."""
    pictures = _split_axis(input, 1, groups)  # (N, groups, C / groups, H, W)
    kernels = _split_axis(weight, 0, groups)  # (groups, C / groups, O / groups, kh, kw)
    height, width = input.shape[-2:]
    outputs = weight.shape[1]
    canvas = input.new_zeros(input.shape[0], groups, outputs, *size)
    for u, v in axes.taps():
        weights = kernels[..., u, v]  # (groups, C / groups, O / groups)
        laid = torch.einsum("ngchw,gco->ngohw", pictures, weights)
        rows, columns = axes.window((u, v), height, width)
        layer = torch.zeros_like(canvas)
        layer[..., rows, columns] = laid
        canvas = canvas + layer
    return canvas


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
    operands = Operands.of(input, weight)
    input = operands.input
    weight = operands.weight
    _check_transposed(input, weight, groups)
    axes = _Axes.of(weight, stride, padding, dilation, output_padding)
    # for its errors: the convolution below would name other numbers
    axes.transposed_output(input.shape)
    stretched = _insert_zeros(input, axes.rows.stride, axes.columns.stride)
    top, bottom = _full_border(axes.rows)
    left, right = _full_border(axes.columns)
    padded = F.pad(stretched, (left, right, top, bottom))
    rotated = weight.flip(-2, -1)  # by 180 degrees
    by_group = _split_axis(rotated, 0, groups)  # (groups, C / groups, O / groups, kh, kw)
    kernels = by_group.transpose(1, 2).flatten(0, 1)  # (O, C / groups, kh, kw)
    output = cross_correlation(padded, kernels, dilation=dilation, groups=groups)
    return operands.restore(output)


def _full_border(axis: Geometry) -> tuple[int, int]:
    """Pixels (before, after) that let the kernel touch the picture with its last tap, less the
    padding.
    """
    before = axis.effective_kernel - 1 - axis.padding
    return before, before + axis.output_padding


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
    check_kernel(kernel)
    size = as_pair("size", size)
    axes = _Axes.of(kernel, stride, padding, dilation)
    height, width = places or axes.conv_output(torch.Size(size))
    pixels = size[0] * size[1]
    numbers = torch.arange(pixels).reshape(size)
    pixel = F.pad(numbers, _border(padding), value=-1)  # -1 marks the padding
    indices, values = _matrix_entries(axes, kernel, pixel, (height, width))
    matrix = torch.sparse_coo_tensor(
        indices,
        values,
        (height * width, pixels),
        check_invariants=True,
    )
    return matrix.coalesce()


def _matrix_entries(
    axes: _Axes,
    kernel: Tensor,
    pixel: Tensor,
    places: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """(row, column) of the matrix's entries, (2, entries), and their values. `pixel` holds the
    numbers of the padded picture's pixels.
    """
    height, width = places
    place = torch.arange(height * width).reshape(height, width)
    rows = []
    columns = []
    values = []
    for tap in axes.taps():
        under_tap = pixel[axes.window(tap, height, width)]  # (H', W')
        # the padding is zero, whatever its weight
        inside = under_tap >= 0
        count = int(inside.sum())
        rows.append(place[inside])
        columns.append(under_tap[inside])
        values.append(kernel[tap].expand(count))
    indices = torch.stack([torch.cat(rows), torch.cat(columns)])
    return indices, torch.cat(values)


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
    operands = Operands.of(input, weight)
    input = operands.input
    weight = operands.weight
    _check_transposed(input, weight, groups)
    axes = _Axes.of(weight, stride, padding, dilation, output_padding)
    size = axes.transposed_output(input.shape)
    height, width = input.shape[-2:]
    # the convolution whose gradient this is takes the output's size to the input's
    build_matrix = partial(
        conv_matrix,
        size=size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        places=(height, width),
    )
    group_width = weight.shape[0] // groups
    outputs = weight.shape[1]
    planes = []
    for group, out in product(range(groups), range(outputs)):
        channels = slice(group * group_width, (group + 1) * group_width)
        pictures = input[:, channels]
        kernels = weight[channels, out]
        planes.append(_sum_products(pictures, kernels, build_matrix))
    flat = torch.stack(planes, dim=1)  # (N, O, H' W')
    return operands.restore(flat.reshape(input.shape[0], groups * outputs, *size))


def _sum_products(
    pictures: Tensor,
    kernels: Tensor,
    build_matrix: Callable[[Tensor], Tensor],
) -> Tensor:
    """W^T y, summed over the channels: pictures (N, C, H, W) and kernels (C, kh, kw) to
    (N, H' W').
    """
    columns = pictures.flatten(2)  # (N, C, H W)
    parts = []
    for channel, kernel in enumerate(kernels):
        matrix = build_matrix(kernel)  # (H W, H' W')
        pixels = columns[:, channel].t()  # (H W, N)
        laid = torch.sparse.mm(matrix.t(), pixels)  # (H' W', N)
        parts.append(laid.t())
    return torch.stack(parts).sum(0)


def _split_axis(tensor: Tensor, axis: int, groups: int) -> Tensor:
    """The axis of length n as two, (groups, n / groups)."""
    before = tensor.shape[:axis]
    width = tensor.shape[axis] // groups
    after = tensor.shape[axis + 1 :]
    return tensor.reshape(*before, groups, width, *after)


def _border(padding: Numbers) -> list[int]:
    # F.pad wants the last axis first
    vertical, horizontal = as_pair("padding", padding)
    return [horizontal, horizontal, vertical, vertical]


def _insert_zeros(input: Tensor, rows: int, columns: int) -> Tensor:
    """(N, C, H, W) to (N, C, (H - 1) rows + 1, (W - 1) columns + 1)."""
    images, channels, height, width = input.shape
    new_height = (height - 1) * rows + 1
    new_width = (width - 1) * columns + 1
    stretched = input.new_zeros(images, channels, new_height, new_width)
    stretched[..., ::rows, ::columns] = input
    return stretched


def _check_transposed(input: Tensor, weight: Tensor, groups: int) -> None:
    outputs = weight.shape[1] * groups
    _check_channels(input.shape[1], weight.shape[0], outputs, groups)


def _check_channels(inputs: int, expected: int, outputs: int, groups: int) -> None:
    if groups < 1 or inputs % groups or outputs % groups:
        raise ConfigError(
            f"groups {groups}: must divide both {inputs} input and {outputs} output channels"
        )
    if inputs != expected:
        raise ConfigError(
            f"the weight is for {expected} input channels, but the input has {inputs}"
        )
