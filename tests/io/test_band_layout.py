from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.io.band_layout import BandLayout, is_banded, read_layout
from pixelwise.io.gdal import quiet_rasterio

rasterio = pytest.importorskip("rasterio")


def write(path: Path, values: np.ndarray, names: tuple[str, ...] = (), **options: object) -> Path:
    count, height, width = values.shape
    quiet_rasterio()
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width,
        dtype=values.dtype.name, **options,
    ) as dataset:  # fmt: skip
        dataset.write(values)
        for number, name in enumerate(names, 1):
            dataset.set_band_description(number, name)
    return path


def test_photos_are_no_bands(tmp_path: Path) -> None:
    for mode in ("L", "RGB", "RGBA", "CMYK", "P", "1", "I;16"):
        path = tmp_path / f"{mode.replace(';', '')}.tif"
        Image.new(mode, (5, 4)).save(path)
        assert not is_banded(path), mode
    Image.new("RGB", (5, 4)).save(tmp_path / "a.jpg")
    assert read_layout(tmp_path / "a.jpg") is None
    values = np.random.default_rng(0).integers(0, 255, (4, 40, 50), np.uint8)
    assert is_banded(write(tmp_path / "four.tif", values)), "GDAL calls the fourth alpha"
    values[3] = 255
    assert not is_banded(write(tmp_path / "alpha.tif", values))
    assert is_banded(write(tmp_path / "float.tif", np.zeros((1, 4, 5), np.float32)))
    deep = write(tmp_path / "nodata.tif", np.zeros((3, 4, 5), np.uint16), nodata=0)
    assert is_banded(deep)


def test_the_header_says_what_is_in_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.zeros((2, 4, 5), np.int16), ("", "Height"), nodata=-1)
    assert read_layout(path) == BandLayout((4, 5), ("", "height"), "int16", has_nodata=True)
    layout = read_layout(path)
    assert layout is not None
    assert layout.describe() == "2 bands of int16"
    assert read_layout(path.read_bytes()) == layout


def test_what_is_no_image_of_bands_has_no_layout(tmp_path: Path) -> None:
    for name, data in (("a.tif", b"II*\0"), ("b.npy", b"x"), ("c.png", b""), ("d.txt", b"")):
        (tmp_path / name).write_bytes(data)
        assert read_layout(tmp_path / name) is None, name
    assert read_layout(b"\xff\xd8") is None
    assert not is_banded(tmp_path / "missing.tif")
