from pathlib import Path

import numpy as np
import pytest
import rasterio

from pixelwise.errors import ImageError
from pixelwise.io.gdal import open_dataset, quiet_rasterio


def write(path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (3, 200, 200), dtype=np.uint8)
    shape = {"height": 200, "width": 200, "count": 3, "dtype": "uint8"}
    quiet_rasterio()
    with rasterio.open(path, "w", driver="GTiff", **shape) as target:
        target.write(noise)
    return path


def refused(path: Path) -> str:
    with pytest.raises(ImageError) as error, open_dataset(path) as dataset:
        dataset.read()
    return str(error.value)


def test_a_file_that_breaks_off_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    path.write_bytes(path.read_bytes()[:60_000])
    text = refused(path)
    assert text.startswith(f"{path}: cannot be read (the file breaks off: ")
    assert text.endswith("bytes of a block are there); copy it again, or replace it")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not recognized as being in a supported file format"),
        (b"<html>", "not recognized as being in a supported file format"),
        (b"II*\0\x08\0\0\0", "Failed to read directory"),
    ],
)
def test_what_is_no_raster_is_named(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    text = refused(tmp_path / "a.tif")
    assert text.startswith(f"{tmp_path / 'a.tif'}: cannot be opened as a raster (")
    assert reason in text
    assert text.endswith("; replace or remove it")


def test_a_mosaic_names_the_part_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.vrt").write_text(
        '<VRTDataset rasterXSize="20" rasterYSize="20"><VRTRasterBand dataType="Byte" band="1">'
        '<SimpleSource><SourceFilename relativeToVRT="1">gone.tif</SourceFilename></SimpleSource>'
        "</VRTRasterBand></VRTDataset>"
    )
    text = refused(tmp_path / "a.vrt")
    assert "a file that it refers to is missing: " in text
    assert "gone.tif" in text
    assert "previous exception" not in text


def test_faults_of_our_own_keep_their_kind(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    with pytest.raises(ZeroDivisionError), open_dataset(path):
        _ = 1 / 0
