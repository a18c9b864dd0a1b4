"""Drawings that show why it works: the transposed convolution step by step, checkerboards, FCN's
scores by stride, and networks compared.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from torch import Tensor

from pixelwise.classes import Classes
from pixelwise.io.images import Array
from pixelwise.models.conv_arithmetic import Geometry
from pixelwise.reports.figure_style import (
    COLOUR_MAP,
    SERIES,
    make_figure,
    make_grid,
    save_png,
    set_title,
    style_plot,
)
from pixelwise.reports.overlays import colourise, paint
from pixelwise.teaching.number_grids import (
    check_side,
    draw_numbers,
    frame_cells,
    step_columns,
)
from pixelwise.teaching.operators import transposed_by_scatter


def draw_transposed(
    input: Tensor, kernel: Tensor, path: Path, *, stride: int = 1, padding: int = 0
) -> Tensor:
    """Write a PNG of the transposed convolution of `input` (H, W) with `kernel` (k, k): each input
    element lays the kernel, times its value, on the output; `padding` is cut from the border at the
    end. Returns the result.
    """
    check_side("input", input)
    check_side("kernel", kernel)
    picture = input.float()[None, None]  # (1, 1, H, W)
    weight = kernel.float()[None, None]  # (1, 1, k, k)
    batch = transposed_by_scatter(picture, weight, stride=stride, padding=padding)
    result = batch[0, 0]  # (H', W')
    columns = step_columns(input.numel())
    element_rows = -(-input.numel() // columns)  # rounded up
    figure, grid = make_grid(1 + element_rows, columns)
    draw_numbers(grid[0, 0], input, "input")
    draw_numbers(grid[0, 1], kernel, f"kernel, stride {stride}")
    title = f"result, padding {padding} cut" if padding else "result: the sum"
    draw_numbers(grid[0, 2], result, title)
    elements = grid[1:].flat
    # the last row may have axes to spare
    for axes, place in zip(elements, np.ndindex(*input.shape), strict=False):
        _draw_element(axes, input, kernel, place, stride)
    save_png(figure, path)
    return result


def _draw_element(
    axes: Axes,
    input: Tensor,
    kernel: Tensor,
    place: tuple[int, ...],
    stride: int,
) -> None:
    """What the input's element at `place` (y, x) lays on the output."""
    y, x = place
    picture = torch.zeros(1, 1, *input.shape)
    picture[0, 0, y, x] = input[y, x]
    weight = kernel.float()[None, None]  # (1, 1, k, k)
    laid = transposed_by_scatter(picture, weight, stride=stride)[0, 0]
    draw_numbers(axes, laid, f"{float(input[y, x]):g} x kernel")
    frame_cells(axes, (kernel.shape[0], kernel.shape[1]), (x * stride, y * stride))


def draw_checkerboard(
    pairs: Sequence[tuple[int, int]], path: Path, *, size: int = 6
) -> dict[tuple[int, int], float]:
    """Write a PNG of how often each output pixel is reached, by (kernel, stride), for an input of
    `size` x `size`.

    Where the kernel is no multiple of the stride the counts differ in a regular pattern, which the
    layer must learn to undo: the checkerboard (Odena, Dumoulin, Olah 2016, "Deconvolution and
    checkerboard artifacts"). Below it, what a kernel of random weights makes of a grey picture:
    even counts do not yet make an even picture. Returns the ratio of the largest to the smallest
    count inside.
    """
    figure, grid = make_grid(2, len(pairs), lines=2)
    ratios = {}
    for column, (kernel, stride) in enumerate(pairs):
        Geometry(kernel, stride)  # raises ConfigError where they cannot be
        counts, output = _reach_grey(kernel, stride, size)
        ratio = _count_ratio(counts, kernel, stride)
        verdict = "even" if ratio == 1 else f"uneven, {ratio:g} to 1"
        title = f"kernel {kernel}, stride {stride}\n{verdict}"
        _draw_values(grid[0, column], counts, COLOUR_MAP, title)
        _draw_values(grid[1, column], output, "gray", "random weights\non a grey picture")
        ratios[kernel, stride] = ratio
    save_png(figure, path)
    return ratios


def _reach_grey(kernel: int, stride: int, size: int) -> tuple[Tensor, Tensor]:
    """Of a grey picture (size, size): how often each output pixel is reached, and what a kernel of
    random weights makes of it.
    """
    grey = torch.ones(1, 1, size, size)
    ones = torch.ones(1, 1, kernel, kernel)
    # the same weights in every column of the drawing
    generator = torch.Generator().manual_seed(0)
    weight = torch.rand(1, 1, kernel, kernel, generator=generator)
    counts = transposed_by_scatter(grey, ones, stride=stride)
    output = transposed_by_scatter(grey, weight, stride=stride)
    return counts[0, 0], output[0, 0]


def _draw_values(axes: Axes, values: Tensor, colours: str, title: str) -> None:
    axes.imshow(
        values.numpy(),
        cmap=colours,
        vmin=0,
        interpolation="nearest",
    )
    set_title(axes, title)


def _count_ratio(counts: Tensor, kernel: int, stride: int) -> float:
    """The largest by the smallest of counts (H, W), but for the border, where fewer kernels lie."""
    height, width = counts.shape
    margin = min(kernel, (height - stride) // 2)
    rows = slice(margin, height - margin)
    columns = slice(margin, width - margin)
    inside = counts[rows, columns]
    # a kernel shorter than the stride leaves pixels that none reaches
    if inside.min() <= 0:
        return float("inf")
    return float(inside.max() / inside.min())


def draw_fcn_scores(
    rgb: Array,
    rows: Sequence[tuple[str, Mapping[int, Tensor], Array]],
    path: Path,
    classes: Classes,
) -> None:
    """Write a PNG of what the networks of the FCN family see in one photo, a line a network.

    A row is a name, the fused class scores (C, h, w) by stride, and the final labels (H, W): the
    leading class of every cell of the score maps stands beside the labels at the picture's size.
    """
    all_strides: set[int] = set()
    for _, scores, _ in rows:
        all_strides.update(scores)
    strides = sorted(all_strides, reverse=True)
    columns = 1 + len(strides) + 1
    height, width = rgb.shape[:2]
    figure, grid = make_grid(len(rows), columns, ratio=height / width)
    for line, (name, scores, labels) in zip(grid, rows, strict=True):
        first, *middle, last = line
        _draw_picture(first, rgb, name)
        for axes, stride in zip(middle, strides, strict=True):
            # a network has not the finer strides of another
            if stride in scores:
                picture = _colour_scores(scores[stride], (height, width), classes)
                _draw_picture(axes, picture, f"stride {stride}")
        overlay = paint(rgb, labels, classes.palette)
        _draw_picture(last, overlay, "labels")
    save_png(figure, path)


def _colour_scores(scores: Tensor, size: tuple[int, int], classes: Classes) -> Array:
    """The leading class of every cell in its colour, at the picture's size."""
    leading = _leading_class(scores, size)
    return colourise(leading, classes.palette)


def _draw_picture(axes: Axes, picture: Array, title: str) -> None:
    axes.imshow(picture)
    set_title(axes, title)


def draw_curves_by_network(
    curves: Mapping[str, Sequence[float]],
    path: Path,
    *,
    ylabel: str,
) -> None:
    """Write a PNG of one figure (a share of 1) by epoch, a line a network."""
    figure = make_figure(4.2)
    axes = figure.subplots()
    lines = zip(curves.items(), itertools.cycle(SERIES), strict=False)
    for (name, values), colour in lines:
        epochs = range(1, len(values) + 1)
        axes.plot(
            epochs,
            values,
            marker="o",
            markersize=4,
            label=name,
            color=colour,
        )
    longest = max(map(len, curves.values()))
    # whole epochs alone: Matplotlib would also mark 1.5
    axes.set_xticks(range(1, longest + 1))
    style_plot(axes, xlabel="epoch", ylabel=ylabel)
    save_png(figure, path)


def _leading_class(scores: Tensor, size: tuple[int, int]) -> Array:
    """The class with the highest score at every cell of (C, h, w), each cell as the block of pixels
    it stands for.
    """
    labels = scores.argmax(0)  # (h, w)
    # as floats with batch and channel, which F.interpolate wants
    batch = labels[None, None].float()
    enlarged = F.interpolate(batch, size, mode="nearest")[0, 0]  # (H, W)
    return np.asarray(enlarged.byte().numpy())
