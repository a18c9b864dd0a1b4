"""Tables of numbers as drawings: what the lessons on operators are made of."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.errors import ConfigError

# Longest side of input and kernel in the step by step drawing: nobody could read a larger one.
MAX_SIDE = 6

ACCENT = "#c2410c"
_CELL_BORDER = "#c9ced6"
# Columns times letters times points that fit into a table side by side.
_LETTERS = 250


def check_side(name: str, tensor: Tensor) -> None:
    """Raises ConfigError for what is no table of numbers, or too large a one to read."""
    if not isinstance(tensor, Tensor):
        raise ConfigError(f"the {name} is a {type(tensor).__name__}: give a tensor (H, W)")
    if tensor.ndim != 2 or max(tensor.shape) > MAX_SIDE:
        raise ConfigError(
            f"{name} of {tuple(tensor.shape)}: a drawing needs two axes of at most {MAX_SIDE}"
        )


def make_grid(rows: int, columns: int, cell: tuple[float, float]) -> tuple[Figure, NDArray[Any]]:
    """A figure with empty axes (rows, columns), each as wide and high as `cell`, in inches."""
    width, height = cell
    figure = Figure(
        figsize=(width * columns, height * rows),
        dpi=110,
        layout="constrained",
    )
    # not squeezed, so that one row is a grid as well
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    return figure, grid


def frame_cells(
    axes: Axes,
    size: tuple[int, int],
    corner: tuple[int, int],
    colour: str = ACCENT,
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
        edgecolor=colour,
        linewidth=2.5,
        zorder=5,  # above the lines between cells
        clip_on=False,
    )
    axes.add_patch(frame)


def draw_numbers(axes: Axes, values: Tensor, title: str) -> None:
    """A table of the values (H, W), tinted where they are not zero."""
    height, width = values.shape
    side = max(height, width)
    longest = max(len(f"{value:g}") for value in values.flatten().tolist())
    font_size = 15 if side < 6 else 10 if side < 12 else 7
    font_size = min(font_size, _LETTERS // (width * longest))
    axes.set_axis_on()
    numbers = values.numpy()
    # a third of the colour map's range, so that the numbers stay readable
    axes.imshow(
        numbers != 0,
        cmap="Oranges",
        vmin=0,
        vmax=3,
        interpolation="nearest",
    )
    for (y, x), value in np.ndenumerate(numbers):
        axes.text(
            x,
            y,
            f"{value:g}",
            ha="center",
            va="center",
            fontsize=font_size,
        )
    axes.set_xticks(np.arange(-0.5, width), [])
    axes.set_yticks(np.arange(-0.5, height), [])
    axes.tick_params(length=0)
    axes.grid(color=_CELL_BORDER)
    axes.set_title(title, fontsize=12)
