from pathlib import Path

import numpy as np
import pytest

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.models.picture_sizes import PictureSizes
from pixelwise.training.picture_sizes import (
    describe_picture_sizes,
    find_framing,
    measure_picture_sizes,
    place_dependence,
)

Mask = np.ndarray


def photo(rng: np.random.Generator, side: int = 90) -> Mask:
    """Sky above ground, and a disc somewhere in the middle."""
    labels = np.zeros((side, side), np.uint8)
    labels[int(side * rng.uniform(0.4, 0.6)) :] = 1
    rows, columns = np.mgrid[:side, :side]
    centre = side * rng.uniform(0.35, 0.65, 2)
    radius = side * rng.uniform(0.1, 0.2)
    labels[np.hypot(rows - centre[0], columns - centre[1]) < radius] = 2
    return labels


def window(rng: np.random.Generator, side: int = 90, radius: float = 8) -> Mask:
    """Discs of one size, as many as fit, cut off anywhere."""
    labels = np.zeros((side, side), np.uint8)
    rows, columns = np.mgrid[:side, :side]
    for _ in range(max(1, side**2 // 1500)):
        centre = rng.uniform(-radius, side + radius, 2)
        labels[np.hypot(rows - centre[0], columns - centre[1]) < radius] = rng.integers(1, 3)
    return labels


def test_places_differ_in_photos_and_not_in_windows_cut_from_something_larger() -> None:
    rng = np.random.default_rng(0)
    photos = [photo(rng) for _ in range(40)]
    windows = [window(rng) for _ in range(40)]
    ratio, share = place_dependence(photos, 3)
    assert ratio > 50
    assert share > 0.5
    ratio, share = place_dependence(windows, 3)
    assert ratio < 2.5
    assert abs(share) < 0.03
    assert find_framing(photos, 3) is True
    assert find_framing(windows, 3) is False


def test_alike_places_are_exactly_alike_where_each_mask_has_each_turn() -> None:
    quarter = np.zeros((30, 30), np.uint8)
    quarter[:15, :15] = 1
    masks = [np.rot90(quarter, turns) for turns in range(4)] * 3
    ratio, share = place_dependence([np.kron(mask, np.ones((2, 2), np.uint8)) for mask in masks], 2)
    # the middle of the picture alone differs from its sides: these are all the same
    assert ratio < 1
    assert share < 0.1


def test_regions_tell_where_pictures_have_several_sizes() -> None:
    rng = np.random.default_rng(1)
    sides = [int(side) for side in np.exp(rng.uniform(np.log(70), np.log(250), 60))]
    anywhere = [window(rng, side, radius=0.09 * side) for side in sides]
    assert find_framing(anywhere, 3) is True  # discs grow with the picture
    fixed = [window(rng, side, radius=8) for side in sides]
    assert find_framing(fixed, 3) is False
    placed = [window(rng, side, radius=8) for side in sides]
    for mask in placed:
        mask[: len(mask) // 4] = 0  # places differ, and yet the discs do not grow
    assert find_framing(placed, 3) is False


def test_few_masks_and_masks_of_void_tell_nothing() -> None:
    rng = np.random.default_rng(2)
    assert find_framing([photo(rng) for _ in range(7)], 3) is None
    assert find_framing([np.full((40, 40), 255, np.uint8)] * 20, 3) is None


def test_the_sizes_leave_out_odd_ones_and_give_the_rest_some_room(shapes: Path) -> None:
    dataset = open_dataset(shapes)
    sizes = [(300, 400)] * 50 + [(3000, 4000)] * 2
    measured = measure_picture_sizes(dataset, dataset.pairs("train"), sizes, upright=False)
    assert measured == PictureSizes(side=346, smallest=277, largest=433, framed=False)
    assert describe_picture_sizes(measured).startswith("pictures of about 346 x 346 pixels: ")


@pytest.mark.parametrize(
    ("framed", "words"),
    [(True, "so larger ones are seen at this size"), (False, "seen as they are"), (None, "TIFF")],
)
def test_the_line_says_what_larger_pictures_will_be(framed: bool | None, words: str) -> None:
    assert words in describe_picture_sizes(PictureSizes(400, 300, 500, framed))
