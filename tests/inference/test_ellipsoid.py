import numpy as np
import pytest
from scipy.integrate import quad

from pixelwise.inference.ellipsoid import (
    AUTHALIC_RADIUS_M,
    FLATTENING,
    SEMI_MAJOR_M,
    measure_rings,
)


def integrate_cell(south: float, north: float, width: float) -> float:
    """Square metres between two parallels, from the radii of curvature of the ellipsoid."""
    e2 = FLATTENING * (2 - FLATTENING)

    def strip(latitude: float) -> float:
        w2 = 1 - e2 * np.sin(latitude) ** 2
        meridian = SEMI_MAJOR_M * (1 - e2) / w2**1.5
        normal = SEMI_MAJOR_M / np.sqrt(w2)
        return meridian * normal * np.cos(latitude)

    return np.radians(width) * quad(strip, np.radians(south), np.radians(north))[0]


def cell(west: float, south: float, width: float, height: float) -> tuple[np.ndarray, np.ndarray]:
    longitude = west + width * np.array([0, 1, 1, 0])
    return longitude, south + height * np.array([0, 0, 1, 1])


def test_the_sphere_has_the_area_of_the_ellipsoid() -> None:
    assert 4 * np.pi * AUTHALIC_RADIUS_M**2 == pytest.approx(510_065_621_724_088, rel=1e-13)
    assert pytest.approx(6_371_007.18, abs=0.01) == AUTHALIC_RADIUS_M


@pytest.mark.parametrize(
    ("south", "height"), [(0, 1), (59.5, 1), (-33, 1e-3), (48, 1e-5), (89, 1), (-90, 1)]
)
def test_cells_of_degrees_have_the_area_of_the_integral(south: float, height: float) -> None:
    expected = integrate_cell(south, south + height, height)
    assert measure_rings(*cell(20, south, height, height)) == pytest.approx(expected, rel=1e-6)


def test_cells_across_the_antimeridian_are_as_large_as_elsewhere() -> None:
    longitude, latitude = cell(179.5, 30, 1, 1)
    wrapped = np.where(longitude > 180, longitude - 360, longitude)
    assert measure_rings(wrapped, latitude) == pytest.approx(integrate_cell(30, 31, 1), rel=1e-9)


@pytest.mark.parametrize("pole", [1, -1])
def test_a_ring_around_a_pole_holds_the_cap(pole: int) -> None:
    longitude = np.arange(0, 360, 0.5)
    area = measure_rings(longitude, np.full_like(longitude, pole * 89.0), pole)
    assert area == pytest.approx(integrate_cell(89, 90, 360), rel=1e-4)


def test_both_planes_agree_on_a_small_ring_near_the_pole() -> None:
    ring = cell(10, 87, 0.01, 0.01)
    assert measure_rings(*ring, pole=1) == pytest.approx(measure_rings(*ring), rel=1e-6)


def test_rings_are_measured_side_by_side() -> None:
    longitude, latitude = cell(5, 40, 1, 1)
    both = measure_rings(np.stack([longitude, longitude]), np.stack([latitude, latitude + 10]))
    assert both == pytest.approx([integrate_cell(40, 41, 1), integrate_cell(50, 51, 1)], rel=1e-9)
