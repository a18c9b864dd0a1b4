"""Layers of classes that overlap made visible: every class of a pixel at once."""

import numpy as np

from pixelwise.io.images import Array
from pixelwise.reports.overlays import Palette, paint


def paint_layers(rgb: Array, layers: Array, palette: Palette, opacity: float = 0.5) -> Array:
    """`rgb` (H, W, 3) tinted by each of the layers (C, H, W) in turn, the largest first, each with
    its outline; where several lie, their colours mix.
    """
    order = np.argsort(-layer_shares(layers), kind="stable")
    painted = rgb
    for number in order:
        # the layer as class 0, all else as a background that keeps its colours
        labels = np.where(layers[number] == 1, 0, 1).astype(np.uint8)
        painted = paint(painted, labels, (palette[number], (0, 0, 0)), opacity)
    return painted


def layer_shares(layers: Array) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """(C,) the share of all pixels that is of each class."""
    shares: np.ndarray[tuple[int], np.dtype[np.float64]] = (layers == 1).mean((1, 2))
    return shares
