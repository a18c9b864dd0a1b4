"""Areas against the ellipsoid's radii of curvature and derivatives of the projection, which share
nothing with the equal-area planes of the code.
"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC
from rasterio.transform import Affine, from_origin
from rasterio.warp import transform

from pixelwise.inference.areas import write_areas
from pixelwise.inference.ellipsoid import AUTHALIC_RADIUS_M, FLATTENING, SEMI_MAJOR_M
from pixelwise.inference.pixel_areas import read_pixel_areas
from pixelwise.inference.regions import write_polygons
from pixelwise.io.gdal import quiet_rasterio

NAMES = ("field", "house")
E2 = FLATTENING * (2 - FLATTENING)


def write_mask(path: Path, labels: np.ndarray, **place: object) -> Path:
    quiet_rasterio()
    height, width = labels.shape
    profile = {"height": height, "width": width, "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(path, "w", driver="GTiff", **profile, **place) as target:
        target.write(labels, 1)
    return path


def local_area(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Square metres of the parallelogram that three neighbouring points (3, ...) span."""
    phi = np.radians(latitude[0])
    w2 = 1 - E2 * np.sin(phi) ** 2
    north = np.radians(latitude[1:] - latitude[:1]) * SEMI_MAJOR_M * (1 - E2) / w2**1.5
    turned = (longitude[1:] - longitude[:1] + 180) % 360 - 180
    east = np.radians(turned) * SEMI_MAJOR_M / np.sqrt(w2) * np.cos(phi)
    return np.abs(east[0] * north[1] - east[1] * north[0])


def derived_areas(crs: str, place: Affine, height: int, width: int) -> np.ndarray:
    """Square metres of each pixel by the derivatives of longitude and latitude at its middle."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    step = 1e-3
    x, y = zip(
        *(place * (columns + dx, rows + dy) for dx, dy in ((0, 0), (step, 0), (0, step))),
        strict=True,
    )
    degrees = transform(crs, "EPSG:4326", np.ravel(x), np.ravel(y))
    longitude, latitude = (np.reshape(part, (3, height, width)) for part in degrees)
    return local_area(longitude, latitude) / step**2


def measure(mask: Path) -> dict[str, float]:
    """Square metres by class, of the table and of the polygons, which must be the same."""
    table = mask.with_name("areas.csv")
    write_areas(table, [mask], NAMES)
    with table.open() as file:
        areas = {row["class"]: float(row["square_metres"]) for row in csv.DictReader(file)}
    assert write_polygons(mask, mask.with_suffix(".geojson"), NAMES)
    features = json.loads(mask.with_suffix(".geojson").read_text())["features"]
    for name in NAMES:
        parts = [f["properties"] for f in features if f["properties"]["class"] == name]
        total = sum(part["square_metres"] for part in parts)
        assert total == pytest.approx(areas.get(name, 0), rel=1e-4, abs=1e-2)
    return areas


MERCATOR_60 = (2782987.27, 8399737.89)  # 25 E, 60 N
TURNED = Affine.translation(*MERCATOR_60) * Affine.rotation(30) * Affine.scale(1, -1)
PLACES = {
    "web mercator": ("EPSG:3857", from_origin(*MERCATOR_60, 1, 1)),
    "web mercator, turned": ("EPSG:3857", TURNED),
    "web mercator, south up": ("EPSG:3857", Affine(1, 0, MERCATOR_60[0], 0, 1, MERCATOR_60[1])),
    "degrees": ("EPSG:4326", from_origin(25, 60, 1e-5, 1e-5)),
    "degrees, south up": ("EPSG:4326", Affine(1e-3, 0, -70, 0, 1e-3, -40)),
    "coarse degrees": ("EPSG:4326", from_origin(-10, 80, 0.25, 0.25)),
    "degrees across 180": ("EPSG:4326", from_origin(179.999, -17, 1e-4, 1e-4)),
    "degrees from 0 to 360": ("EPSG:4326", from_origin(200, 30, 1e-2, 1e-2)),
    "mercator across 180": ("EPSG:3832", from_origin(3339000, 2000000, 100, 100)),
    "arctic stereographic": ("EPSG:3413", from_origin(-600000, -200000, 1000, 1000)),
    "arctic at the pole": ("EPSG:3413", from_origin(-30500, 30500, 1000, 1000)),
    "antarctic at the pole": ("EPSG:3031", from_origin(-30500, 30500, 1000, 1000)),
    "conformal conic": ("EPSG:2154", from_origin(700000, 7100000, 1, 1)),
    "far outside of its zone": ("EPSG:32633", from_origin(1500000, 5000000, 10, 10)),
    "feet far outside of their zone": ("EPSG:2263", from_origin(500000, 4600000, 1, 1)),
}


@pytest.mark.parametrize("name", PLACES)
def test_areas_are_those_on_the_ellipsoid(name: str, tmp_path: Path) -> None:
    crs, place = PLACES[name]
    labels = np.zeros((60, 70), np.uint8)
    labels[10:30, 20:65] = 1
    labels[15:20, 30:40] = 0
    labels[50:, :9] = 255
    areas = measure(write_mask(tmp_path / "a.tif", labels, crs=crs, transform=place))
    expected = derived_areas(crs, place, *labels.shape)
    for label, part in ((0, "field"), (1, "house"), (255, "void")):
        assert areas[part] == pytest.approx(expected[labels == label].sum(), rel=1e-3)


def test_web_mercator_at_60_degrees_is_a_quarter(tmp_path: Path) -> None:
    labels = np.ones((100, 100), np.uint8)
    place = from_origin(*MERCATOR_60, 1, 1)
    areas = measure(write_mask(tmp_path / "a.tif", labels, crs="EPSG:3857", transform=place))
    assert areas["house"] == pytest.approx(2500, rel=5e-3)  # .9966 of it on an ellipsoid


@pytest.mark.parametrize(
    ("crs", "corner", "pixel", "expected"),
    [
        ("EPSG:32633", (500000, 4600000), 0.5, 0.25),
        ("EPSG:3035", (4321000, 3210000), 10, 100),  # equal-area
        ("EPSG:27700", (400000, 300000), 1, 1),
        ("EPSG:2263", (984250, 200000), 1, (1200 / 3937) ** 2),  # US survey feet
        ("EPSG:2277", (2300000, 10000000), 2, 4 * (1200 / 3937) ** 2),
    ],
)
def test_grids_that_are_true_to_area_count_their_own_pixels(
    crs: str, corner: tuple[float, float], pixel: float, expected: float, tmp_path: Path
) -> None:
    labels = np.ones((20, 30), np.uint8)
    place = from_origin(*corner, pixel, pixel)
    areas = measure(write_mask(tmp_path / "a.tif", labels, crs=crs, transform=place))
    assert areas["house"] == pytest.approx(600 * expected, abs=6e-4)
    derived = derived_areas(crs, place, 20, 30).sum()
    assert areas["house"] == pytest.approx(derived, rel=2.5e-3)


def test_a_map_of_the_world_has_the_area_of_the_earth(tmp_path: Path) -> None:
    labels = np.zeros((90, 180), np.uint8)
    labels[:45] = 1
    place = from_origin(-180, 90, 2, 2)
    areas = measure(write_mask(tmp_path / "a.tif", labels, crs="EPSG:4326", transform=place))
    half = 2 * np.pi * AUTHALIC_RADIUS_M**2
    assert areas == pytest.approx({"field": half, "house": half}, rel=1e-5)


def test_a_large_raster_is_interpolated_to_a_ten_thousandth(tmp_path: Path) -> None:
    labels = np.zeros((1800, 40), np.uint8)
    labels[300] = 1  # one row of pixels, at 60 degrees
    place = from_origin(-2, 90, 0.1, 0.1)
    areas = measure(write_mask(tmp_path / "a.tif", labels, crs="EPSG:4326", transform=place))
    expected = derived_areas("EPSG:4326", place, *labels.shape)[300].sum()
    assert areas["house"] == pytest.approx(expected, rel=1e-4)


def test_control_points_and_rational_polynomials_give_areas_and_degrees(tmp_path: Path) -> None:
    labels = np.zeros((50, 100), np.uint8)
    labels[10:20, 30:60] = 1
    points = [
        GroundControlPoint(row, column, 25 + column * 1e-4, 60 - row * 1e-4)
        for row, column in ((0, 0), (0, 100), (50, 0), (50, 100))
    ]
    placed = write_mask(tmp_path / "gcps.tif", labels, gcps=points, crs="EPSG:4326")
    place = from_origin(25, 60, 1e-4, 1e-4)
    expected = derived_areas("EPSG:4326", place, 50, 100)[labels == 1].sum()
    assert measure(placed)["house"] == pytest.approx(expected, rel=1e-4)
    one = [1.0] + [0.0] * 19
    polynomials = RPC(
        height_off=80,
        height_scale=500,
        lat_off=59.99745,  # the middle of pixel (25, 50)
        lat_scale=1,
        long_off=25.00505,
        long_scale=1,
        line_off=25,
        line_scale=1e4,
        samp_off=50,
        samp_scale=1e4,
        line_num_coeff=[0, 0, -1] + [0] * 17,
        samp_num_coeff=[0, 1] + [0] * 18,
        line_den_coeff=one,
        samp_den_coeff=one,
    )
    placed = write_mask(tmp_path / "rpcs.tif", labels, rpcs=polynomials)
    assert measure(placed)["house"] == pytest.approx(expected, rel=1e-4)
    for name in ("gcps", "rpcs"):
        features = json.loads((tmp_path / f"{name}.geojson").read_text())["features"]
        (house,) = (f["geometry"] for f in features if f["properties"]["class"] == "house")
        corners = np.array(house["coordinates"][0])
        assert corners.min(0) == pytest.approx([25.003, 59.998], abs=1e-7)
        assert corners.max(0) == pytest.approx([25.006, 59.999], abs=1e-7)


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"crs": "EPSG:4326"},  # without a transform pixels are no degrees
        {"transform": from_origin(500000, 4600000, 0.5, 0.5)},
        {
            "crs": 'LOCAL_CS["site",UNIT["metre",1]]',
            "transform": from_origin(500000, 4600000, 0.5, 0.5),
        },
        {"crs": "EPSG:4326", "transform": from_origin(500000, 4600000, 0.5, 0.5)},
        {"crs": "EPSG:4326", "gcps": [GroundControlPoint(0, 0, 25, 60)]},
    ],
    ids=["nothing", "no transform", "no system", "a site", "no degrees", "one point"],
)
def test_what_has_no_place_on_the_earth_has_no_square_metres(
    place: dict[str, object], tmp_path: Path
) -> None:
    labels = np.ones((4, 5), np.uint8)
    mask = write_mask(tmp_path / "a.tif", labels, **place)
    with rasterio.open(mask) as dataset:
        assert read_pixel_areas(dataset) is None
    write_areas(tmp_path / "areas.csv", [mask], NAMES)
    assert (tmp_path / "areas.csv").read_text().splitlines()[1] == "a.tif,house,20,1.000000,"
    assert not write_polygons(mask, tmp_path / "a.geojson", NAMES)
    collection = json.loads((tmp_path / "a.geojson").read_text())
    assert collection["crs"] is None
    assert "pixels" in collection["coordinates"] or "own" in collection["coordinates"]
    assert collection["features"][0]["properties"] == {"label": 1, "class": "house"}
