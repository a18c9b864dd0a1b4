import csv
import json
from pathlib import Path

import numpy as np
import pytest

from pixelwise.inference.object_polygons import format_corners
from pixelwise.inference.objects import write_objects

NAMES = ("background", "cell", "debris")


def write_raster(path: Path, labels: np.ndarray) -> Path:
    rasterio = pytest.importorskip("rasterio")
    height, width = labels.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 1, "dtype": "uint8"}
    place = {"crs": "EPSG:32632", "transform": rasterio.transform.from_origin(5e5, 5.5e6, 0.5, 0.5)}
    with rasterio.open(path, "w", **profile, **place) as target:
        target.write(labels, 1)
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_object_of_a_raster_is_a_feature(tmp_path: Path) -> None:
    """Two squares that touch by a corner are one object, of two polygons; a ring has a hole."""
    labels = np.zeros((60, 60), np.uint8)
    labels[5:10, 5:10] = 1
    labels[10:15, 10:15] = 1
    labels[30:50, 30:50] = 2
    labels[35:45, 35:45] = 0
    labels[38:42, 38:42] = 1  # within the hole
    write_objects(tmp_path, [write_raster(tmp_path / "a.tif", labels)], NAMES)
    features = json.loads((tmp_path / "a_objects.geojson").read_text())["features"]
    rows = {int(row["object"]): row for row in rows_of(tmp_path / "objects.csv")}
    assert len(features) == len(rows) == 3
    for feature in features:
        properties = feature["properties"]
        row = rows[properties["object"]]
        assert properties["class"] == row["class"]
        assert properties["pixels"] == int(row["pixels"])
        assert properties["square_metres"] == float(row["square_metres"])
        assert "confidence" not in properties
    kinds = {f["properties"]["pixels"]: f["geometry"] for f in features}
    assert kinds[50]["type"] == "MultiPolygon"
    assert len(kinds[50]["coordinates"]) == 2
    assert len(kinds[300]["coordinates"]) == 2  # the outline and the hole
    longitude, latitude = kinds[16]["coordinates"][0][0]
    assert 8.9 < longitude < 9.1
    assert 49 < latitude < 50


def test_objects_of_the_first_class_are_outlined_where_it_is_no_background(tmp_path: Path) -> None:
    labels = np.full((40, 40), 255, np.uint8)
    labels[5:10, 5:10] = 0
    labels[20:30, 20:30] = 1
    write_objects(tmp_path, [write_raster(tmp_path / "a.tif", labels)], NAMES[1:])
    features = json.loads((tmp_path / "a_objects.geojson").read_text())["features"]
    pixels = {f["properties"]["class"]: f["properties"]["pixels"] for f in features}
    assert pixels == {"cell": 25, "debris": 100}


def test_corners_are_the_numbers_that_json_would_hold() -> None:
    degrees = np.array([[-0.5, 9.00000001], [-179.25, -89.5], [10.125, -10.0], [100.0, 0.0]])
    text = format_corners(degrees).tobytes().decode()
    assert json.loads(f"[{text[:-1]}]") == degrees.tolist()
