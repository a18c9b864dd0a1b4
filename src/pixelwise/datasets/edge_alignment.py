"""How well the borders of a mask lie on the edges of its image, and whether they would lie better
elsewhere.

Correlates the outline of the labels with the strength of the image's gradient, at a small size and
at all displacements at once (Fourier). The thresholds were chosen on CamVid, Pascal VOC and
portraits (benchmarks/results/clinic.md).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.classes import find_edges

Floats = NDArray[np.float32]

SIDE = 192
"""The longer side at which edges are compared."""
REACH = 20
"""Displacements of up to this many pixels are tried, along each side, at that size."""

_MOST_STRENGTH = 3.0
TURNS = ("mirrored", "upside down", "turned by 180 degrees", "transposed")


@dataclass(frozen=True, slots=True)
class Fit:
    """How labels fit an image's edges.

    `in_place` is the correlation as it is, in standard deviations above that of other places;
    `best` the highest, when moved by `shift` (rows, columns) in pixels of the full image, `near` in
    those of the small one. `turned` is the best of TURNS by `turn`, measured alike. `gain` and
    `turn_gain` are differences of the plain correlations.
    """

    in_place: float
    best: float
    shift: tuple[int, int]
    near: tuple[int, int]
    gain: float
    turn: str
    turned: float
    turn_gain: float


def edge_strength(grey: Image.Image) -> Floats:
    """(h, w) gradient of a grey image made small, in units of its mean, cut at 3, less the mean."""
    width, height = grey.size
    scale = min(1.0, SIDE / max(width, height))
    small = (max(8, round(width * scale)), max(8, round(height * scale)))
    values = np.asarray(grey.resize(small, Image.Resampling.BOX), np.float32)
    across = np.zeros_like(values)
    down = np.zeros_like(values)
    across[:, 1:-1] = values[:, 2:] - values[:, :-2]
    down[1:-1] = values[2:] - values[:-2]
    strength = np.hypot(across, down)
    cut = np.minimum(strength / (strength.mean() + 2), _MOST_STRENGTH)
    return np.asarray(cut - cut.mean(), np.float32)


def shrink_outline(labels: NDArray[np.generic], shape: tuple[int, int]) -> Floats:
    """(h, w) the share of pixels of `labels` (H, W) beside another label, made small to `shape` (h,
    w).
    """
    rim = find_edges(labels).astype(np.uint8)
    small = Image.fromarray(rim * np.uint8(255)).resize((shape[1], shape[0]), Image.Resampling.BOX)
    return np.asarray(np.asarray(small, np.float32) / np.float32(255), np.float32)


def measure_fit(strength: Floats, rim: Floats, size: tuple[int, int]) -> Fit | None:
    """Compare `edge_strength` and `shrink_outline` (h, w) of an image of `size` (H, W).

    None where there is no outline.
    """
    if rim.sum() < 4:
        return None
    spectrum = np.fft.rfft2(strength, _pad_size(strength))
    plain = _displace(spectrum, rim)
    centre = float(plain[REACH, REACH])
    mean = float(plain.mean())
    spread = float(plain.std()) + 1e-6
    place = np.unravel_index(int(plain.argmax()), plain.shape)
    near = (int(place[0]) - REACH, int(place[1]) - REACH)
    scale = max(1.0, max(size) / SIDE)
    turns = [rim[:, ::-1], rim[::-1], rim[::-1, ::-1]] + (
        [rim.T] if rim.shape[0] == rim.shape[1] else []
    )
    scores = []
    for turned, name in zip(turns, TURNS, strict=False):
        moved = _displace(spectrum, turned)
        value = float(moved[REACH - 1 : REACH + 2, REACH - 1 : REACH + 2].max())
        scores.append(
            (value - centre, (value - float(moved.mean())) / (float(moved.std()) + 1e-6), name)
        )
    turn_gain, turned_score, turn = max(scores)
    return Fit(
        in_place=(centre - mean) / spread,
        best=(float(plain.max()) - mean) / spread,
        shift=(round(near[0] * scale), round(near[1] * scale)),
        near=near,
        gain=float(plain.max()) - centre,
        turn=turn,
        turned=turned_score,
        turn_gain=turn_gain,
    )


def _displace(spectrum: NDArray[np.complexfloating], rim: Floats) -> Floats:
    """(2 REACH + 1, 2 REACH + 1) mean strength below the outline, moved by -REACH..REACH rows and
    columns.
    """
    size = _pad_size(rim)
    product = np.fft.irfft2(spectrum * np.conj(np.fft.rfft2(rim, size)), size)
    window = np.roll(product, (REACH, REACH), (0, 1))[: 2 * REACH + 1, : 2 * REACH + 1]
    return np.asarray(window / rim.sum(), np.float32)


def _pad_size(picture: Floats) -> tuple[int, int]:
    """Its size with room for displacements on one side (the product is periodic), a multiple of 16,
    which is quick.
    """
    height, width = (
        max(16 * math.ceil((side + REACH) / 16), 2 * REACH + 16) for side in picture.shape
    )
    return height, width
