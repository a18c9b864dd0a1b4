"""A drawing of an alpha matte: its values, and what two thresholds make of its soft edge."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.datasets.raw_mask import read_matte
from pixelwise.errors import ConfigError
from pixelwise.io.images import Array
from pixelwise.reports.figure_style import (
    BLUE,
    ORANGE,
    make_figure,
    save_png,
    set_title,
    style_plot,
)

_STRICT = 128
_NEAREST = 64  # pixels of the part of the edge that is enlarged


def draw_matte(matte: str | Path, path: str | Path) -> dict[str, int]:
    """Write a PNG of an alpha matte (a grey file of 8 bits), of a part of its edge with the
    outlines of alpha above 0 and of alpha from 128 on, and of how often each value between 0 and
    255 occurs. Returns the number of values, and the pixels that either threshold takes for person.

    Raises ConfigError for a mask without soft edges.
    """
    mask = read_matte(Path(matte))
    if mask.coloured:
        raise ConfigError(f"{matte}: is in colours; give an alpha matte, which is grey")
    alpha = np.asarray(mask.values, np.uint8)
    values = np.unique(alpha)
    soft = (alpha > 0) & (alpha < 255)
    if not soft.any():
        raise ConfigError(f"{matte}: holds only {values.tolist()}, so it has no soft edges to draw")
    figure = make_figure(5.2)
    places = figure.subplot_mosaic("ab;cc", height_ratios=(3, 2))
    left = places["a"]
    right = places["b"]
    below = places["c"]
    left.imshow(alpha, cmap="gray", vmin=0, vmax=255)
    set_title(left, "the matte")
    part = _crop_edge(alpha, soft)
    right.imshow(part, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    right.contour(part, levels=[0.5], colors=[BLUE], linestyles="dotted")
    right.contour(part, levels=[_STRICT - 0.5], colors=[ORANGE])
    set_title(right, "its edge: above 0 (dotted), from 128 on")
    for axes in (left, right):
        axes.set_axis_off()
    counts = np.bincount(alpha[soft], minlength=255)
    below.bar(range(1, 255), counts[1:255], width=1, color=BLUE)
    below.axvline(_STRICT, color=ORANGE)
    style_plot(below, xlabel="alpha between 0 and 255", ylabel="pixels")
    save_png(figure, Path(path))
    return {
        "values": len(values),
        "above 0": int((alpha > 0).sum()),
        "from 128 on": int((alpha >= _STRICT).sum()),
    }


def _crop_edge(alpha: Array, soft: NDArray[np.bool_]) -> Array:
    """The part of the matte around its highest soft pixel."""
    row, column = np.argwhere(soft)[0]
    top, left = (
        int(np.clip(place - _NEAREST // 2, 0, max(0, side - _NEAREST)))
        for place, side in zip((row, column), alpha.shape, strict=True)
    )
    return alpha[top : top + _NEAREST, left : left + _NEAREST]
