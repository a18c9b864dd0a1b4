import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from pixelwise.errors import ConfigError
from pixelwise.inference.areas import write_areas
from pixelwise.inference.regions import remove_small_regions, write_polygons
from pixelwise.io.gdal import quiet_rasterio
from pixelwise.io.images import write_labels

NAMES = ("field", "house")
LABELS = np.zeros((6, 8), np.uint8)
LABELS[1:4, 2:5] = 1
LABELS[2, 3] = 0  # a hole in the house
LABELS[5, 7] = 255


def mask(
    path: Path,
    labels: np.ndarray = LABELS,
    crs: str | None = "EPSG:32633",
    corner: tuple[float, float] = (500000, 4600000),
    pixel: float = 0.5,
) -> Path:
    where = {"crs": crs, "transform": from_origin(*corner, pixel, pixel)} if crs else {}
    size = {
        "height": labels.shape[0],
        "width": labels.shape[1],
        "count": 1,
        "dtype": "uint8",
        "nodata": 255,
    }
    with rasterio.open(path, "w", driver="GTiff", **size, **where) as target:
        target.write(labels, 1)
    return path


def outlines(path: Path) -> list[dict]:
    return json.loads(path.read_text())["features"]


def test_small_regions_take_the_label_around_them_and_void_stays() -> None:
    found = remove_small_regions(LABELS, 5)
    assert found[2, 3] == 1, "the hole of one pixel is filled"
    assert (found[1:4, 2:5] == 1).all()
    assert found[5, 7] == 255
    assert (remove_small_regions(LABELS, 9)[:5, :5] == 0).all(), (
        "then the house of eight pixels goes as well"
    )
    assert remove_small_regions(LABELS, 1) is LABELS
    diagonal = np.eye(4, dtype=np.uint8)
    assert (remove_small_regions(diagonal, 2) == 0).all(), (
        "pixels that touch at a corner are no region"
    )


def test_a_small_region_with_no_large_neighbour_stays() -> None:
    assert (remove_small_regions(np.array([[0, 1]], np.uint8), 10) == [[0, 1]]).all()


def test_small_regions_need_rasterio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rasterio.features", None)
    with pytest.raises(ConfigError, match=r"pip install 'pixelwise\[raster\]'"):
        remove_small_regions(LABELS, 5)


def test_polygons_have_class_hole_area_and_longitude_first(tmp_path: Path) -> None:
    write_polygons(mask(tmp_path / "a.tif"), tmp_path / "a.geojson", NAMES)
    houses = [f for f in outlines(tmp_path / "a.geojson") if f["properties"]["class"] == "house"]
    assert len(houses) == 1
    assert houses[0]["properties"] == {"label": 1, "class": "house", "square_metres": 8 * 0.25}
    assert len(houses[0]["geometry"]["coordinates"]) == 2, "an outline and a hole"
    longitude, latitude = houses[0]["geometry"]["coordinates"][0][0]
    assert longitude == pytest.approx(15.0, abs=1e-3), "the central meridian of zone 33"
    assert latitude == pytest.approx(41.55, abs=0.01)
    assert sum(
        f["properties"]["square_metres"] for f in outlines(tmp_path / "a.geojson")
    ) == pytest.approx(47 * 0.25)


def test_without_coordinate_system_polygons_are_in_pixels(tmp_path: Path) -> None:
    quiet_rasterio()
    assert not write_polygons(mask(tmp_path / "a.tif", crs=None), tmp_path / "a.geojson", NAMES)
    assert json.loads((tmp_path / "a.geojson").read_text())["crs"] is None
    (house,) = (f for f in outlines(tmp_path / "a.geojson") if f["properties"]["class"] == "house")
    corners = np.array(house["geometry"]["coordinates"][0])
    assert (corners.min(0).tolist(), corners.max(0).tolist()) == ([2, 1], [5, 4])
    assert "square_metres" not in house["properties"]


def test_areas_are_counted_and_in_square_metres_where_the_mask_has_metres(tmp_path: Path) -> None:
    write_labels(tmp_path / "b.png", LABELS, ((0, 0, 0), (9, 9, 9)))
    degrees = mask(tmp_path / "c.tif", crs="EPSG:4326", corner=(20, 60), pixel=1e-5)
    feet = mask(tmp_path / "d.tif", crs="EPSG:2263", corner=(984250, 200000))
    write_areas(
        tmp_path / "t.csv", [mask(tmp_path / "a.tif"), tmp_path / "b.png", degrees, feet], NAMES
    )
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["mask"], r["class"], r["pixels"]) for r in rows[:3]] == [
        ("a.tif", "field", "39"),
        ("a.tif", "house", "8"),
        ("a.tif", "void", "1"),
    ]
    assert float(rows[1]["square_metres"]) == 2.0
    assert float(rows[1]["share"]) == pytest.approx(8 / 48, abs=1e-6)
    assert {r["square_metres"] for r in rows if r["mask"] == "b.png"} == {""}
    assert rows[7]["mask"] == "c.tif"
    assert float(rows[7]["square_metres"]) == pytest.approx(8 * 0.6217, abs=1e-3), (
        "at 60 degrees 1e-5 degrees are 1.1141 m northwards and .5580 m eastwards"
    )
    assert float(rows[10]["square_metres"]) == pytest.approx(
        8 * 0.25 * (1200 / 3937) ** 2, abs=1e-3
    ), "US survey feet"


def test_a_mask_of_an_image_is_counted_as_its_pixels(tmp_path: Path) -> None:
    write_labels(tmp_path / "b.png", LABELS, ((0, 0, 0), (9, 9, 9)))
    with Image.open(tmp_path / "b.png") as image:
        assert (np.asarray(image) == LABELS).all()
