import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import from_origin

from pixelwise.inference.antimeridian import cut_at_antimeridian
from pixelwise.inference.ellipsoid import measure_rings
from pixelwise.inference.regions import write_polygons


def box(west: float, east: float, south: float = 10, north: float = 20) -> np.ndarray:
    """A closed ring with a corner at each tenth of its sides."""
    shares = np.arange(10) / 10
    corners = np.array([(west, south), (east, south), (east, north), (west, north), (west, south)])
    sides = [a + (b - a) * shares[:, None] for a, b in pairwise(corners.astype(float))]
    return np.concatenate([*sides, corners[:1]])


def wrap(ring: np.ndarray) -> np.ndarray:
    longitude = (ring[:, 0] + 180) % 360 - 180
    return np.column_stack([longitude, ring[:, 1]])


def area(polygon: list[np.ndarray]) -> float:
    rings = [float(measure_rings(*ring[:-1].T)) for ring in polygon]
    return rings[0] - sum(rings[1:])


def test_a_box_with_a_hole_becomes_two() -> None:
    west, east = cut_at_antimeridian([wrap(box(170, 190)), wrap(box(178, 185, 12, 15))])
    assert [ring[:, 0].min() for ring in west] == [170, 178]
    assert [ring[:, 0].max() for ring in west] == [180, 180]
    assert [ring[:, 0].min() for ring in east] == [-180, -180]
    assert [ring[:, 0].max() for ring in east] == [-170, -175]


@pytest.mark.parametrize(
    ("west", "east", "expected"),
    [(200, 210, (-160, -150)), (-190, -185, (170, 175)), (170, 180, (170, 180))],
)
def test_what_lies_on_one_side_stays_whole(
    west: float, east: float, expected: tuple[float, float]
) -> None:
    ((ring,),) = cut_at_antimeridian([box(west, east)])
    assert (ring[:, 0].min(), ring[:, 0].max()) == expected


def test_a_map_from_0_to_360_degrees_becomes_two_halves() -> None:
    parts = cut_at_antimeridian([box(0, 360, -60, 60)])
    spans = [(ring[:, 0].min(), ring[:, 0].max()) for (ring,) in parts]
    assert spans == [(0, 180), (-180, 0)]


@given(st.floats(100, 250), st.floats(1, 100), st.floats(0.1, 0.9))
def test_cutting_keeps_the_area_and_the_range(west: float, width: float, part: float) -> None:
    hole = box(west + width * part / 2, west + width * part, 12, 15)
    whole = [box(west, west + width), hole]
    parts = cut_at_antimeridian(whole)
    assert sum(map(area, parts)) == pytest.approx(area(whole), rel=1e-6)
    for polygon in parts:
        longitudes = np.concatenate(polygon)[:, 0]
        assert np.abs(longitudes).max() <= 180 + 1e-9
        assert np.ptp(longitudes) <= width + 1e-9


@pytest.mark.parametrize(
    ("crs", "corner", "pixel"),
    [
        ("EPSG:4326", (179.9995, -17), 1e-4),
        ("EPSG:3832", (3339000, 2000000), 100),
        ("EPSG:2193", (2100000, 5600000), 15000),  # the Chatham Islands on New Zealand's grid
        ("EPSG:32601", (165000, 110000), 500),
        ("EPSG:3413", (-1410000, 1410000), 1000),
    ],
)
def test_no_polygon_of_a_raster_goes_around_the_world(
    crs: str, corner: tuple[float, float], pixel: float, tmp_path: Path
) -> None:
    labels = np.zeros((12, 15), np.uint8)
    labels[3:7, 1:14] = 1
    profile = {"height": 12, "width": 15, "count": 1, "dtype": "uint8", "crs": crs}
    place = from_origin(*corner, pixel, pixel)
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", transform=place, **profile) as mask:
        mask.write(labels, 1)
    assert write_polygons(tmp_path / "a.tif", tmp_path / "a.geojson", ("field", "house"))
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert {f["geometry"]["type"] for f in features} == {"MultiPolygon"}
    for feature in features:
        assert len(feature["geometry"]["coordinates"]) == 2
        for polygon in feature["geometry"]["coordinates"]:
            longitudes = np.array(polygon[0])[:, 0]
            assert np.ptp(longitudes) < 10
            assert np.abs(longitudes).max() <= 180
        total = sum(area(list(map(np.array, p))) for p in feature["geometry"]["coordinates"])
        assert total == pytest.approx(feature["properties"]["square_metres"], rel=2e-3)
