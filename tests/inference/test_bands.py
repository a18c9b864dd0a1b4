from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.shutil import copy
from rasterio.transform import from_origin

from pixelwise.errors import ImageError
from pixelwise.inference.bands import Bands, choose_bands
from pixelwise.inference.raster import open_raster
from pixelwise.io.gdal import open_dataset

RNG = np.random.default_rng(0)
RGB = RNG.integers(1, 256, (3, 60, 70), dtype=np.uint8)
NIR = RNG.integers(0, 256, (1, 60, 70), dtype=np.uint8)
ALPHA = np.where(np.arange(70) < 20, 0, 255).astype(np.uint8)[None, None].repeat(60, 1)
PLACE = {"crs": "EPSG:32633", "transform": from_origin(500000, 4600000, 0.5, 0.5)}


def write(
    path: Path,
    bands: np.ndarray,
    *,
    kinds: str = "",
    names: tuple[str, ...] = (),
    **profile: object,
) -> Path:
    """kinds: GDAL's names of colours, one for each band, separated by spaces."""
    count, height, width = bands.shape
    shape = {"height": height, "width": width, "count": count, "dtype": bands.dtype}
    with rasterio.open(path, "w", driver="GTiff", **shape, **PLACE, **profile) as target:
        if kinds:
            target.colorinterp = [getattr(ColorInterp, kind) for kind in kinds.split()]
        if names:
            target.descriptions = names
        target.write(bands)
    return path


def read(path: Path) -> tuple[np.ndarray, np.ndarray, Bands]:
    """RGB (3, h, w), where it is valid, and the bands."""
    with open_raster(path) as picture:
        h, w = picture.height, picture.width
        return picture[0:h, 0:w].transpose(2, 0, 1), picture.valid(0, 0, h, w), picture.bands


def test_near_infrared_that_is_called_alpha_hides_nothing(tmp_path: Path) -> None:
    nir = NIR.copy()
    nir[:, 10:30, 5:40] = 0  # a lake
    rgb, valid, bands = read(write(tmp_path / "naip.tif", np.concatenate([RGB, nir])))
    assert np.array_equal(rgb, RGB)
    assert valid.all()
    assert str(bands) == (
        "read by bands 1, 2, 3 as red, green, blue, as band 4 is called alpha but holds no opacity"
    )


def test_near_infrared_that_is_mostly_white_is_no_alpha_either(tmp_path: Path) -> None:
    nir = np.full((1, 60, 70), 255, np.uint8)
    nir[:, :25] = NIR[:, :25]
    _, valid, bands = read(write(tmp_path / "naip.tif", np.concatenate([RGB, nir])))
    assert valid.all()
    assert bands.false_alpha == 4


def test_nodata_counts_beside_a_false_alpha(tmp_path: Path) -> None:
    bands = np.concatenate([RGB, NIR.clip(1, 255)])
    bands[:, :15] = 0
    bands[0, 20:25] = 0  # one colour alone is no nodata
    _, valid, _ = read(write(tmp_path / "naip.tif", bands, nodata=0))
    assert not valid[:15].any()
    assert valid[15:].all()


@pytest.mark.parametrize("soft", [False, True])
def test_alpha_is_where_there_is_data(soft: bool, tmp_path: Path) -> None:
    alpha = ALPHA.copy()
    if soft:  # an edge of many values
        alpha[..., 20:24] = RNG.integers(1, 255, (60, 4))
    rgb, valid, bands = read(write(tmp_path / "a.tif", np.concatenate([RGB, alpha])))
    assert np.array_equal(rgb, RGB)
    assert np.array_equal(valid, alpha[0] > 0)
    assert bands == Bands((1, 2, 3), 4)
    assert bands.is_plain


def test_the_files_own_order_of_colours_counts(tmp_path: Path) -> None:
    rgb, _, bands = read(write(tmp_path / "bgr.tif", RGB[::-1], kinds="blue green red"))
    assert np.array_equal(rgb, RGB)
    assert str(bands) == "read by bands 3, 2, 1 as red, green, blue"


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("Blue", "Green", "Red", "NIR"), (3, 2, 1)),
        (("nir", "red", "green", "blue"), (2, 3, 4)),
        (("B08 near infra-red", "B04 (red)", "B03_green", "B02 Blue"), (2, 3, 4)),
        (("b", "g", "r", "red edge"), (3, 2, 1)),
        (("blue", "green", "red", "RedEdge", "NIR", "alpha"), (3, 2, 1)),
        (("B1", "B2", "B3", "B4"), (1, 2, 3)),  # they name no colours
        (("red", "red", "green", "blue"), (1, 2, 3)),  # which is the red one is not known
    ],
)
def test_descriptions_name_the_colours_before_gdals_guess(
    names: tuple[str, ...], order: tuple[int, ...], tmp_path: Path
) -> None:
    bands = RNG.integers(1, 256, (len(names), 60, 70), dtype=np.uint8)
    rgb, valid, chosen = read(write(tmp_path / "a.tif", bands, names=names))
    assert chosen.colours == order
    assert np.array_equal(rgb, bands[np.array(order) - 1])
    assert valid.all()


def test_five_bands_whose_file_names_the_colours_are_read(tmp_path: Path) -> None:
    bands = np.concatenate([RGB, NIR, ALPHA])
    path = write(tmp_path / "a.tif", bands, kinds="red green blue nir alpha")
    rgb, valid, chosen = read(path)
    assert np.array_equal(rgb, RGB)
    assert np.array_equal(valid, ALPHA[0] > 0)
    assert chosen == Bands((1, 2, 3), 5, None, (4,))


@pytest.mark.parametrize("kinds", ["gray alpha", "gray undefined"])
def test_grey_and_alpha_are_two_bands(kinds: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.concatenate([RGB[:1], ALPHA]), kinds=kinds)
    rgb, valid, _ = read(path)
    assert np.array_equal(rgb, RGB[[0, 0, 0]])
    assert np.array_equal(valid, ALPHA[0] > 0)


@pytest.mark.parametrize(
    ("count", "command"), [(2, "gdal_translate -b 1 IN OUT"), (5, "gdal_translate -b 1 -b 2 -b 3")]
)
def test_bands_that_nothing_names_are_refused_with_the_command(
    count: int, command: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.tif", np.repeat(RGB[:1], count, axis=0))
    with pytest.raises(ImageError, match=f"a.tif: has {count} bands, .*{command}"):
        read(path)


@pytest.mark.parametrize(
    ("kinds", "name"),
    [
        ("cyan magenta yellow black", "CMYK"),
        ("Y Cb Cr", "YCbCr"),
        ("hue saturation lightness", "HSL"),
    ],
)
def test_other_colours_are_refused_by_name(kinds: str, name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.repeat(RGB[:1], len(kinds.split()), 0), kinds=kinds)
    with pytest.raises(ImageError, match=f"a.tif: holds {name}; convert it to RGB"):
        read(path)


@pytest.mark.parametrize(("bits", "white"), [(1, 1), (2, 3), (4, 15)])
def test_grey_of_fewer_bits_reaches_white(bits: int, white: int, tmp_path: Path) -> None:
    values = RNG.integers(0, white + 1, (1, 60, 70), dtype=np.uint8)
    rgb, _, _ = read(write(tmp_path / "a.tif", values, nbits=bits))
    assert np.array_equal(rgb, np.repeat(values * (255 // white), 3, axis=0))


@pytest.mark.parametrize(
    "profile",
    [
        {"tiled": True, "blockxsize": 16, "blockysize": 16, "BIGTIFF": "YES"},
        {"compress": "lzw", "predictor": 2, "interleave": "band"},
        {"driver": "COG"},
        {"compress": "jpeg", "photometric": "YCBCR", "JPEG_QUALITY": 95},
    ],
)
def test_containers_do_not_change_the_picture(profile: dict[str, object], tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 3 * 60 * 70).reshape(3, 60, 70).astype(np.uint8)
    path = write(tmp_path / "a.tif", smooth)
    if profile.get("driver") == "COG":
        copy(path, tmp_path / "b.tif", driver="COG")
        path = tmp_path / "b.tif"
    else:
        path = write(tmp_path / "b.tif", smooth, **profile)
    rgb, valid, bands = read(path)
    assert np.abs(rgb.astype(int) - smooth).max() <= (4 if "photometric" in profile else 0)
    assert valid.all()
    assert bands.is_plain


def test_an_internal_mask_and_nodata_of_each_band_are_void(tmp_path: Path) -> None:
    mask = np.where(np.arange(70) < 50, 255, 0).astype(np.uint8)[None].repeat(60, 0)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = write(tmp_path / "mask.tif", RGB)
        with rasterio.open(path, "r+") as target:
            target.write_mask(mask)
    assert np.array_equal(read(path)[1], mask > 0)
    band = "".join(
        f'<VRTRasterBand dataType="Byte" band="{n}"><NoDataValue>{n}</NoDataValue><ColorInterp>'
        f"{name}</ColorInterp><SimpleSource><SourceFilename relativeToVRT='1'>rgb.tif"
        f"</SourceFilename><SourceBand>{n}</SourceBand></SimpleSource></VRTRasterBand>"
        for n, name in enumerate(("Red", "Green", "Blue"), 1)
    )
    values = RGB.clip(10, 255)
    values[:, :5] = np.array([1, 2, 3])[:, None, None]
    values[0, 8] = 1  # the nodata of red alone
    write(tmp_path / "rgb.tif", values)
    (tmp_path / "a.vrt").write_text(
        f'<VRTDataset rasterXSize="70" rasterYSize="60">{band}</VRTDataset>'
    )
    _, valid, _ = read(tmp_path / "a.vrt")
    assert not valid[:5].any()
    assert valid[5:].all()


def test_alpha_is_judged_by_a_sample_from_all_over_a_large_raster(tmp_path: Path) -> None:
    nir = np.zeros((1, 900, 700), np.uint8)
    nir[:, 300:600, 200:500] = RNG.integers(0, 256, (300, 300))
    path = write(tmp_path / "a.tif", np.concatenate([np.zeros((3, 900, 700), np.uint8), nir]))
    with open_dataset(path) as dataset:
        assert choose_bands(dataset, path).alpha is None
