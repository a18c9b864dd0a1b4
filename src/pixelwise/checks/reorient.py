"""Labels brought to their image's size and orientation."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from pixelwise.checks.pictures import same_shape
from pixelwise.datasets.edge_alignment import TURNS, edge_strength, measure_fit, shrink_outline
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.io.images import Array, read_rgb

_CLEAR = 2.0
_CLEARER = 0.7
# how a stored array becomes upright, by EXIF orientation
_UPRIGHT: dict[int, Callable[[Array], Array]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].T,
    8: np.rot90,
}
_UNDO = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
_TURNED = {TURNS[0]: 2, TURNS[1]: 4, TURNS[2]: 3, TURNS[3]: 5}


def fit_labels(labels: Array, stats: PairStats) -> tuple[Array | None, tuple[str, str] | None]:
    """Labels (H, W) of the image's upright size, with (type of issue, text) of what was done.

    The labels are None where nothing is sure.
    """
    if stats.image is None or stats.mask is None:
        return None, None
    image = stats.image.file
    mask = stats.mask.file
    if labels.shape == image.size:
        return _same_size(labels, stats)
    if image.orientation != 1 and labels.shape == image.stored:
        return _turned(labels, image.orientation, "the mask was turned as its image")
    if mask.orientation != 1 and mask.stored == image.size:
        return _turned(labels, _UNDO[mask.orientation], "the mask's own orientation was undone")
    if labels.shape == (image.size[1], image.size[0]):
        return _lying(labels, stats)
    return _resized(labels, image.size)


def _same_size(labels: Array, stats: PairStats) -> tuple[Array, tuple[str, str] | None]:
    """Turned where one of the two has an EXIF orientation and the edges say that the other lacks
    it.
    """
    unlike = (
        stats.image and stats.mask and stats.image.file.orientation != stats.mask.file.orientation
    )
    if unlike and stats.fit and stats.fit.turned > stats.fit.in_place + 1:
        return _turned(labels, _TURNED[stats.fit.turn], stats.fit.turn)
    return labels, None


def _resized(labels: Array, size: tuple[int, int]) -> tuple[Array | None, tuple[str, str]]:
    if not same_shape(size, (labels.shape[0], labels.shape[1])):
        return None, ("size-mismatch", "left out: image and mask are of another shape, one is cut")
    text = f"resized from {labels.shape[0]} x {labels.shape[1]} to {size[0]} x {size[1]} (nearest)"
    resized = Image.fromarray(labels).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.asarray(resized), ("size-mismatch", text)


def _turned(labels: Array, orientation: int, text: str) -> tuple[Array, tuple[str, str]]:
    return np.ascontiguousarray(_UPRIGHT[orientation](labels)), ("orientation-mismatch", text)


def _lying(labels: Array, stats: PairStats) -> tuple[Array | None, tuple[str, str]]:
    """Of the four ways to set the mask upright, the one whose borders lie on the image's edges, if
    it is clear.
    """
    rgb = read_rgb(stats.pair.image)
    strength = edge_strength(Image.fromarray(rgb).convert("L"))
    ways = {name: np.ascontiguousarray(_UPRIGHT[at](labels)) for name, at in _WAYS.items()}
    scores = []
    for name, way in ways.items():
        agreement = measure_fit(
            strength,
            shrink_outline(way, (strength.shape[0], strength.shape[1])),
            (rgb.shape[0], rgb.shape[1]),
        )
        scores.append((agreement.in_place if agreement else 0.0, name))
    (best, name), (second, _) = sorted(scores, reverse=True)[:2]
    if best < _CLEAR or best - second < _CLEARER:
        return None, (
            "size-transposed",
            f"left out: which way to turn it is not clear ({best:.1f} against {second:.1f})",
        )
    return ways[name], (
        "size-transposed",
        f"{name} (agreement with edges {best:.1f}, next {second:.1f})",
    )


_WAYS = {
    "transposed": 5,
    "turned clockwise": 6,
    "transposed along the other diagonal": 7,
    "turned anticlockwise": 8,
}
