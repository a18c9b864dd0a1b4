"""Figures that several rooms draw: what augmentation makes of an image, and the parts of a loss."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

from pixelwise.classes import Classes
from pixelwise.io.atomic import atomic
from pixelwise.io.images import Array
from pixelwise.reports.fonts import find_font, legible
from pixelwise.reports.overlays import colourise

AXIS_COLOUR = "#555b66"
GRID_COLOUR = "#e3e6ea"
_COLUMNS = 4


def draw_augmentation(
    samples: Sequence[tuple[str, Array, Array]],
    path: Path,
    classes: Classes,
) -> None:
    """Write a PNG grid of images, each with its mask below it; void is grey.

    A sample is its title, rgb (H, W, 3) and labels (H, W), uint8.
    """
    rows = math.ceil(len(samples) / _COLUMNS)
    _, first, _ = samples[0]
    height, width = first.shape[:2]
    size = (3.2 * _COLUMNS, 2 * 3.0 * height / width * rows)  # inches
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    grid = figure.subplots(2 * rows, _COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for index, (title, rgb, labels) in enumerate(samples):
        row = 2 * (index // _COLUMNS)
        column = index % _COLUMNS
        above = grid[row, column]
        above.imshow(rgb)
        set_letters(above.set_title(title, fontsize=10))
        below = grid[row + 1, column]
        colours = colourise(labels, classes.palette)
        below.imshow(colours, interpolation="nearest")  # mixed colours would be no class
    save_png(figure, path)


def draw_losses(parts: Mapping[str, Sequence[float]], path: Path) -> None:
    """Write a PNG of the parts of a loss by step, on a logarithmic scale."""
    figure = Figure(figsize=(7, 4.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, values in parts.items():
        axes.plot(range(1, len(values) + 1), values, label=name)
    axes.set_xlabel("step", color=AXIS_COLOUR)
    axes.set_ylabel("weighted loss", color=AXIS_COLOUR)
    has_positive = any(value > 0 for values in parts.values() for value in values)
    if has_positive:  # a logarithmic axis without any is a warning, and empty
        axes.set_yscale("log")
    axes.grid(color=GRID_COLOUR)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    save_png(figure, path)


def set_letters(text: Text) -> None:
    """Give a text of a figure a font that has its letters, or letters that a font has."""
    shown = legible(text.get_text())
    text.set_text(shown)
    file = find_font(shown)
    if file is not None:
        text.set_fontproperties(FontProperties(fname=file, size=text.get_fontsize()))


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure atomically. Raises OutputError when `path` cannot be written."""
    with atomic(path) as draft:
        figure.savefig(draft, format="png")
