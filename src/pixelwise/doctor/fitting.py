"""Labels brought to their image's size and orientation."""

import numpy as np
from PIL import Image

from pixelwise.doctor.edges import TURNS, edge_strength, fit, outline
from pixelwise.doctor.look import Look
from pixelwise.doctor.pictures import same_shape
from pixelwise.images import Array, read_rgb

_CLEAR, _CLEARER = 2.0, 0.7
# how a stored array becomes upright, by EXIF orientation
_UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a),
}
_UNDO = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
_TURNED = {TURNS[0]: 2, TURNS[1]: 4, TURNS[2]: 3, TURNS[3]: 5}


def fitted(labels: Array, look: Look) -> tuple[Array | None, tuple[str, str] | None]:
    """Labels (H, W) of the image's upright size, with (kind, text) of what was done; None where nothing is sure."""
    if look.image is None or look.mask is None:
        return None, None
    image, mask = look.image.picture, look.mask.picture
    if labels.shape == image.size:
        if image.orientation != mask.orientation and look.fit and look.fit.turned > look.fit.here + 1:
            turned = _UPRIGHT[_TURNED[look.fit.turn]](labels)
            return np.ascontiguousarray(turned), ("orientation-mismatch", look.fit.turn)
        return labels, None
    if image.orientation != 1 and labels.shape == image.stored:
        return _turned(labels, image.orientation, "the mask was turned as its image")
    if mask.orientation != 1 and mask.stored == image.size:
        return _turned(labels, _UNDO[mask.orientation], "the mask's own orientation was undone")
    if labels.shape == (image.size[1], image.size[0]) and image.size[0] != image.size[1]:
        return _lying(labels, look)
    if same_shape(image.size, mask.size):
        text = f"resized from {labels.shape[0]} x {labels.shape[1]} to {image.size[0]} x {image.size[1]} (nearest)"
        resized = Image.fromarray(labels).resize((image.size[1], image.size[0]), Image.Resampling.NEAREST)
        return np.asarray(resized), ("size-mismatch", text)
    return None, ("size-mismatch", "left out: image and mask are of another shape, one is cut")


def _turned(labels: Array, orientation: int, text: str) -> tuple[Array, tuple[str, str]]:
    return np.ascontiguousarray(_UPRIGHT[orientation](labels)), ("orientation-mismatch", text)


def _lying(labels: Array, look: Look) -> tuple[Array | None, tuple[str, str]]:
    """Of the four ways to set the mask upright, the one whose borders lie on the image's edges, if it is clear."""
    rgb = read_rgb(look.couple.image)
    strength = edge_strength(Image.fromarray(rgb).convert("L"))
    ways = {name: np.ascontiguousarray(_UPRIGHT[at](labels)) for name, at in _WAYS.items()}
    scores = []
    for name, way in ways.items():
        found = fit(strength, outline(way, (strength.shape[0], strength.shape[1])), (rgb.shape[0], rgb.shape[1]))
        scores.append((found.here if found else 0.0, name))
    (best, name), (second, _) = sorted(scores, reverse=True)[:2]
    if best < _CLEAR or best - second < _CLEARER:
        return None, ("size-transposed", f"left out: which way to turn it is not clear ({best:.1f} against {second:.1f})")
    return ways[name], ("size-transposed", f"{name} (agreement with edges {best:.1f}, next {second:.1f})")


_WAYS = {"transposed": 5, "turned clockwise": 6, "transposed along the other diagonal": 7, "turned anticlockwise": 8}
