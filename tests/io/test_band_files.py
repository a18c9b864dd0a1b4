from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import ImageError
from pixelwise.io.band_files import BandValues, read_bands, write_bands
from pixelwise.io.band_layout import is_banded, read_layout
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


@pytest.mark.parametrize("kind", ["uint16", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"interleave": "pixel"}, {"compress": "lzw"}])
def test_the_values_of_any_type_are_those_that_were_written(
    tmp_path: Path, kind: str, options: dict[str, str]
) -> None:
    values = (np.arange(5 * 6 * 7).reshape(5, 6, 7) - 20 * (kind[0] != "u")).astype(kind)
    path = write(tmp_path / "a.tif", values, ("red", "green", "blue", "Red Edge", "nir"), **options)
    layout = read_layout(path)
    assert layout is not None
    assert layout.size == (6, 7)
    assert layout.names == ("red", "green", "blue", "red edge", "nir")
    assert layout.kind == kind
    assert not layout.is_photo
    bands = read_bands(path)
    assert np.array_equal(bands.values, values)
    assert bands.valid is None
    assert bands.names == layout.names
    assert np.array_equal(read_bands(path, numbers=(5, 1)).values, values[[4, 0]])
    assert np.array_equal(read_bands(path.read_bytes()).values, values), "of an upload"


def test_nodata_and_what_is_no_number_are_not_valid(tmp_path: Path) -> None:
    values = np.full((2, 2, 3), 7, np.float32)
    values[0, 0, 0] = np.nan
    values[1, 1, 1] = -9999
    valid = read_bands(write(tmp_path / "a.tif", values, nodata=-9999)).valid
    assert valid is not None
    assert np.argwhere(~valid).tolist() == [[0, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize("shape", [(4, 9, 8), (9, 8, 4)])
def test_an_array_has_its_bands_first_or_last(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.arange(9 * 8 * 4, dtype=np.float32).reshape(shape)
    path = tmp_path / "a.npy"
    np.save(path, values)
    expected = values if shape[0] == 4 else values.transpose(2, 0, 1)
    assert np.array_equal(read_bands(path).values, expected)
    layout = read_layout(path)
    assert layout is not None
    assert layout.size == (9, 8)


def test_an_array_that_may_be_read_in_two_ways_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((4, 4, 4)))
    with pytest.raises(ImageError, match="no axis is sure to be the bands"):
        read_bands(path)
    np.save(path, np.zeros((2, 2, 2, 2)))
    with pytest.raises(ImageError, match=r"shape \(2, 2, 2, 2\)"):
        read_bands(path)
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(ImageError, match="cannot be read as a NumPy array"):
        read_bands(path)
    assert read_layout(path) is None


def test_png_of_16_bits_keeps_its_lower_half(tmp_path: Path) -> None:
    values = np.arange(20, dtype=np.uint16).reshape(4, 5) * 13
    Image.fromarray(values).save(tmp_path / "a.png")
    layout = read_layout(tmp_path / "a.png")
    assert layout is not None
    assert layout.is_photo
    assert layout.kind == "uint16"
    assert np.array_equal(read_bands(tmp_path / "a.png").values[0], values)


def test_channels_of_imagej_are_bands_and_planes_are_not(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    values = np.arange(3 * 8 * 9, dtype=np.uint16).reshape(3, 8, 9)
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, values, imagej=True, metadata={"axes": "CYX"})
    assert is_banded(path)
    assert np.array_equal(read_bands(path).values, values)
    assert np.array_equal(read_bands(path, numbers=(2,)).values, values[1:2])
    ome = tmp_path / "cells.ome.tif"
    names = {"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP", "Cy5"]}}
    tifffile.imwrite(ome, values, metadata=names)
    assert np.array_equal(read_bands(ome).values, values)
    assert read_bands(ome).names == ("dapi", "gfp", "cy5")
    planes = tmp_path / "planes.tif"
    tifffile.imwrite(planes, values, imagej=True, metadata={"axes": "ZYX"})
    assert not is_banded(planes), "pages of another kind are frames"


def test_what_lies_on_its_side_or_is_complex_is_refused(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "turned.tif"
    tags = [(274, "H", 1, 6, True)]
    tifffile.imwrite(path, np.zeros((4, 5), np.float32), extratags=tags)
    with pytest.raises(ImageError, match=r"lies on its side .*orientation 6"):
        read_bands(path)
    write(tmp_path / "complex.tif", np.zeros((1, 4, 5), np.complex64))
    with pytest.raises(ImageError, match="holds complex numbers"):
        read_bands(tmp_path / "complex.tif")


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.ones((4, 64, 64), np.float32))
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(ImageError, match=r"a\.tif: cannot be read"):
        read_bands(path)


def test_a_block_is_written_with_its_values_and_where_they_are_valid(tmp_path: Path) -> None:
    values = np.arange(2 * 6 * 7, dtype=np.int16).reshape(2, 6, 7)
    valid = np.ones((2, 6, 7), bool)
    valid[:, 2, 3] = False
    bands = BandValues(values, valid, ("a", ""))
    write_bands(tmp_path / "block.tif", bands.cut(slice(1, 5), slice(2, 7)))
    read = read_bands(tmp_path / "block.tif")
    assert np.array_equal(read.values[:, 0], values[:, 1, 2:7])
    assert read.valid is not None
    assert np.argwhere(~read.valid).tolist() == [[0, 1, 1], [1, 1, 1]]
    assert read.names == ("a", "")
