from pathlib import Path

import numpy as np
import pytest

import pixelwise
from pixelwise.classes import Classes
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.tta import Pixels

rasterio = pytest.importorskip("rasterio")


def by_colour(rgb: Pixels) -> np.ndarray:
    """Logits of 2 where a picture is red, and where it is blue."""
    return np.where(rgb[:, [0, 2]] > 100, 2.0, -2.0).astype(np.float32)


@pytest.fixture
def raster(tmp_path: Path) -> Path:
    """A georeferenced picture of 150 x 90: red from column 20 on, blue from 60 on, nodata below."""
    values = np.zeros((3, 150, 90), np.uint8)
    values[0, :, 20:] = 200
    values[2, :, 60:] = 200
    values[1] = 1
    values[:, 140:] = 0
    path = tmp_path / "images/field.tif"
    path.parent.mkdir()
    place = rasterio.transform.from_origin(500_000, 5_000_000, 0.5, 0.5)
    profile = {"driver": "GTiff", "width": 90, "height": 150, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", crs="EPSG:32632", transform=place, nodata=0, **profile) as file:
        file.write(values)
    return path


def test_a_raster_becomes_a_band_a_class_in_its_place(raster: Path, tmp_path: Path) -> None:
    classes = Classes(("red", "blue"), ((255, 0, 0), (0, 0, 255)))
    model = LayerPredictor(by_colour, classes, thresholds=(0.5, 0.9), tile=(64, 64))
    choices = pixelwise.PredictOptions(extras=("probabilities",))
    predict_files(model, [raster], tmp_path / "masks", choices=choices)
    with rasterio.open(tmp_path / "masks/field.tif") as file, rasterio.open(raster) as source:
        assert (file.crs, file.transform) == (source.crs, source.transform)
        assert file.descriptions == ("red", "blue")
        layers = file.read()
    assert (layers[:, 140:] == 255).all()
    assert layers[0, 0].tolist() == [0] * 20 + [1] * 70
    assert not layers[1, :140].any()  # a sigmoid of 2 is .88
    with rasterio.open(tmp_path / "masks/field_probabilities.tif") as file:
        scores = file.read()
    np.testing.assert_allclose(scores[1, 0, [0, 89]], [0.119, 0.881], atol=1e-3)
    assert np.isnan(scores[:, 145]).all()


def test_its_layers_are_truth_that_can_be_read(raster: Path, tmp_path: Path) -> None:
    classes = Classes(("red", "blue"), ((255, 0, 0), (0, 0, 255)))
    model = LayerPredictor(by_colour, classes, thresholds=(0.5, 0.5))
    predict_files(model, [raster], tmp_path / "masks")
    options = DataOptions(multilabel=True, hold_out=False)
    opened = open_dataset(tmp_path, options, layers=True)
    assert opened.classes.names == ("red", "blue")
    (pair,) = opened.pairs("train")
    layers = opened.read_labels(pair.mask)
    assert layers[:, 0, 89].tolist() == [1, 1]
    assert layers[:, 145, 89].tolist() == [255, 255]
