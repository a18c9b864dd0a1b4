"""Drawings that show why it works: the transposed convolution step by step, checkerboards, FCN's
scores by stride, augmentation, and networks compared.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from pixelwise.classes import Classes
from pixelwise.errors import ConfigError
from pixelwise.io.images import Array
from pixelwise.models.conv_arithmetic import Geometry
from pixelwise.reports.figures import AXIS_COLOUR, GRID_COLOUR, save_png
from pixelwise.reports.overlays import colourise, paint
from pixelwise.teaching.operators import transposed_by_scatter

LARGEST = 6
"""Sides of input and kernel above this are refused in the step by step drawing: nobody could read
it.
"""

_ACCENT = "#c2410c"
_LINE = "#c9ced6"


def draw_transposed(
    input: Tensor, kernel: Tensor, path: Path, *, stride: int = 1, padding: int = 0
) -> Tensor:
    """Write a PNG of the transposed convolution of `input` (H, W) with `kernel` (k, k): each input
    element lays the kernel, times its value, on the output; `padding` is cut from the border at the
    end. Returns the result.
    """
    for name, tensor in (("input", input), ("kernel", kernel)):
        if tensor.ndim != 2 or max(tensor.shape) > LARGEST:
            raise ConfigError(
                f"{name} of {tuple(tensor.shape)}: a drawing needs two axes of at most {LARGEST}"
            )
    picture = input.float()[None, None]
    filters = kernel.float()[None, None]
    result = transposed_by_scatter(picture, filters, stride=stride, padding=padding)[0, 0]
    places = [(y, x) for y in range(input.shape[0]) for x in range(input.shape[1])]
    columns = min(len(places), 5)
    rows = 1 + -(-len(places) // columns)
    figure = Figure(figsize=(2.6 * max(columns, 3), 2.7 * rows), dpi=110, layout="constrained")
    grid = figure.subplots(rows, max(columns, 3), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    _numbers(grid[0, 0], input, "input")
    _numbers(grid[0, 1], kernel, f"kernel, stride {stride}")
    _numbers(grid[0, 2], result, f"result, padding {padding} cut" if padding else "result: the sum")
    for index, (y, x) in enumerate(places):
        one = torch.zeros_like(picture)
        one[0, 0, y, x] = picture[0, 0, y, x]
        laid = transposed_by_scatter(one, filters, stride=stride)[0, 0]
        axes = grid[1 + index // columns, index % columns]
        _numbers(axes, laid, f"{float(input[y, x]):g} x kernel")
        corner = (x * stride - 0.5, y * stride - 0.5)
        axes.add_patch(
            Rectangle(
                corner,
                kernel.shape[1],
                kernel.shape[0],
                fill=False,
                edgecolor=_ACCENT,
                linewidth=2.5,
            )
        )
    save_png(figure, path)
    return result


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
    figure = Figure(figsize=(2.9 * len(pairs), 6.2), dpi=110, layout="constrained")
    grid = figure.subplots(2, len(pairs), squeeze=False)
    unevenness = {}
    for column, (kernel, stride) in enumerate(pairs):
        Geometry(kernel, stride)
        ones = torch.ones(1, 1, size, size)
        counts = transposed_by_scatter(ones, torch.ones(1, 1, kernel, kernel), stride=stride)[0, 0]
        weights = torch.rand(1, 1, kernel, kernel, generator=torch.Generator().manual_seed(0))
        shown = transposed_by_scatter(ones, weights, stride=stride)[0, 0]
        margin = min(kernel, (counts.shape[0] - stride) // 2)
        inside = counts[margin : counts.shape[0] - margin, margin : counts.shape[1] - margin]
        unevenness[kernel, stride] = (
            float(inside.max() / inside.min()) if inside.min() > 0 else float("inf")
        )
        verdict = (
            "even"
            if unevenness[kernel, stride] == 1
            else f"uneven, {unevenness[kernel, stride]:g} to 1"
        )
        pictures = (
            (counts, "viridis", f"kernel {kernel}, stride {stride}: {verdict}"),
            (shown, "gray", "random weights on grey: uneven by themselves"),
        )
        for axes, (values, colours, title) in zip(grid[:, column], pictures, strict=True):
            axes.imshow(values.numpy(), cmap=colours, vmin=0, interpolation="nearest")
            axes.set_title(title, fontsize=9)
            axes.set_axis_off()
    save_png(figure, path)
    return unevenness


def draw_scores(
    rgb: Array,
    rows: Sequence[tuple[str, Mapping[int, Tensor], Array]],
    path: Path,
    classes: Classes,
) -> None:
    """Write a PNG of what the networks of the FCN family see in one photo, a line a network.

    A row is a name, the fused class scores (C, h, w) by stride, and the final labels (H, W): the
    leading class of every cell of the score maps stands beside the labels at the picture's size.
    """
    strides = sorted({stride for _, maps, _ in rows for stride in maps}, reverse=True)
    columns = 1 + len(strides) + 1
    height, width = rgb.shape[:2]
    figure = Figure(
        figsize=(3 * columns, 3.2 * height / width * len(rows) + 0.5), dpi=110, layout="constrained"
    )
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for line, (name, maps, labels) in zip(grid, rows, strict=True):
        pictures: list[tuple[Array | None, str]] = [(rgb, name)]
        for stride in strides:
            found = (
                None
                if stride not in maps
                else colourise(_leading(maps[stride], (height, width)), classes.palette)
            )
            pictures.append((found, f"scores at stride {stride}"))
        pictures.append((paint(rgb, labels, classes.palette, 0.6), "labels"))
        for axes, (picture, title) in zip(line, pictures, strict=True):
            axes.set_axis_off()
            if picture is not None:
                axes.imshow(picture)
                axes.set_title(title, fontsize=10)
    save_png(figure, path)


def draw_race(lines: Mapping[str, Sequence[float]], path: Path, *, ylabel: str) -> None:
    """Write a PNG of one figure (a share of 1) by epoch, a line a network."""
    figure = Figure(figsize=(7, 4.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, values in lines.items():
        axes.plot(range(1, len(values) + 1), values, marker="o", markersize=4, label=name)
    axes.set_xlabel("epoch", color=AXIS_COLOUR)
    axes.set_ylabel(ylabel, color=AXIS_COLOUR)
    axes.set_xticks(range(1, max(map(len, lines.values())) + 1))
    axes.grid(color=GRID_COLOUR)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    save_png(figure, path)


def _numbers(axes: Axes, values: Tensor, title: str) -> None:
    axes.set_axis_on()
    axes.imshow(values.numpy() != 0, cmap="Oranges", vmin=0, vmax=3, interpolation="nearest")
    for (y, x), value in np.ndenumerate(values.numpy()):
        axes.text(
            x,
            y,
            f"{value:g}",
            ha="center",
            va="center",
            fontsize=11 if max(values.shape) < 6 else 8,
        )
    axes.set_xticks(np.arange(-0.5, values.shape[1]), [])
    axes.set_yticks(np.arange(-0.5, values.shape[0]), [])
    axes.tick_params(length=0)
    axes.grid(color=_LINE)
    axes.set_title(title, fontsize=10)


def _leading(scores: Tensor, size: tuple[int, int]) -> Array:
    """The class with the highest score at every cell of (C, h, w), each cell as the block of pixels
    it stands for.
    """
    labels = scores.argmax(0)[None, None].float()
    return np.asarray(F.interpolate(labels, size, mode="nearest")[0, 0].byte().numpy())
