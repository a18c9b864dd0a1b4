from pathlib import Path

import numpy as np
import pytest

from pixelwise.datasets.band_statistics import (
    choose_bands,
    find_channels,
    find_deep_layout,
    find_layout,
    parse_range,
    uses_little,
)
from pixelwise.datasets.types import Pair
from pixelwise.errors import ConfigError, DataError
from pixelwise.io.band_files import BandValues, write_bands

pytest.importorskip("rasterio")
RNG = np.random.default_rng(0)


def write(path: Path, values: np.ndarray, names: tuple[str, ...] | None = None) -> Pair:
    write_bands(path, BandValues(values, None, names or ("",) * len(values)))
    return Pair(path.stem, path, path)


def deep(low: int, high: int, count: int = 3) -> np.ndarray:
    return RNG.integers(low, high, (count, 40, 50)).astype(np.uint16)


def test_a_thousandth_is_cut_off_at_either_end(tmp_path: Path) -> None:
    values = np.linspace(100, 1100, 2000).reshape(1, 40, 50).astype(np.float32)
    values[0, 0, 0] = 1e9
    values[0, 0, 1] = np.nan
    pair = write(tmp_path / "a.tif", values, ("height",))
    layout = find_layout([pair])
    assert layout is not None
    channels = find_channels([pair], layout)
    assert channels.names == ("height",)
    assert channels.low[0] == pytest.approx(103, abs=1.5)
    assert channels.high[0] == pytest.approx(1099, abs=2)
    assert channels.mean[0] == pytest.approx(0.5, abs=0.01)
    assert channels.std[0] == pytest.approx(12**-0.5, abs=0.01)


def test_other_rules_and_eight_bits(tmp_path: Path) -> None:
    pair = write(tmp_path / "a.tif", RNG.normal(50, 10, (1, 100, 100)).astype(np.float32))
    layout = find_layout([pair])
    assert layout is not None
    beside = find_channels([pair], layout, rule="deviation")
    assert (beside.low[0], beside.high[0]) == pytest.approx((20, 80), abs=2)
    fixed = find_channels([pair], layout, rule="0,200")
    assert (fixed.low, fixed.high) == ((0.0,), (200.0,))
    eight = write(tmp_path / "b.tif", RNG.integers(50, 90, (5, 9, 9)).astype(np.uint8))
    layout = find_layout([eight])
    assert layout is not None
    channels = find_channels([eight], layout, bands=("5", "1"))
    assert channels.bands == (5, 1)
    assert (channels.low, channels.high) == ((0.0, 0.0), (255.0, 255.0))


@pytest.mark.parametrize("rule", ["auto", "1", "5,5", "9,1", "0,inf", "a,b"])
def test_a_range_that_cannot_be_is_refused(rule: str) -> None:
    with pytest.raises(ConfigError, match=r"choose percentile, deviation, or LOW,HIGH"):
        parse_range(rule)


def test_bands_are_chosen_by_name_or_number() -> None:
    names = ("red", "nir", "band 3")
    assert choose_bands(names, ("NIR", "3")) == (2, 3)
    assert choose_bands(names, ()) == (1, 2, 3)
    with pytest.raises(ConfigError, match="no band 'swir'; they have 3: red, nir, band 3"):
        choose_bands(names, ("swir",))
    with pytest.raises(ConfigError, match="band 1 is named twice"):
        choose_bands(names, ("red", "1"))


def test_unlike_images_are_refused(tmp_path: Path) -> None:
    four = write(tmp_path / "four.tif", deep(0, 9, 4))
    five = write(tmp_path / "five.tif", deep(0, 9, 5))
    with pytest.raises(DataError, match=r"1 of 4 bands of uint16, such as four\.tif; 1 of 5"):
        find_layout([four, five])
    photo = Pair("photo", tmp_path / "photo.jpg", tmp_path / "photo.png")
    with pytest.raises(DataError, match=r"five\.tif \(5 bands of uint16\), and 1 are photos"):
        find_layout([five, photo])
    assert find_layout([four, photo]) is None, "all can be read as photos"
    with pytest.raises(DataError, match=r"photo\.jpg: is no TIFF file or NumPy array"):
        find_layout([photo], any_bands=True)
    assert find_layout([photo]) is None


def test_photos_of_16_bits_that_use_little_of_them_are_found(tmp_path: Path) -> None:
    bright = [write(tmp_path / f"{n}.tif", deep(0, 65000)) for n in range(2)]
    assert find_layout(bright) is None
    layout = find_deep_layout(bright)
    assert layout is not None
    assert not uses_little(find_channels(bright, layout))
    dark = [write(tmp_path / f"dark{n}.tif", deep(300, 3500)) for n in range(2)]
    layout = find_deep_layout(dark)
    assert layout is not None
    assert not uses_little(find_channels(dark, layout)), "of 12 bits"
    few = [write(tmp_path / f"few{n}.tif", deep(1000, 1300)) for n in range(2)]
    layout = find_deep_layout(few)
    assert layout is not None
    assert uses_little(find_channels(few, layout))
    assert find_deep_layout([*few, write(tmp_path / "f.tif", deep(0, 9).astype(np.uint8))]) is None


def test_images_without_any_value_are_refused(tmp_path: Path) -> None:
    pair = write(tmp_path / "a.tif", np.full((1, 8, 8), np.nan, np.float32))
    layout = find_layout([pair])
    assert layout is not None
    with pytest.raises(DataError, match="hold no value in band 1"):
        find_channels([pair], layout)
