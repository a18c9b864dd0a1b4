"""Figures that several rooms draw: what augmentation makes of an image, and the parts of a loss."""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from pixelwise.classes import Classes
from pixelwise.io.images import Array
from pixelwise.reports.figure_style import (
    SERIES,
    make_figure,
    make_grid,
    save_png,
    set_title,
    style_plot,
)
from pixelwise.reports.overlays import colourise

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
    figure, grid = make_grid(2 * rows, _COLUMNS, ratio=height / width)
    for index, (title, rgb, labels) in enumerate(samples):
        row = 2 * (index // _COLUMNS)
        column = index % _COLUMNS
        above = grid[row, column]
        above.imshow(rgb)
        set_title(above, title)
        below = grid[row + 1, column]
        colours = colourise(labels, classes.palette)
        below.imshow(colours, interpolation="nearest")  # mixed colours would be no class
    save_png(figure, path)


def draw_losses(parts: Mapping[str, Sequence[float]], path: Path) -> None:
    """Write a PNG of the parts of a loss by step, on a logarithmic scale."""
    figure = make_figure(4.2)
    axes = figure.subplots()
    for (name, values), colour in zip(parts.items(), itertools.cycle(SERIES), strict=False):
        axes.plot(range(1, len(values) + 1), values, label=name, color=colour)
    has_positive = any(value > 0 for values in parts.values() for value in values)
    if has_positive:  # a logarithmic axis without any is a warning, and empty
        axes.set_yscale("log")
    style_plot(axes, xlabel="step", ylabel="weighted loss")
    save_png(figure, path)
