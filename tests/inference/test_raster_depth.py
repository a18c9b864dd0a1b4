from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from pixelwise.classes import Classes
from pixelwise.errors import ImageError
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.raster import open_raster
from pixelwise.io.channels import ReadingRule
from pixelwise.io.images import read_rgb
from pixelwise.io.reading_notes import ReadingNotes

RGB = np.random.default_rng(0).integers(1, 256, (3, 60, 70), dtype=np.uint8)
PLACE = {"crs": "EPSG:32633", "transform": from_origin(500000, 4600000, 0.5, 0.5)}


def write(path: Path, bands: np.ndarray, **profile: object) -> Path:
    count, height, width = bands.shape
    shape = {"height": height, "width": width, "count": count, "dtype": bands.dtype}
    with rasterio.open(path, "w", driver="GTiff", **{**shape, **PLACE, **profile}) as target:
        target.write(bands)
    return path


def read(path: Path, common_bits: int = 0) -> tuple[np.ndarray, ReadingNotes]:
    with open_raster(path, ReadingRule(common_bits)) as picture:
        pixels = picture[0 : picture.height, 0 : picture.width]
        return pixels.transpose(2, 0, 1), picture.notes


@pytest.mark.parametrize("kind", ["uint16", "int16", "uint32", "int32"])
def test_a_raster_of_12_bits_is_read_as_the_plain_picture_is(kind: str, tmp_path: Path) -> None:
    values = RGB.astype(kind) * 16
    rgb, notes = read(write(tmp_path / "a.tif", values))
    assert np.array_equal(rgb, RGB)
    (note,) = notes
    bits = 8 * values.itemsize
    assert str(note) == f"of {bits} bits with values to {values.max()}, scaled from 12 bits"


def test_with_and_without_a_georeference_the_pixels_are_the_same(tmp_path: Path) -> None:
    values = RGB.astype(np.uint16) * 9
    placed = write(tmp_path / "a.tif", values)
    with open_raster(placed):  # from now on nothing warns of a raster without a place
        plain = write(tmp_path / "b.tif", values, crs=None, transform=None)
    assert np.array_equal(read(placed)[0], read_rgb(plain).transpose(2, 0, 1))
    assert np.array_equal(read(placed, common_bits=14)[0], RGB.astype(int) * 9 // 64)


def test_nodata_and_declared_bits_do_not_count_as_values(tmp_path: Path) -> None:
    values = RGB.astype(np.uint16) * 16
    values[:, :10] = 65535
    rgb, _ = read(write(tmp_path / "a.tif", values, nodata=65535))
    assert np.array_equal(rgb[:, 10:], RGB[:, 10:])
    with open_raster(tmp_path / "a.tif") as picture:
        assert np.array_equal(
            picture.valid(0, 0, 60, 70), np.arange(60)[:, None] >= 10 + 0 * RGB[0]
        )
    rgb, notes = read(write(tmp_path / "b.tif", RGB.astype(np.uint16), nbits=12))
    assert (rgb == RGB // 16).all(), "a dark picture of 12 bits by its own word"
    assert notes == ()


@pytest.mark.parametrize(
    ("kind", "scale", "nodata", "command"),
    [
        ("int16", 100, None, r"-scale \d+ \d+ 0 255 IN OUT"),
        ("uint32", 1000, None, r"-scale \d+ \d+ 0 255 IN OUT"),
        ("float32", 1 / 255, np.nan, r"-scale 0\.\d+ 0\.\d+ 1 255 -a_nodata 0 IN OUT"),
        ("float64", 1 / 255, -9999, r"-scale 0\.\d+ 0\.\d+ 1 255 -a_nodata 0 IN OUT"),
    ],
)
def test_what_no_rule_scales_is_refused_with_one_scale_for_all_bands(
    kind: str, scale: float, nodata: float | None, command: str, tmp_path: Path
) -> None:
    values = (RGB.astype(float) * scale).astype(kind)
    if nodata is not None:
        values[:, :10] = nodata
    values[0, 30, 30] = 30000  # a saturated pixel
    values[0, 31, 30] = -1 if kind == "int16" else values[0, 31, 30]
    path = write(tmp_path / "a.tif", values, nodata=nodata)
    with pytest.raises(ImageError, match=f"a.tif: holds {kind}.*-ot Byte {command}") as error:
        read(path)
    words = str(error.value).partition("-scale ")[2].split()
    low, high = np.percentile(RGB[:, 10:].astype(float) * scale, [2, 98])
    assert float(words[0]) == pytest.approx(low, rel=0.5)
    assert float(words[1]) == pytest.approx(high, rel=0.02)


def test_a_run_says_once_how_rasters_were_read(tmp_path: Path, recorded: object) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.tif", RGB.astype(np.uint16) * 16)
    nir = np.random.default_rng(1).integers(0, 256, (1, 60, 70), dtype=np.uint8)
    write(tmp_path / "c.tif", np.concatenate([RGB, nir]))
    progress = recorded()  # type: ignore[operator]
    predictor = Predictor(lambda rgb: rgb.astype(np.float32), Classes.named(("a", "b", "c")))
    done = predict_files(predictor, [tmp_path], tmp_path / "out", progress=progress)
    assert len(done.written) == 3
    assert [line for line in progress.lines if line.startswith("how the pictures")] == [
        f"how the pictures were read: 2 of 16 bits with values to {16 * int(RGB.max())} are scaled from "
        "12 bits; 1 with 4 bands is read by bands 1, 2, 3 as red, green, blue, as band 4 is "
        "called alpha but holds no opacity"
    ]


def test_python_reads_rasters_as_the_command_does(tmp_path: Path) -> None:
    predictor = Predictor(lambda rgb: rgb.astype(np.float32), Classes.named(("a", "b", "c")))
    deep = write(tmp_path / "a.tif", RGB.astype(np.uint16) * 16)
    assert np.array_equal(predictor.predict(deep).rgb, RGB.transpose(1, 2, 0))
    with rasterio.open(write(tmp_path / "b.tif", RGB[::-1]), "r+") as target:
        target.descriptions = ("blue", "green", "red")
    assert np.array_equal(predictor.predict(tmp_path / "b.tif").rgb, RGB.transpose(1, 2, 0))
    floats = write(tmp_path / "c.tif", RGB / np.float32(255))
    failed = predict_files(predictor, [floats], tmp_path / "out").failed
    with pytest.raises(ImageError) as error:
        predictor.predict(floats)
    assert failed == ((floats, str(error.value)),)
