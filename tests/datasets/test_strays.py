"""Pixels whose value has no meaning, and masks that are written in another way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.measure_pair import measure_mask
from pixelwise.datasets.pair_stats import MaskSource
from pixelwise.datasets.strays import Strays, find_variant, read_nearest
from pixelwise.datasets.types import Pair

TWO = Classes.named(("background", "foreground"))
IDS = MaskEncoding("ids", "", "", TWO, ((0, 0), (1, 1), (VOID, VOID)))
BINARY = MaskEncoding("binary", "", "", TWO, ((0, 0), (VOID, 1)), binary=True)
COLOURS = MaskEncoding("colours", "", "", TWO, (), ((0x000000, 0), (0x800000, 1)))


def read(
    path: Path, values: np.ndarray, encoding: MaskEncoding
) -> tuple[np.ndarray, Strays | None]:
    Image.fromarray(values).save(path)
    stats, _ = measure_mask(path, MaskSource(), full=False)
    return read_nearest(Pair("a", path, path), stats, encoding, MaskSource())


def square(low: int, high: int) -> np.ndarray:
    values = np.full((20, 20), low, np.uint8)
    values[5:15, 5:15] = high
    return values


@pytest.mark.parametrize(
    ("values", "encoding", "variant"),
    [
        (square(0, 1), BINARY, "one"),
        (square(0, 255), replace(IDS, void_drawn=False), "full"),
        (square(0, 50), replace(IDS, stretch=50), "stretched"),
        (square(0, 255), replace(IDS, stretch=255), "stretched"),
        (square(0, 1), IDS, ""),
        (square(0, 255), BINARY, ""),
    ],
)
def test_a_mask_written_in_another_way_is_read_as_the_others(
    tmp_path: Path, values: np.ndarray, encoding: MaskEncoding, variant: str
) -> None:
    labels, strays = read(tmp_path / "a.png", values, encoding)
    assert strays is None
    np.testing.assert_array_equal(labels, values > 0)
    stats, _ = measure_mask(tmp_path / "a.png", MaskSource(), full=False)
    assert find_variant(stats, encoding) == variant


def test_a_few_numbers_of_no_class_become_void(tmp_path: Path) -> None:
    values = square(0, 1)
    values[2, 3] = 7
    labels, strays = read(tmp_path / "a.png", values, IDS)
    assert strays == Strays("value-outside-classes", 1, 1, (2, 3), "7", "1")
    assert labels[2, 3] == VOID


def test_a_stray_colour_becomes_the_nearest_class(tmp_path: Path) -> None:
    pixels = np.zeros((20, 20, 3), np.uint8)
    pixels[5:15, 5:15] = (128, 0, 0)
    pixels[2, 3] = (120, 3, 2)
    labels, strays = read(tmp_path / "a.png", pixels, COLOURS)
    assert strays == Strays("colour-stray", 1, 1, (2, 3), "(120, 3, 2)", "(128, 0, 0)")
    assert labels[2, 3] == 1


def test_many_values_beside_borders_are_from_smooth_resizing(tmp_path: Path) -> None:
    big = Image.fromarray(square(0, 255)).resize((90, 90), Image.Resampling.BICUBIC)
    labels, strays = read(tmp_path / "a.png", np.asarray(big), BINARY)
    assert strays
    assert strays.type == "mask-resampled"
    assert set(np.unique(labels)) == {0, 1}
