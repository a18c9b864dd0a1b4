"""Feature vectors of single pixels, and of those that a stroke covers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Labels
from pixelwise.labelling.rasterise import Area
from pixelwise.labelling.strokes import UNLABELLED, Stroke

Coordinates = NDArray[np.floating]
Places = NDArray[np.intp]
"""Rows or columns of pixels."""

# Pixels of a stroke that the model learns from: of one stroke more say the same again.
PER_STROKE = 24
# Of a whole photo that was accepted, or taken over in part.
PER_PATCH = 240
_PATCHES = ("take", "accept", "import")


def gather(
    pyramid: Mapping[int, NDArray[np.float16]],
    rows: Coordinates,
    columns: Coordinates,
) -> NDArray[np.float16]:
    """Vectors (N, D) of places of the picture, in pixels, (N,) each: bilinear in the map of every
    stride, the finest first.
    """
    parts = []
    for stride, feature in sorted(pyramid.items()):
        parts.append(_interpolate(feature, rows / stride - 0.5, columns / stride - 0.5))
    return np.concatenate(parts, axis=1)


def _interpolate(
    feature: NDArray[np.float16], rows: Coordinates, columns: Coordinates
) -> NDArray[np.float16]:
    _, height, width = feature.shape
    rows = rows.clip(0, height - 1)
    columns = columns.clip(0, width - 1)
    top = rows.astype(np.intp)
    left = columns.astype(np.intp)
    bottom = np.minimum(top + 1, height - 1)
    right = np.minimum(left + 1, width - 1)
    down = (rows - top).astype(np.float32)
    across = (columns - left).astype(np.float32)
    upper = feature[:, top, left] * (1 - across) + feature[:, top, right] * across
    lower = feature[:, bottom, left] * (1 - across) + feature[:, bottom, right] * across
    return (upper * (1 - down) + lower * down).T.astype(np.float16)


@dataclass(frozen=True, eq=False)
class StrokeSamples:
    """Pixels of a stroke, (N,) rows and columns, their vectors (N, D), and what the stroke weighs
    in all.
    """

    rows: Places
    columns: Places
    vectors: NDArray[np.float16]
    weight: float


def choose_pixels(stroke: Stroke, size: tuple[int, int], seed: int) -> tuple[Places, Places]:
    """Rows and columns of pixels that stand for a stroke, in random order that follows from
    `seed`: every label of it has its share.
    """
    area = stroke.area(size)
    rng = np.random.default_rng(seed)
    limit = PER_PATCH if stroke.tool in _PATCHES else PER_STROKE
    labels = None if stroke.patch is None else stroke.patch.labels
    chosen = [_choose(part, limit, rng) for part in _parts(area, labels)]
    most = max(len(part) for part in chosen) if chosen else 0
    share = max(1, limit // max(1, len(chosen)))
    places = np.concatenate([part[:share] for part in chosen]) if most else np.zeros(0, np.intp)
    places = rng.permutation(places)
    return area.box.top + places // area.box.width, area.box.left + places % area.box.width


def _parts(area: Area, labels: Labels | None) -> list[Places]:
    """The pixels of an area by their label, as places in the box."""
    covered = area.covered.ravel()
    if labels is None:
        places = np.flatnonzero(covered)
        return [places] if len(places) else []
    flat = labels.ravel()
    values = np.flatnonzero(np.bincount(flat, minlength=256))
    return [np.flatnonzero(flat == value) for value in values if value not in (UNLABELLED, VOID)]


def _choose(places: Places, limit: int, rng: np.random.Generator) -> Places:
    if len(places) > limit:
        places = rng.choice(places, limit, replace=False)
    return rng.permutation(places)


def stroke_weight(stroke: Stroke, pixels: int) -> float:
    """What a stroke of so many samples weighs: a long one more than a dot, but not by its length.
    What a hand drew weighs more than what was taken over.
    """
    weight = float(np.sqrt(min(pixels, PER_STROKE)))
    return 2 * weight if stroke.tool in _PATCHES else weight
