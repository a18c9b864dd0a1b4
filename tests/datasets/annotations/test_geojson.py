"""GeoJSON in pixels, as QuPath writes it and as pixelwise does; what says nothing of pixels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.datasets.annotations import geojson
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError

OPEN = DataOptions(hold_out=False)
SQUARE = [[1, 1], [4, 1], [4, 3], [1, 3], [1, 1]]
HOLE = [[2, 1], [3, 1], [3, 2], [2, 2], [2, 1]]


def feature(kind: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": {"objectType": "annotation", **properties},
    }


def folder(root: Path, *features: dict[str, Any], **members: Any) -> Path:
    Image.new("RGB", (6, 4)).save(root / "a.png")
    content = {"type": "FeatureCollection", "features": features, **members}
    (root / "a.geojson").write_text(json.dumps(content))
    return root


def test_polygons_of_qupath_keep_holes_and_parts(tmp_path: Path) -> None:
    tumour = {"classification": {"name": "tumour", "color": [1, 2, 3]}}
    stroma = {"classification": {"names": ["stroma", "dense"]}}
    folder(
        tmp_path,
        feature("Polygon", [SQUARE, HOLE], **tumour),
        feature("MultiPolygon", [[HOLE], [[[5, 0], [6, 0], [6, 1], [5, 1], [5, 0]]]], **stroma),
        feature("Point", [1, 1], **tumour),
        feature("Polygon", [SQUARE]),
    )
    data = open_dataset(tmp_path, OPEN)
    assert data.format == "geojson"
    assert data.classes.names == ("background", "stroma: dense", "tumour")
    assert data.read_labels(tmp_path / "a.png").tolist() == [
        [0, 0, 0, 0, 0, 1],
        [0, 2, 1, 2, 0, 0],
        [0, 2, 2, 2, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert any("1 Point, 1 Polygon without class" in note for note in data.notes)


def test_a_list_of_features_alone_is_read_too(tmp_path: Path) -> None:
    folder(tmp_path)
    rows = [feature("Polygon", [SQUARE], classification={"name": "cell"})]
    (tmp_path / "a.geojson").write_text(json.dumps(rows))
    data = open_dataset(tmp_path, OPEN)
    assert data.read_labels(tmp_path / "a.png").sum() == 6


@pytest.mark.parametrize(
    ("geometry", "complaint"),
    [
        ({"type": "Polygon", "coordinates": [SQUARE]}, "may mean degrees"),
        ({"type": "Curve", "coordinates": []}, "may mean degrees"),
    ],
)
def test_coordinates_that_may_be_degrees_are_refused(
    tmp_path: Path, geometry: dict[str, Any], complaint: str
) -> None:
    folder(tmp_path, {"type": "Feature", "geometry": geometry, "properties": {"class": "field"}})
    with pytest.raises(DataError, match=complaint):
        open_dataset(tmp_path, OPEN)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    cell = {"classification": {"name": "cell"}}
    folder(tmp_path, feature("Curve", [], **cell))
    with pytest.raises(DataError, match=r"a\.geojson: holds a geometry of type Curve; draw it"):
        open_dataset(tmp_path, OPEN)
    (tmp_path / "a.geojson").write_text('{"features": [')
    with pytest.raises(DataError, match="malformed JSON at line 1"):
        open_dataset(tmp_path, OPEN)
    folder(tmp_path, feature("Polygon", [SQUARE], **cell))
    Image.new("RGB", (6, 4)).save(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"b\.png: no b\.geojson.*--skip-unpaired"):
        open_dataset(tmp_path, OPEN)
    (tmp_path / "b.png").unlink()
    (tmp_path / "c.geojson").write_bytes((tmp_path / "a.geojson").read_bytes())
    with pytest.raises(DataError, match=r"c\.geojson: no image of that name"):
        open_dataset(tmp_path, OPEN)


def test_what_is_written_says_that_it_is_in_pixels(tmp_path: Path) -> None:
    labels = np.zeros((4, 6), np.uint8)
    labels[1:3, 1:4] = 1
    geojson.write(tmp_path / "a.geojson", labels, Classes.named(("background", "cell")))
    content = json.loads((tmp_path / "a.geojson").read_text())
    assert content["coordinates"] == geojson.PIXELS
    (row,) = content["features"]
    assert row["properties"]["classification"]["name"] == "cell"
    assert row["geometry"]["coordinates"] == [[[1, 1], [4, 1], [4, 3], [1, 3], [1, 1]]]
