"""How a training went, epoch by epoch."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pixelwise.reports.figure_style import MUTED, ORANGE, make_figure, save_png, style_plot

# Part of a column's name in the history, and the title of its panel.
_PANELS = (("loss", "loss"), ("pixel_accuracy", "pixel accuracy"), ("mean_iou", "mean IoU"))
# How a column's name begins, its name in the legend, and its colour.
_LINES = (("train", "training", MUTED), ("val", "validation", ORANGE))
_MAX_MARKERS = 30  # more epochs are a line without a marker at each

History = Sequence[Mapping[str, float]]


def draw_curves(history: History, path: Path) -> None:
    """Write a PNG of loss, pixel accuracy and mean IoU over the epochs, training and validation,
    best epoch marked.

    Each row holds epoch and train_ and val_ of loss, pixel_accuracy and mean_iou; NaN and missing
    figures leave gaps. The best epoch is the one with the highest val_mean_iou. Raises OutputError
    when `path` cannot be written.
    """
    figure = make_figure(7.5)
    best = best_epoch(history)
    for axes, (key, title) in zip(figure.subplots(3, 1), _PANELS, strict=True):
        _draw_lines(axes, history, key)
        if best is not None:
            _mark_best(axes, best, key)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        style_plot(axes, title=title, xlabel="epoch" if key == _PANELS[-1][0] else "")
    save_png(figure, path)


def best_epoch(history: History) -> Mapping[str, float] | None:
    """The row with the highest val_mean_iou, the first of several; None when no row has one."""
    rated = []
    for row in history:
        if not math.isnan(row.get("val_mean_iou", math.nan)):
            rated.append(row)
    return max(rated, key=lambda row: row["val_mean_iou"], default=None)


def _draw_lines(axes: Axes, history: History, key: str) -> None:
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(history) < _MAX_MARKERS else ""
    for prefix, label, colour in _LINES:
        values = [row.get(f"{prefix}_{key}", math.nan) for row in history]
        if not all(map(math.isnan, values)):
            axes.plot(
                epochs,
                values,
                color=colour,
                label=label,
                linewidth=1.8,
                marker=marker,
                markersize=3.5,
            )


def _mark_best(axes: Axes, best: Mapping[str, float], key: str) -> None:
    value = best.get(f"val_{key}", math.nan)
    axes.axvline(best["epoch"], color=ORANGE, linewidth=1, linestyle=":", alpha=0.7)
    if not math.isnan(value):
        axes.plot(
            [best["epoch"]],
            [value],
            "o",
            color=ORANGE,
            markersize=8,
            markerfacecolor="white",
            label=f"best: epoch {best['epoch']:.0f}, {value:.3f}",
        )
