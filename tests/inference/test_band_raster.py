from pathlib import Path

import numpy as np
import pytest

from pixelwise.errors import ImageError
from pixelwise.inference.raster import open_raster
from pixelwise.io.channels import FILL_REACH, Channels, ReadingRule
from pixelwise.io.gdal import quiet_rasterio

rasterio = pytest.importorskip("rasterio")
NAMES = ("red", "green", "blue", "nir", "swir")


def write(path: Path, values: np.ndarray, names: tuple[str, ...] = NAMES) -> Path:
    quiet_rasterio()
    count, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, nodata=0,
        dtype="uint16", tiled=True, blockxsize=64, blockysize=64,
    ) as dataset:  # fmt: skip
        dataset.write(values)
        for number, name in enumerate(names[:count], 1):
            dataset.set_band_description(number, name)
    return path


def rule(*names: str, high: float = 4000.0) -> ReadingRule:
    size = len(names)
    return ReadingRule(
        channels=Channels(
            names, tuple(NAMES.index(name) + 1 for name in names), (0.0,) * size, (high,) * size,
            (0.5,) * size, (0.2,) * size, 5, "uint16", "as set",
        )
    )  # fmt: skip


@pytest.fixture
def values() -> np.ndarray:
    rng = np.random.default_rng(0)
    array = rng.integers(1, 4000, (5, 150, 170)).astype(np.uint16)
    array[:, rng.random((150, 170)) < 0.1] = 0
    return array


def test_windows_show_what_the_whole_shows(tmp_path: Path, values: np.ndarray) -> None:
    path = write(tmp_path / "a.tif", values)
    with open_raster(path, rule("nir", "red")) as picture:
        whole = picture[0:150, 0:170]
        assert whole.shape == (150, 170, 2)
        valid = picture.valid(0, 0, 150, 170)
        assert np.array_equal(valid, values[0] > 0)
        plain = np.rint(values[3].astype(np.float32) * (255 / 4000))
        assert np.array_equal(whole[valid][:, 0], plain[valid])
        for top in range(0, 150, 50):
            for left in range(0, 170, 85):
                part = picture[top : top + 50, left : left + 85]
                assert np.array_equal(part, whole[top : top + 50, left : left + 85])
        assert picture.to_rgb(whole).shape == (150, 170, 3)
        assert picture.bytes_per_pixel == 4
        assert picture.notes == ()


def test_a_wide_hole_is_filled_with_the_mean(tmp_path: Path, values: np.ndarray) -> None:
    values[:, 40:120, 40:120] = 0
    with open_raster(write(tmp_path / "a.tif", values), rule("swir")) as picture:
        middle = picture[0:150, 0:170][40 + FILL_REACH : 120 - FILL_REACH, 60:100, 0]
    assert (middle == round(255 * 0.5)).all()


def test_a_band_that_is_missing_and_another_range_are_said(
    tmp_path: Path, values: np.ndarray
) -> None:
    path = write(tmp_path / "a.tif", values[:3])
    with (
        pytest.raises(ImageError, match="has no band nir: its bands are red, green, blue"),
        open_raster(path, rule("nir")),
    ):
        pass
    with open_raster(path, rule("red", high=10.0)) as picture:
        (note,) = picture.notes
    assert "far from the 0 to 10 of the training" in str(note)
