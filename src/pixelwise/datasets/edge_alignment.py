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

# The longer side at which edges are compared: small enough that a pair costs a few milliseconds,
# large enough that a shift of 1 % of the image is two pixels.
SIDE = 192
# Displacements of up to this many pixels are tried, along each side, at that size.
REACH = 20

# Above this many times the mean a gradient counts no more: else one bright edge outweighs an
# outline.
_MOST_STRENGTH = 3.0
# Grey levels added to the mean, so that the noise of an even picture is no edge.
_NOISE = 2
# The shorter side is at least this, that very long pictures keep something to compare.
_SHORTEST = 8
# An outline of less than this many pixels says nothing.
_LEAST_OUTLINE = 4
# Sides of a multiple of this have small prime factors, for which a Fourier transform is quick.
_FAST_MULTIPLE = 16
_EPSILON = 1e-6
TURN_BETTER = 1.0
"""By this many standard deviations a turned mask of the right size must fit better than it does as
it is to be taken for one.
"""
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
    small_width = max(_SHORTEST, round(width * scale))
    small_height = max(_SHORTEST, round(height * scale))
    small = grey.resize((small_width, small_height), Image.Resampling.BOX)
    values = np.asarray(small, np.float32)
    across = np.zeros_like(values)
    down = np.zeros_like(values)
    across[:, 1:-1] = values[:, 2:] - values[:, :-2]
    down[1:-1] = values[2:] - values[:-2]
    strength = np.hypot(across, down)
    relative = strength / (strength.mean() + _NOISE)
    cut = np.minimum(relative, _MOST_STRENGTH)
    # Less the mean: a longer outline must not gain by lying on anything at all.
    return np.asarray(cut - cut.mean(), np.float32)


def shrink_outline(labels: NDArray[np.generic], shape: tuple[int, int]) -> Floats:
    """(h, w) the share of pixels of `labels` (H, W) beside another label, made small to `shape` (h,
    w).
    """
    edge = find_edges(labels).astype(np.uint8) * np.uint8(255)
    height, width = shape
    small = Image.fromarray(edge).resize((width, height), Image.Resampling.BOX)
    levels = np.asarray(small, np.float32)
    return np.asarray(levels / np.float32(255), np.float32)


def measure_fit(
    strength: Floats,
    rim: Floats,
    size: tuple[int, int],
) -> Fit | None:
    """Compare `edge_strength` and `shrink_outline` (h, w) of an image of `size` (H, W).

    None where there is no outline.
    """
    if rim.sum() < _LEAST_OUTLINE:
        return None
    spectrum = np.fft.rfft2(strength, _pad_size(strength))
    correlation = _displace(spectrum, rim)  # (2 REACH + 1, 2 REACH + 1)
    centre = float(correlation[REACH, REACH])
    highest = float(correlation.max())
    mean = float(correlation.mean())
    spread = float(correlation.std()) + _EPSILON
    row, column = np.unravel_index(int(correlation.argmax()), correlation.shape)
    near = (int(row) - REACH, int(column) - REACH)
    scale = max(1.0, max(size) / SIDE)
    turn_gain, turned, turn = _measure_turns(spectrum, rim, centre)
    return Fit(
        in_place=(centre - mean) / spread,
        best=(highest - mean) / spread,
        shift=(round(near[0] * scale), round(near[1] * scale)),
        near=near,
        gain=highest - centre,
        turn=turn,
        turned=turned,
        turn_gain=turn_gain,
    )


def _measure_turns(
    spectrum: NDArray[np.complexfloating], rim: Floats, centre: float
) -> tuple[float, float, str]:
    """(gain over `centre`, agreement, name) of the turn of the outline that fits best."""
    turned_rims = [rim[:, ::-1], rim[::-1], rim[::-1, ::-1]]
    if rim.shape[0] == rim.shape[1]:
        turned_rims.append(rim.T)
    scores = []
    for turned, name in zip(turned_rims, TURNS, strict=False):
        correlation = _displace(spectrum, turned)
        # A pixel around the middle: turning a picture of an even side moves it by half a pixel.
        middle = correlation[REACH - 1 : REACH + 2, REACH - 1 : REACH + 2]
        value = float(middle.max())
        mean = float(correlation.mean())
        spread = float(correlation.std()) + _EPSILON
        scores.append((value - centre, (value - mean) / spread, name))
    return max(scores)


def _displace(spectrum: NDArray[np.complexfloating], rim: Floats) -> Floats:
    """(2 REACH + 1, 2 REACH + 1) mean strength below the outline, moved by -REACH..REACH rows and
    columns.
    """
    size = _pad_size(rim)
    rim_spectrum = np.conj(np.fft.rfft2(rim, size))
    product = np.fft.irfft2(spectrum * rim_spectrum, size)
    # The product is periodic: negative displacements lie at its end.
    rolled = np.roll(product, (REACH, REACH), (0, 1))
    window = rolled[: 2 * REACH + 1, : 2 * REACH + 1]
    return np.asarray(window / rim.sum(), np.float32)


def _pad_size(picture: Floats) -> tuple[int, int]:
    """Its size with room for displacements on one side (the product is periodic), a multiple of 16,
    which is quick.
    """
    height, width = picture.shape
    return _pad_side(height), _pad_side(width)


def _pad_side(side: int) -> int:
    multiple = math.ceil((side + REACH) / _FAST_MULTIPLE)
    return max(_FAST_MULTIPLE * multiple, 2 * REACH + _FAST_MULTIPLE)
