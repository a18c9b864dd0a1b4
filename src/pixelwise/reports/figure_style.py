"""The one style of every figure: sizes, colours and letters.

A figure is as wide as a page. Where a phone shows it 360 pixels wide, the smallest letters are
seven pixels high. Pages turn figures, which are drawn on white, where they are dark.
"""

import io
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from numpy.typing import NDArray

from pixelwise.io.atomic import atomic
from pixelwise.reports.fonts import find_font, legible

WIDTH = 6.6
"""Of a figure, in inches."""

DPI = 200

LETTERS = 11
"""Points of titles and legends."""

SMALL_LETTERS = 9.5
"""Points of numbers on axes, and of titles of narrow panels."""

INK = "#202024"
SOFT = "#555b66"
RULE = "#e3e6ea"

# Those of Okabe and Ito (2008) that show on white: colour-blind people can tell them apart.
BLUE = "#0072b2"
ORANGE = "#d55e00"
SERIES = (BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of lines, in their order."""

MUTED = "#7a8aa0"
"""Of what stands behind the subject: training beside validation, counts beside shares."""

TINT = "#dce9f4"
"""Of cells that hold something."""

COLOUR_MAP = "cividis"
"""Of amounts: from blue to yellow, which colour-blind people see alike (Nunez et al. 2018)."""

_NARROWEST = 1.3  # inches of a panel: more columns make the figure wider
_LINE = 0.24  # inches of a line of a title


def make_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def make_grid(
    rows: int, columns: int, *, ratio: float = 1.0, lines: int = 1
) -> tuple[Figure, NDArray[Any]]:
    """A figure with empty axes (rows, columns): panels of `ratio` heights to a width, each below a
    title of so many `lines`.
    """
    width = max(WIDTH, columns * _NARROWEST)
    panel = width / columns
    figure = make_figure((panel * ratio + lines * _LINE) * rows, width)
    # not squeezed, so that one row is a grid as well
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    return figure, grid


def set_title(axes: Axes, title: str, size: float = SMALL_LETTERS) -> None:
    """The title of a panel, in letters that a font has."""
    set_letters(axes.set_title(title, fontsize=size, color=INK))


def style_plot(axes: Axes, *, title: str = "", xlabel: str = "", ylabel: str = "") -> None:
    """Axes of a plot: names, a pale grid behind, no frame above and on the right, and a legend
    where lines have names.
    """
    if title:
        axes.set_title(title, loc="left", fontsize=LETTERS, fontweight="bold", color=INK)
    axes.set_xlabel(xlabel, color=SOFT, fontsize=LETTERS)
    axes.set_ylabel(ylabel, color=SOFT, fontsize=LETTERS)
    axes.tick_params(colors=SOFT, labelsize=SMALL_LETTERS)
    axes.grid(color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=SMALL_LETTERS, labelcolor=INK)


def set_letters(text: Text) -> None:
    """Give a text of a figure a font that has its letters, or letters that a font has."""
    shown = legible(text.get_text())
    text.set_text(shown)
    file = find_font(shown)
    if file is not None:
        text.set_fontproperties(FontProperties(fname=file, size=text.get_fontsize()))


def png_bytes(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure atomically. Raises OutputError when `path` cannot be written."""
    with atomic(path) as draft:
        figure.savefig(draft, format="png")
