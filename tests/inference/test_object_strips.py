import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pixelwise.inference import object_strips
from pixelwise.inference.objects import ObjectRules, write_objects

NAMES = ("background", "cell", "debris")
SPLIT = ObjectRules(split=True)


def discs(*centres: tuple[int, int], radius: int = 10) -> np.ndarray:
    y, x = np.mgrid[:64, :96]
    labels = np.zeros((64, 96), np.uint8)
    for row, column in centres:
        labels[np.hypot(y - row, x - column) <= radius] = 1
    return labels


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_raster(path: Path, labels: np.ndarray) -> Path:
    rasterio = pytest.importorskip("rasterio")
    height, width = labels.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 1, "dtype": "uint8"}
    place = {"crs": "EPSG:32632", "transform": rasterio.transform.from_origin(5e5, 5.5e6, 0.5, 0.5)}
    with rasterio.open(path, "w", **profile, **place) as target:
        target.write(labels, 1)
    return path


def test_objects_that_touch_are_parted_across_strips_as_in_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("skimage")
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:230, :120]
    labels = np.zeros(y.shape, np.uint8)
    for _ in range(45):
        row, column = rng.integers(0, y.shape)
        labels[np.hypot(y - row, x - column) <= rng.integers(4, 9)] = rng.integers(1, 3)
    write_raster(tmp_path / "a.tif", labels)
    rules = ObjectRules(split=True, thin=("debris",))

    def measure() -> tuple[list[dict[str, str]], np.ndarray]:
        write_objects(tmp_path, [tmp_path / "a.tif"], NAMES, rules)
        rows = rows_of(tmp_path / "objects.csv")
        return rows, np.asarray(Image.open(tmp_path / "a_objects.tif"))

    whole, ids = measure()
    for name, value in (("MAX_PIXELS", 100), ("ROWS", 13), ("REACH", 90)):
        monkeypatch.setattr(object_strips, name, value)
    strips, strip_ids = measure()
    # the same objects; numbers go by strips
    assert len(whole) == len(strips) > len(np.unique(ndimage.label(labels, np.ones((3, 3)))[0]))
    places = ("class", "row", "column", "pixels", "perimeter", "length", "width", "bottom")
    assert sorted([row[name] for name in places] for row in whole) == sorted(
        [row[name] for name in places] for row in strips
    )
    pairs = np.unique(np.stack([ids.ravel(), strip_ids.ravel()]), axis=1)
    assert pairs.shape[1] == len(whole) + 1


def test_an_object_higher_than_what_a_strip_sees_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("skimage")
    labels = discs((20, 20), (20, 36), (40, 70), (56, 70))
    labels[20:60, 20] = 1  # the left two hang on a thread, and are 50 rows high
    write_raster(tmp_path / "a.tif", labels)
    for name, value in (("MAX_PIXELS", 100), ("ROWS", 9), ("REACH", 40)):
        monkeypatch.setattr(object_strips, name, value)
    assert write_objects(tmp_path, [tmp_path / "a.tif"], NAMES, SPLIT) == "cell 3"
