"""Labels brought to their image's size and orientation."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from pixelwise.checks.pictures import same_shape
from pixelwise.datasets.edge_alignment import (
    TURN_BETTER,
    TURNS,
    Floats,
    edge_strength,
    measure_fit,
    shrink_outline,
)
from pixelwise.datasets.pair_stats import FileStats, PairStats, Size
from pixelwise.io.channels import TO_SHOW
from pixelwise.io.images import Array, read_rgb

# Agreement (standard deviations above other places) from which a way to turn a mask is sure, and by
# how much it must be better than the next: a wrong turn would be worse than a pair left out.
_CLEAR = 2.0
_CLEARER = 0.7

# How a stored array becomes upright, by EXIF orientation.
_UPRIGHT: dict[int, Callable[[Array], Array]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].T,
    8: np.rot90,
}
# The orientation that undoes another: mirrors undo themselves, quarter turns each other.
_UNDO = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
_TURNED = {TURNS[0]: 2, TURNS[1]: 4, TURNS[2]: 3, TURNS[3]: 5}
# The orientations that exchange height and width.
_WAYS = {
    "transposed": 5,
    "turned clockwise": 6,
    "transposed along the other diagonal": 7,
    "turned anticlockwise": 8,
}

Remedy = tuple[str, str]
"""(type of issue, text) of what was done about it."""


def fit_labels(labels: Array, stats: PairStats) -> tuple[Array | None, Remedy | None]:
    """Labels (H, W) of the image's upright size, with (type of issue, text) of what was done.

    The labels are None where nothing is sure.
    """
    if stats.image is None or stats.mask is None:
        return None, None
    image = stats.image.file
    mask = stats.mask.file
    if labels.shape == image.size:
        return _turn_by_edges(labels, stats, image, mask)
    if image.orientation != 1 and labels.shape == image.stored:
        return _turn(labels, image.orientation, "the mask was turned as its image")
    if mask.orientation != 1 and mask.stored == image.size:
        return _turn(labels, _UNDO[mask.orientation], "the mask's own orientation was undone")
    if labels.shape == image.size[::-1]:
        return _set_upright(labels, stats)
    return _resize(labels, image.size)


def _turn_by_edges(
    labels: Array, stats: PairStats, image: FileStats, mask: FileStats
) -> tuple[Array, Remedy | None]:
    """Turned where one of the two has an EXIF orientation and the edges say that the other lacks
    it.
    """
    fit = stats.fit
    unlike = image.orientation != mask.orientation
    if unlike and fit and fit.turned > fit.in_place + TURN_BETTER:
        return _turn(labels, _TURNED[fit.turn], fit.turn)
    return labels, None


def _resize(labels: Array, size: Size) -> tuple[Array | None, Remedy]:
    height, width = labels.shape
    if not same_shape(size, (height, width)):
        return None, ("size-mismatch", "left out: image and mask are of another shape, one is cut")
    text = f"resized from {height} x {width} to {size[0]} x {size[1]} (nearest)"
    # Nearest: anything smoother invents classes along borders.
    image = Image.fromarray(labels)
    resized = image.resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.asarray(resized), ("size-mismatch", text)


def _turn(
    labels: Array,
    orientation: int,
    text: str,
) -> tuple[Array, Remedy]:
    turned = np.ascontiguousarray(_UPRIGHT[orientation](labels))
    return turned, ("orientation-mismatch", text)


def _set_upright(labels: Array, stats: PairStats) -> tuple[Array | None, Remedy]:
    """Of the four ways to set the mask upright, the one whose borders lie on the image's edges, if
    it is clear.
    """
    rgb = read_rgb(stats.pair.image, TO_SHOW)
    size = (rgb.shape[0], rgb.shape[1])
    strength = edge_strength(Image.fromarray(rgb).convert("L"))
    agreements = []
    for name in _WAYS:
        agreement = _measure_agreement(_upright(labels, name), strength, size)
        agreements.append((agreement, name))
    agreements.sort(reverse=True)
    best, name = agreements[0]
    second = agreements[1][0]
    if best < _CLEAR or best - second < _CLEARER:
        text = f"left out: which way to turn it is not clear ({best:.1f} against {second:.1f})"
        return None, ("size-transposed", text)
    text = f"{name} (agreement with edges {best:.1f}, next {second:.1f})"
    return _upright(labels, name), ("size-transposed", text)


def _upright(labels: Array, name: str) -> Array:
    return np.ascontiguousarray(_UPRIGHT[_WAYS[name]](labels))


def _measure_agreement(labels: Array, strength: Floats, size: Size) -> float:
    shape = (strength.shape[0], strength.shape[1])
    fit = measure_fit(strength, shrink_outline(labels, shape), size)
    return fit.in_place if fit else 0.0
