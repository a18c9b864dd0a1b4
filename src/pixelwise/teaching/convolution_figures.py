"""Drawings of one convolution: window by window, as a matrix, with zeros inserted; and of what
makes maps smaller and larger.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from torch import Tensor

from pixelwise.errors import ConfigError
from pixelwise.models.conv_arithmetic import upsampling_geometry
from pixelwise.models.transposed_conv import bilinear_kernel
from pixelwise.reports.figure_style import make_grid, save_png
from pixelwise.teaching.number_grids import (
    check_side,
    draw_numbers,
    frame_cells,
    step_columns,
)
from pixelwise.teaching.operators import (
    conv_matrix,
    cross_correlation,
    transposed_by_insertion,
    transposed_by_scatter,
)

_COLUMNS = 3


def draw_convolution(
    input: Tensor, kernel: Tensor, path: Path, *, stride: int = 1, padding: int = 0
) -> Tensor:
    """Write a PNG of the convolution (cross-correlation) of `input` (H, W) with `kernel` (k, k):
    each window of the input, and the sum that becomes one number. Returns the result.
    """
    check_side("input", input)
    check_side("kernel", kernel)
    input = input.float()
    kernel = kernel.float()
    result = cross_correlation(input, kernel, stride=stride, padding=padding)
    padded = F.pad(input, (padding, padding, padding, padding))
    columns = step_columns(result.numel())
    rows = -(-result.numel() // columns)  # rounded up
    figure, grid = make_grid(1 + rows, columns, lines=2)
    draw_numbers(grid[0, 0], padded, f"input, padding {padding}" if padding else "input")
    draw_numbers(grid[0, 1], kernel, f"kernel, stride {stride}")
    draw_numbers(grid[0, 2], result, "result")
    places = [(y, x) for y in range(result.shape[0]) for x in range(result.shape[1])]
    # the last row may have axes to spare
    for axes, (y, x) in zip(grid[1:].flat, places, strict=False):
        _draw_window(axes, padded, kernel, (y * stride, x * stride))
    save_png(figure, path)
    return result


def _draw_window(axes: Axes, padded: Tensor, kernel: Tensor, corner: tuple[int, int]) -> None:
    height, width = kernel.shape
    top, left = corner
    window = padded[top : top + height, left : left + width]
    total = float((window * kernel).sum())
    pairs = zip(window.flatten().tolist(), kernel.flatten().tolist(), strict=True)
    terms = [f"{a:g}x{b:g}" for a, b in pairs]
    sum_text = " + ".join(terms) if len(terms) <= 4 else "the sum"
    draw_numbers(axes, padded, f"{sum_text}\n= {total:g}")
    frame_cells(axes, (height, width), (left, top))


def draw_matrix(input: Tensor, kernel: Tensor, path: Path) -> tuple[Tensor, Tensor]:
    """Write a PNG of a convolution as a matrix W, a row an output pixel, and of its transpose,
    which is the transposed convolution. Returns W x and W^T W x as maps.

    Raises ConfigError for an input of more than 16 pixels, whose matrix nobody could read.
    """
    check_side("input", input)
    check_side("kernel", kernel)
    if input.numel() > 16:
        raise ConfigError(
            f"input of {input.numel()} pixels: its matrix has as many columns, give at most 16, "
            "as 4 x 4"
        )
    height, width = input.shape
    matrix = conv_matrix(kernel.float(), (height, width))  # (outputs, inputs)
    dense = matrix.to_dense() if matrix.is_sparse else matrix
    size = (height - kernel.shape[0] + 1, width - kernel.shape[1] + 1)
    output = (dense @ input.float().flatten()).reshape(size)
    back = (dense.t() @ output.flatten()).reshape(height, width)
    figure, grid = make_grid(3, 2, ratio=0.75)
    draw_numbers(grid[0, 0], input.float(), "input x")
    draw_numbers(grid[0, 1], dense, f"W, {dense.shape[0]} x {dense.shape[1]}: a row an output")
    draw_numbers(grid[1, 0], output, "y = W x: the convolution")
    draw_numbers(grid[1, 1], dense.t(), f"W transposed, {dense.shape[1]} x {dense.shape[0]}")
    draw_numbers(grid[2, 0], back, "W transposed y: the transposed convolution")
    save_png(figure, path)
    return output, back


def draw_insertion(
    input: Tensor, kernel: Tensor, path: Path, *, stride: int = 1, padding: int = 0
) -> Tensor:
    """Write a PNG of the transposed convolution as a convolution: zeros between the pixels, a
    border, the kernel turned by 180 degrees. Returns the result.

    Raises ConfigError for a padding of the kernel's size or more, which cuts instead of adding.
    """
    check_side("input", input)
    check_side("kernel", kernel)
    side = kernel.shape[0]
    border = side - 1 - padding
    if border < 0 or kernel.shape[1] != side:
        raise ConfigError(
            f"padding {padding} and a kernel of {tuple(kernel.shape)}: give a square kernel, and a "
            "padding below its side"
        )
    input = input.float()
    kernel = kernel.float()
    result = transposed_by_insertion(input, kernel, stride=stride, padding=padding)
    height, width = ((length - 1) * stride + 1 for length in input.shape)
    spread = torch.zeros(height, width)
    spread[::stride, ::stride] = input
    padded = F.pad(spread, (border, border, border, border))
    figure, grid = make_grid(2, _COLUMNS)
    draw_numbers(grid[0, 0], input, "input")
    draw_numbers(grid[0, 1], spread, f"zeros between pixels: {stride - 1}")
    draw_numbers(grid[0, 2], padded, f"border {border} = {side} - {padding} - 1")
    frame_cells(grid[0, 2], (side, side), (0, 0))
    draw_numbers(grid[1, 0], kernel, "kernel")
    draw_numbers(grid[1, 1], kernel.flip(0, 1), "kernel, turned by 180 degrees")
    draw_numbers(grid[1, 2], result, "convolved with stride 1")
    save_png(figure, path)
    return result


def draw_pooling(input: Tensor, path: Path) -> dict[str, Tensor]:
    """Write a PNG of what halves a map (H, W) and what doubles it again: maximum and average of 2 x
    2 pixels; each maximum back at its place, each number over its block, and interpolated. Returns
    the maps by name.
    """
    check_side("input", input)
    if input.shape[0] % 2 or input.shape[1] % 2:
        raise ConfigError(f"input of {tuple(input.shape)}: give even sides, as 4 x 4")
    batch = input.float()[None, None]  # (1, 1, H, W)
    largest, indices = F.max_pool2d(batch, 2, return_indices=True)
    average = F.avg_pool2d(batch, 2)
    maps = {
        "input": batch,
        "max-pooling": largest,
        "max-unpooling: in place": F.max_unpool2d(largest, indices, [2, 2]),
        "average-pooling": average,
        "average-unpooling: to all": F.interpolate(average, scale_factor=2, mode="nearest"),
        "bilinear": F.interpolate(average, scale_factor=2, mode="bilinear"),
    }
    figure, grid = make_grid(2, _COLUMNS)
    result = {}
    for axes, (name, values) in zip(grid.flat, maps.items(), strict=True):
        draw_numbers(axes, values[0, 0].round(decimals=2), name)
        result[name.partition(":")[0]] = values[0, 0]
    save_png(figure, path)
    return result


def draw_bilinear(path: Path, *, stride: int = 2) -> Tensor:
    """Write a PNG of bilinear interpolation as a transposed convolution with a kernel of 2s, and of
    one pixel by the formula with its four neighbours. Returns the result inside the border.
    """
    if not 2 <= stride <= 4:
        raise ConfigError(f"stride {stride}: a drawing takes 2, 3 or 4")
    geometry = upsampling_geometry(stride)
    kernel = bilinear_kernel(1, 1, geometry.kernel)[0, 0]
    input = torch.tensor([[0.0, 0, 0, 0], [0, 10, 20, 0], [0, 30, 40, 0], [0, 0, 0, 0]])
    result = transposed_by_scatter(input, kernel, stride=stride, padding=geometry.padding)
    place = stride + stride // 2  # between the four in the middle, on both axes
    figure, grid = make_grid(2, 2, lines=2)
    draw_numbers(grid[0, 0], input, "input: the four neighbours")
    frame_cells(grid[0, 0], (2, 2), (1, 1))
    draw_numbers(grid[0, 1], kernel.round(decimals=4), f"kernel {geometry.kernel}, stride {stride}")
    draw_numbers(grid[1, 0], result.round(decimals=1), _formula(input, stride, place))
    frame_cells(grid[1, 0], (1, 1), (place, place))
    save_png(figure, path)
    return result


def _formula(input: Tensor, stride: int, place: int) -> str:
    """The framed pixel as a sum over its four neighbours, in two lines."""
    position = (place + 0.5) / stride - 0.5
    first = int(position)
    a = position - first
    weights = ((1 - a) * (1 - a), (1 - a) * a, a * (1 - a), a * a)
    values = input[first : first + 2, first : first + 2].flatten().tolist()
    terms = [f"{w:.4g}x{v:g}" for w, v in zip(weights, values, strict=True)]
    total = sum(w * v for w, v in zip(weights, values, strict=True))
    return f"{terms[0]} + {terms[1]} +\n{terms[2]} + {terms[3]} = {total:.4g}"
