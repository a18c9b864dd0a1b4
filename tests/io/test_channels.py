import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.errors import ImageError
from pixelwise.io.channels import (
    FILL_REACH,
    Channels,
    ReadingRule,
    choose_shown,
    complete_names,
    reading_rule,
)


def make(names: tuple[str, ...] = ("red", "nir"), **fields: object) -> Channels:
    count = len(names)
    values = {
        "names": names,
        "bands": tuple(range(1, count + 1)),
        "low": (0.0,) * count,
        "high": (1000.0,) * count,
        "mean": (0.5,) * count,
        "std": (0.25,) * count,
        "count": count,
        "kind": "uint16",
        "rule": "as set",
    }
    return Channels(**{**values, **fields})


def test_the_window_becomes_0_to_255_and_what_lies_beyond_is_cut() -> None:
    values = np.array([[[0, 500, 1000, 4000]], [[-5, 2, 998, 1e30]]], np.float32)
    pixels = make().to_pixels(values)
    assert pixels.shape == (1, 4, 2)
    assert pixels[0, :, 0].tolist() == [0, 128, 255, 255]
    assert pixels[0, :, 1].tolist() == [0, 1, 254, 255]


def test_eight_bits_stay_as_they_are() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    pixels = make(("grey",), high=(255.0,)).to_pixels(values)
    assert np.array_equal(pixels[..., 0], values[0])


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.floats(0, 1))
def test_a_gain_and_an_offset_of_the_sensor_change_nothing(
    offset: float, gain: float, share: float
) -> None:
    plain = make(("a",), high=(1.0,)).to_pixels(np.full((1, 1, 1), share))
    other = make(("a",), low=(offset,), high=(offset + gain,)).to_pixels(
        np.full((1, 1, 1), offset + gain * share)
    )
    assert abs(int(plain[0, 0, 0]) - int(other[0, 0, 0])) <= 1 + 255 * 1e6 * 2**-22 / gain


def test_pixels_without_value_take_that_of_the_nearest_else_the_mean() -> None:
    width = 3 * FILL_REACH
    values = np.full((1, 1, width), np.nan)
    values[0, 0, 0] = 1000
    valid = np.isfinite(values)
    row = make(("a",)).to_pixels(values, valid)[0, :, 0]
    assert (row[: FILL_REACH + 1] == 255).all()
    assert (row[FILL_REACH + 1 :] == round(255 * 0.5)).all()
    nothing = make(("a",)).to_pixels(np.full((1, 2, 2), np.nan), np.zeros((1, 2, 2), bool))
    assert (nothing == round(255 * 0.5)).all()


def test_bands_are_taken_by_name_in_any_order_else_by_number() -> None:
    channels = make(("nir", "red"), bands=(4, 3), count=4)
    assert channels.find_bands("a.tif", ("red", "green", "nir")) == (3, 1)
    assert channels.find_bands("a.tif", ("", "", "", "")) == (4, 3)
    assert channels.find_bands("a.tif", ("", "")) == (1, 2)
    with pytest.raises(ImageError, match=r"a\.tif: has no band nir: its bands are red, green"):
        channels.find_bands("a.tif", ("red", "green"))
    with pytest.raises(
        ImageError, match=r"has 3 bands .*takes nir, red, which were bands 4, 3 of 4"
    ):
        channels.find_bands("a.tif", ("", "", ""))


def test_unnamed_bands_are_never_looked_for_by_name() -> None:
    channels = make(complete_names(("", "")))
    assert channels.find_bands("a.tif", ("red", "green")) == (1, 2)
    assert complete_names(("red", "", "red")) == ("band 1", "band 2", "band 3")


def test_a_header_is_read_back_and_one_that_is_damaged_refused() -> None:
    channels = make()
    header = ReadingRule(12, channels).to_header()
    assert reading_rule(header) == ReadingRule(12, channels)
    assert reading_rule({}) == ReadingRule()
    broken = {**channels.to_header(), "low": [0.0]}
    with pytest.raises(ValueError, match="not of one number"):
        Channels.from_header(broken)


def test_colours_are_shown_as_colours() -> None:
    assert choose_shown(("nir", "red", "green", "blue")) == (1, 2, 3)
    assert choose_shown(("a", "b", "c", "d")) == (0, 1, 2)
    assert choose_shown(("a", "b")) == (0, 0, 0)
    pixels = np.arange(4, dtype=np.uint8).reshape(1, 1, 4)
    four = make(("nir", "red", "green", "blue"))
    assert four.to_rgb(pixels)[0, 0].tolist() == [1, 2, 3]


def test_the_words_name_each_band_with_its_window() -> None:
    assert str(make()) == "red 0 to 1000, nir 0 to 1000"
