"""True areas on the earth: the WGS 84 ellipsoid unrolled into a plane on which every region keeps
its area.

Source: Snyder, Map Projections - A Working Manual (1987), pages 16 to 17, 76 to 78 and 187.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SEMI_MAJOR_M = 6_378_137.0
FLATTENING = 1 / 298.257223563
_ECCENTRICITY = np.sqrt(FLATTENING * (2 - FLATTENING))


def _authalic(sine: Any) -> Any:
    """Snyder's q (3-12) of the sine of a latitude: grows with the area between it and the
    equator.
    """
    e = _ECCENTRICITY
    return (1 - e**2) * (
        sine / (1 - (e * sine) ** 2) - np.log((1 - e * sine) / (1 + e * sine)) / (2 * e)
    )


# The radius of the sphere that has the ellipsoid's area.
AUTHALIC_RADIUS_M = float(SEMI_MAJOR_M * np.sqrt(_authalic(1.0) / 2))

# How far the cylinder's x goes around the earth.
CIRCUMFERENCE_M = 2 * np.pi * AUTHALIC_RADIUS_M


def project_equal_area(longitude: Floats, latitude: Floats, pole: int = 0) -> tuple[Floats, Floats]:
    """Degrees (WGS 84) as x, y in metres of a plane that keeps areas.

    pole: 0 for a cylinder, on which cells of longitude and latitude are rectangles, 1 or -1 for a
    plane about the north or south pole, where the cylinder tears.
    """
    angle = np.radians(longitude)
    sine = np.sin(np.radians(np.clip(latitude, -90, 90)))
    sine = _authalic(sine) / _authalic(1.0)  # of the authalic latitude
    if pole == 0:
        return AUTHALIC_RADIUS_M * angle, AUTHALIC_RADIUS_M * sine
    distance = AUTHALIC_RADIUS_M * np.sqrt(np.maximum(2 * (1 - pole * sine), 0))
    return distance * np.cos(angle), distance * np.sin(angle)


def measure_rings(longitude: Floats, latitude: Floats, pole: int = 0) -> Floats:
    """Square metres within rings of corners (..., K) in degrees, the last joined to the first.

    Sides may cross the antimeridian, but none spans half the earth. pole: as in
    `project_equal_area`. Corners that are no numbers give no number.
    """
    x, y = project_equal_area(longitude, latitude, pole)
    y = y - y[..., :1]  # near the ring: the products of large numbers would lose its size
    steps = np.roll(x, -1, axis=-1) - x
    if pole == 0:
        steps -= CIRCUMFERENCE_M * np.round(steps / CIRCUMFERENCE_M)
    heights = (y + np.roll(y, -1, axis=-1)) / 2
    areas: Floats = np.abs((steps * heights).sum(axis=-1))
    return areas
