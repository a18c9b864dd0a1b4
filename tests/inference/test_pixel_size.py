import pytest

from pixelwise.errors import ConfigError
from pixelwise.inference.pixel_size import PixelSize


@pytest.mark.parametrize(
    ("text", "length", "unit"),
    [("0.25um", 0.25, "um"), ("2 mm", 2.0, "mm"), ("1e-3 m", 0.001, "m"), ("0.5µm", 0.5, "µm")],
)
def test_a_length_and_its_unit_are_read(text: str, length: float, unit: str) -> None:
    assert PixelSize.parse(text) == PixelSize(length, unit)


@pytest.mark.parametrize(
    "text", ["", "um", "0um", "-1um", "0.25", "1.2.3mm", "1 m m", "1e999m", "1e30m"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"such as 0\.25um"):
        PixelSize.parse(text)
