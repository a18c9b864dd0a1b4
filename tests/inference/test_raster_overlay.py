"""Overlays of rasters."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.inference import raster_overlay
from pixelwise.inference.raster_overlay import write_raster_overlay

CLASSES = Classes(("ground", "field"), ((0, 0, 0), (250, 120, 0)))


def write_tiff(path: Path, bands: np.ndarray) -> None:
    count, height, width = bands.shape
    profile = {"driver": "GTiff", "dtype": "uint8", "count": count}
    with rasterio.open(path, "w", height=height, width=width, **profile) as target:
        target.write(bands)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("held", [1, 2**24])  # pixels: strips of one row of the overlay, or all
def test_it_is_smaller_and_shows_the_source_and_its_labels_in_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr(raster_overlay, "MAX_SIDE", 200)
    monkeypatch.setattr(raster_overlay, "_HELD_PIXELS", held)
    height, width = 301, 501  # by threes: 101 x 167
    rgb = np.full((3, height, width), 100, np.uint8)
    rgb[:, :, 250:] = 200
    labels = np.zeros((1, height, width), np.uint8)
    labels[:, 150:] = 1
    write_tiff(tmp_path / "source.tif", rgb)
    write_tiff(tmp_path / "scene.tif", labels)
    path = write_raster_overlay(tmp_path / "source.tif", tmp_path / "scene.tif", CLASSES)
    assert path.name == "scene_overlay.jpg"
    with Image.open(path) as image:
        shown = np.asarray(image).astype(int)
    assert shown.shape[0] > 101  # the legend below
    assert shown.shape[1] == 167
    field = np.array(CLASSES.palette[1])
    assert abs(shown[20, 40] - 100).max() < 6  # ground: unpainted
    assert abs(shown[20, 120] - 200).max() < 6
    assert abs(shown[80, 40] - (100 + field) / 2).max() < 8
    assert abs(shown[80, 120] - (200 + field) / 2).max() < 8
