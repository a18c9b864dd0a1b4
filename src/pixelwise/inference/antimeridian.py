"""Polygons in longitude and latitude that reach over the antimeridian, cut there as RFC 7946 wants
it (3.1.9).
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pixelwise.inference.ellipsoid import Floats

# Degrees by which rounding may reach over a pole or the antimeridian.
_EPSILON = 1e-6
_POLE = 90 - _EPSILON


def may_cross(rings: Sequence[Floats]) -> bool:
    """Whether rings (n, 2) of degrees jump by more than half a turn, or go beyond 180 degrees. None
    that has a pole as a corner does: it goes along the antimeridian.
    """
    if any((np.abs(ring[:, 1]) > _POLE).any() for ring in rings):
        return False
    return any(
        (np.abs(np.diff(ring[:, 0])) > 180).any() or (np.abs(ring[:, 0]) > 180).any()
        for ring in rings
    )


def cut_at_antimeridian(rings: Sequence[Floats]) -> list[list[Floats]]:
    """Polygons of closed rings (n, 2) of degrees in [-180, 180] for one, its holes behind its
    outline, whose corners lie less than half a turn apart.
    """
    outline = _unwrap(rings[0])
    turns = np.floor((outline[:, 0].min() + 180 + _EPSILON) / 360)
    outline = outline - [360 * turns, 0]
    whole = [outline, *(_near(_unwrap(hole), outline) for hole in rings[1:])]
    if outline[:, 0].max() <= 180 + _EPSILON:
        return [whole]
    west = [part for ring in whole if len(part := _clip(ring, 1))]
    east = [part - [360, 0] for ring in whole if len(part := _clip(ring, -1))]
    return [part for part in (west, east) if part]


def _unwrap(ring: Floats) -> Floats:
    return np.column_stack([np.unwrap(ring[:, 0], period=360), ring[:, 1]])


def _near(hole: Floats, outline: Floats) -> Floats:
    """The hole at the turn at which it lies in the outline."""
    middle = outline[:, 0].min() + np.ptp(outline[:, 0]) / 2
    turns = np.round((hole[:, 0].mean() - middle) / 360)
    shifted: Floats = hole - [360 * turns, 0]
    return shifted


def _clip(ring: Floats, side: int) -> Floats:
    """The part west (1) or east (-1) of 180 degrees, closed; empty where there is none
    (Sutherland and Hodgman 1974).
    """
    corners = list[tuple[float, float]]()
    for (x0, y0), (x1, y1) in pairwise(ring.tolist()):
        if side * x0 <= side * 180:
            corners.append((x0, y0))
        if (x0 - 180) * (x1 - 180) < 0:
            corners.append((180.0, y0 + (180 - x0) / (x1 - x0) * (y1 - y0)))
    if len(set(corners)) < 3:
        return np.empty((0, 2))
    return np.array([*corners, corners[0]])
