import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import from_origin

from pixelwise.errors import ImageError
from pixelwise.inference import raster
from pixelwise.inference.raster import open_raster, reads_by_window
from pixelwise.io.images import pixel_count


def write(path: Path, rgb: np.ndarray, **profile: object) -> Path:
    bands = rgb.transpose(2, 0, 1) if rgb.ndim == 3 else rgb[None]
    shape = {
        "height": bands.shape[1],
        "width": bands.shape[2],
        "count": len(bands),
        "dtype": bands.dtype,
    }
    where = {"crs": CRS.from_epsg(32633), "transform": from_origin(500000, 4600000, 0.5, 0.5)}
    with rasterio.open(path, "w", driver="GTiff", **shape, **{**where, **profile}) as target:
        target.write(bands)
    return path


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    rough = np.random.default_rng(seed).integers(
        0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8
    )
    return np.asarray(Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC))


def by_window(path: Path) -> bool:
    return reads_by_window(path, pixel_count(path))


def test_one_band_is_grey_and_alpha_is_a_mask(tmp_path: Path) -> None:
    grey = picture(70, 70)[..., 0]
    with open_raster(write(tmp_path / "grey.tif", grey)) as opened:
        assert np.array_equal(opened[0:70, 0:70], np.repeat(grey[..., None], 3, axis=2))
    rgba = np.dstack(
        [picture(70, 70), np.where(np.arange(70) < 30, 0, 255)[None].repeat(70, 0).astype(np.uint8)]
    )
    with open_raster(write(tmp_path / "rgba.tif", rgba, photometric="RGB", alpha="YES")) as opened:
        assert np.array_equal(opened.valid(0, 0, 70, 70), rgba[..., 3] > 0)


def test_which_images_are_read_by_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = write(tmp_path / "placed.tif", picture(40, 40))
    Image.fromarray(picture(40, 40)).save(tmp_path / "plain.tif")
    Image.fromarray(picture(40, 40)).save(tmp_path / "plain.png")
    (tmp_path / "broken.tif").write_bytes(b"II*\0nothing")
    assert by_window(placed)
    assert not any(
        by_window(tmp_path / name) for name in ("plain.tif", "plain.png", "broken.tif", "none.tif")
    )
    monkeypatch.setattr(raster, "MAX_PIXELS", 1000)
    assert by_window(tmp_path / "plain.png")

    monkeypatch.setitem(sys.modules, "rasterio", None)  # importing it fails
    with pytest.raises(ImageError, match=r"1600 pixels are too many.*pixelwise\[raster\]"):
        by_window(tmp_path / "plain.png")
    assert not by_window(tmp_path / "broken.tif")


@pytest.mark.skipif(
    sys.platform != "linux", reason="counts the bytes that the process read, as Linux tells them"
)
def test_a_picture_stored_in_rows_is_decoded_once_not_once_a_tile(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 2000, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png", compress_level=0)

    def bytes_read() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    with open_raster(tmp_path / "a.png") as found:
        before = bytes_read()
        with found.cache_rows(300):
            for left in range(0, 2000, 100):
                found[0:300, left : left + 100]
        assert bytes_read() - before < 1.5 * noise.size


def test_a_palette_is_looked_up_as_in_a_picture_in_memory(tmp_path: Path) -> None:
    values = (np.arange(70 * 60).reshape(70, 60) % 7).astype(np.uint8)
    colours = np.random.default_rng(0).integers(0, 256, (7, 3))
    source = write(tmp_path / "a.tif", values)
    with rasterio.open(source, "r+") as target:
        target.write_colormap(
            1, {value: (*colour.tolist(), 255) for value, colour in enumerate(colours)}
        )
    with open_raster(source) as opened:
        assert np.array_equal(opened[10:50, 5:45], colours[values[10:50, 5:45]])
    picture = Image.fromarray(values)
    picture.putpalette(colours.astype(np.uint8).tobytes())
    picture.save(tmp_path / "a.png")
    with open_raster(tmp_path / "a.png") as opened:
        assert np.array_equal(opened[0:70, 0:60], colours[values])


def test_looking_at_a_raster_puts_no_other_threads_filters_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """catch_warnings would put back the filters of its own beginning, and with them take away what
    was set since.
    """
    Image.fromarray(picture(40, 40)).save(tmp_path / "plain.tif")
    opened = rasterio.open

    def another_thread_sets_a_filter(*given: object, **options: object) -> object:
        warnings.filterwarnings("ignore", message="of another thread")
        return opened(*given, **options)

    monkeypatch.setattr(rasterio, "open", another_thread_sets_a_filter)
    with warnings.catch_warnings():
        assert not by_window(tmp_path / "plain.tif")
        warnings.warn(
            "of another thread", UserWarning, stacklevel=1
        )  # an error where the filter is lost


def test_a_raster_whose_name_is_no_unicode_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="rename it"):
        by_window(tmp_path / "b\udce4.tif")


@pytest.mark.parametrize("name", ["IMG.JGW", "IMG.jgw", "IMG.JPGW", "IMG.WLD", "IMG.JPG.aux.xml"])
def test_a_place_beside_a_photo_is_found_in_either_spelling(name: str, tmp_path: Path) -> None:
    Image.fromarray(picture(40, 40)).save(tmp_path / "IMG.JPG")
    assert not by_window(tmp_path / "IMG.JPG")
    lines = (0.5, 0, 0, -0.5, 500000, 4600000)
    text = "\n".join(map(str, lines))
    if name.endswith(".xml"):
        text = "<PAMDataset><GeoTransform>5e5, 0.5, 0, 4.6e6, 0, -0.5</GeoTransform></PAMDataset>"
    (tmp_path / name).write_text(text)
    assert by_window(tmp_path / "IMG.JPG")
