"""Tables of numbers as drawings: what the lessons on operators are made of."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from pixelwise.errors import ConfigError
from pixelwise.reports.figure_style import INK, ORANGE, TINT, set_title

# Longest side of input and kernel in the step by step drawing: nobody could read a larger one.
MAX_SIDE = 6

_CELL_BORDER = "#c9ced6"
_LARGEST_LETTERS = 14


def check_side(name: str, tensor: Tensor) -> None:
    """Raises ConfigError for what is no table of numbers, or too large a one to read."""
    if not isinstance(tensor, Tensor):
        raise ConfigError(f"the {name} is a {type(tensor).__name__}: give a tensor (H, W)")
    if tensor.ndim != 2 or max(tensor.shape) > MAX_SIDE:
        raise ConfigError(
            f"{name} of {tuple(tensor.shape)}: a drawing needs two axes of at most {MAX_SIDE}"
        )


def step_columns(count: int) -> int:
    """Panels in a row of a drawing of `count` steps: 4, which make one row of a 2 x 2 input, or 3
    larger ones.
    """
    return 4 if count == 4 else 3


def frame_cells(
    axes: Axes,
    size: tuple[int, int],
    corner: tuple[int, int],
) -> None:
    """Frame `size` (height, width) cells from the cell `corner` (x, y) on."""
    height, width = size
    x, y = corner
    # Matplotlib's pixels lie around whole numbers
    frame = Rectangle(
        (x - 0.5, y - 0.5),
        width,
        height,
        fill=False,
        edgecolor=ORANGE,
        linewidth=2.5,
        zorder=5,  # above the lines between cells
        clip_on=False,
    )
    axes.add_patch(frame)


def draw_numbers(axes: Axes, values: Tensor, title: str) -> None:
    """A table of the values (H, W), tinted where they are not zero."""
    height, width = values.shape
    numbers = values.numpy()
    axes.set_axis_on()
    colours = ListedColormap(["white", TINT])
    axes.imshow(numbers != 0, cmap=colours, vmin=0, vmax=1, interpolation="nearest")
    font_size = _fit_letters(axes, values)
    for (y, x), value in np.ndenumerate(numbers):
        axes.text(
            x,
            y,
            f"{value:g}",
            ha="center",
            va="center",
            fontsize=font_size,
            color=INK,
        )
    axes.set_xticks(np.arange(-0.5, width), [])
    axes.set_yticks(np.arange(-0.5, height), [])
    axes.tick_params(length=0)
    axes.grid(color=_CELL_BORDER)
    set_title(axes, title)


def _fit_letters(axes: Axes, values: Tensor) -> float:
    """Points of letters with which the longest of the values (H, W) fits into its cell."""
    spec = axes.get_subplotspec()
    assert spec is not None
    grid = spec.get_gridspec()
    figure = axes.figure
    assert isinstance(figure, Figure)
    panel = 72 * figure.get_figwidth() / grid.ncols * len(spec.colspan)  # points
    cell = 0.9 * panel / max(values.shape)
    longest = max(len(f"{value:g}") for value in values.flatten().tolist())
    # a digit is about 0.64 of the letters' height wide
    return float(min(_LARGEST_LETTERS, 0.6 * cell, 0.9 * cell / (0.64 * longest)))
