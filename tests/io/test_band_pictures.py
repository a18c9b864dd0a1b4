from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import ImageError
from pixelwise.io.band_files import BandValues, write_bands
from pixelwise.io.channels import TO_SHOW, Channels, ReadingRule
from pixelwise.io.images import read_picture, read_pixels

pytest.importorskip("rasterio")


def channels(*names: str, count: int, high: float = 1000.0) -> Channels:
    size = len(names)
    return Channels(
        names, tuple(range(1, size + 1)), (0.0,) * size, (high,) * size, (0.5,) * size,
        (0.2,) * size, count, "uint16", "as set",
    )  # fmt: skip


def write(path: Path, *bands: int, size: tuple[int, int] = (6, 8)) -> Path:
    values = np.stack([np.full(size, value, np.uint16) for value in bands])
    names = ("red", "green", "blue", "nir")[: len(bands)]
    write_bands(path, BandValues(values, None, names))
    return path


def test_a_network_sees_its_bands_and_people_their_colours(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", 100, 200, 300, 1000)
    picture = read_picture(path, ReadingRule(channels=channels("nir", "red", count=4)))
    assert picture.pixels.shape == (6, 8, 2)
    assert picture.pixels[0, 0].tolist() == [255, 26]
    four = channels("nir", "red", "green", "blue", count=4)
    shown = read_picture(path, ReadingRule(channels=four))
    assert shown.rgb[0, 0].tolist() == [26, 51, 76]
    assert read_pixels(path.read_bytes(), ReadingRule(channels=four))[0, 0, 0] == 255


def test_a_network_of_rgb_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_bands(path, BandValues(np.zeros((1, 4, 5), np.float32), None, ("",)))
    with pytest.raises(ImageError, match="floating point numbers"):
        read_picture(path)


def test_any_bands_are_shown_by_a_stretch_that_is_said(tmp_path: Path) -> None:
    values = np.linspace(-3, 7, 400, dtype=np.float32).reshape(1, 20, 20)
    values[0, 0, 0] = np.nan
    write_bands(tmp_path / "a.tif", BandValues(values, None, ("height",)))
    picture = read_picture(tmp_path / "a.tif", TO_SHOW)
    assert str(picture.notes[0]) == (
        "with 1 band of float32, shown by height, each from its 1st to its 99th percentile"
    )
    assert picture.rgb[0, 0].tolist() == [0, 0, 0], "no value"
    assert picture.rgb[-1, -1].tolist() == [255, 255, 255]
    assert picture.valid is not None
    assert np.argwhere(~picture.valid).tolist() == [[0, 0]]


def test_values_far_from_those_of_the_training_are_said(tmp_path: Path) -> None:
    rule = ReadingRule(channels=channels("red", "green", count=2, high=1.0))
    note = read_picture(write(tmp_path / "a.tif", 500, 600), rule).notes[0]
    assert str(note).startswith("whose red is about 500, far from the 0 to 1 of the training")
    fitting = ReadingRule(channels=channels("red", "green", count=2))
    (flat,) = read_picture(tmp_path / "a.tif", fitting).notes
    assert str(flat) == (
        "whose red is 500 to 500 alone, flat in the 0 to 1000 of the training: do not trust the "
        "labels"
    )
    values = np.random.default_rng(0).integers(0, 1000, (2, 20, 20)).astype(np.uint16)
    write_bands(tmp_path / "b.tif", BandValues(values, None, ("red", "green")))
    assert not read_picture(tmp_path / "b.tif", fitting).notes
    as_share = BandValues((values / 1000).astype(np.float32), None, ("red", "green"))
    write_bands(tmp_path / "c.tif", as_share)
    assert "flat in the 0 to 1000" in str(read_picture(tmp_path / "c.tif", fitting).notes[0])


def test_a_window_that_cuts_most_of_every_picture_is_no_other_range(tmp_path: Path) -> None:
    """Air around a body in computed tomography."""
    rng = np.random.default_rng(0)
    values = np.where(rng.random((1, 40, 40)) < 0.7, -1000.0, rng.normal(60, 40, (1, 40, 40)))
    write_bands(tmp_path / "a.tif", BandValues(values.astype(np.float32), None, ("ct",)))
    trained = Channels(("ct",), (1,), (-160.0,), (240.0,), (0.16,), (0.26,), 1, "float32", "as set")
    assert not read_picture(tmp_path / "a.tif", ReadingRule(channels=trained)).notes
    bright = replace(trained, mean=(0.6,), std=(0.2,))
    (note,) = read_picture(tmp_path / "a.tif", ReadingRule(channels=bright)).notes
    assert "far from the -160 to 240 of the training" in str(note)


def test_bands_without_names_are_taken_in_order_and_that_is_said(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 1000, (2, 20, 20)).astype(np.uint16)
    write_bands(tmp_path / "a.tif", BandValues(values, None, ("", "")))
    rule = ReadingRule(channels=channels("red", "green", count=2))
    (note,) = read_picture(tmp_path / "a.tif", rule).notes
    assert str(note) == (
        "whose bands have no names, taken in the order of the training's, red, green"
    )


def test_a_picture_without_any_value_is_void(tmp_path: Path) -> None:
    values = np.full((1, 4, 5), np.nan, np.float32)
    write_bands(tmp_path / "a.tif", BandValues(values, None, ("red",)))
    picture = read_picture(tmp_path / "a.tif", ReadingRule(channels=channels("red", count=1)))
    assert picture.valid is not None
    assert not picture.valid.any()
    assert "without any value in red" in str(picture.notes[0])


def test_a_photo_serves_where_its_colours_are_the_bands(tmp_path: Path) -> None:
    Image.new("RGB", (5, 4), (10, 20, 255)).save(tmp_path / "a.png")
    three = channels("red", "green", "blue", count=3, high=255.0)
    picture = read_picture(tmp_path / "a.png", ReadingRule(channels=three))
    assert picture.pixels[0, 0].tolist() == [10, 20, 255]
    blue = ReadingRule(channels=channels("blue", count=3, high=255.0))
    assert read_pixels(tmp_path / "a.png", blue)[0, 0].tolist() == [255]
    with pytest.raises(ImageError, match="has no band nir: its bands are red, green, blue"):
        read_picture(tmp_path / "a.png", ReadingRule(channels=channels("nir", count=4)))
