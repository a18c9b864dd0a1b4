import numpy as np
import pytest

from pixelwise.classes import VOID, VOID_COLOUR
from pixelwise.reports.overlays import (
    add_legend,
    class_shares,
    colourise,
    fit_into,
    outline_width,
    paint,
)

NAMES = ("background", "cat", "dog")
PALETTE = ((0, 0, 0), (200, 40, 0), (0, 60, 180))


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.fixture
def labels() -> np.ndarray:
    ids = np.zeros((40, 60), dtype=np.uint8)
    ids[5:20, 5:30] = 1
    ids[25:, 30:] = 2
    ids[:3] = VOID
    return ids


def test_colourise_gives_each_class_its_colour_and_void_light_grey(labels: np.ndarray) -> None:
    coloured = colourise(labels, PALETTE)
    assert coloured.shape == (40, 60, 3)
    for label, colour in [*enumerate(PALETTE), (VOID, VOID_COLOUR)]:
        assert (coloured[labels == label] == colour).all()


def test_paint_at_opacity_1_is_the_palette_colour(rgb: np.ndarray, labels: np.ndarray) -> None:
    painted = paint(rgb, labels, PALETTE, 1)
    assert (painted[6:19, 6:29] == PALETTE[1]).all()
    assert (painted[26:, 31:] == PALETTE[2]).all()


@pytest.mark.parametrize("opacity", [0.5, 1])
def test_paint_leaves_a_background_as_it_was(
    rgb: np.ndarray, labels: np.ndarray, opacity: float
) -> None:
    painted = paint(rgb, labels, PALETTE, opacity)
    assert (painted[5:, 31:][:19] == rgb[5:, 31:][:19]).all()
    assert (painted[21:24] == rgb[21:24]).all()


def test_paint_hatches_void(rgb: np.ndarray, labels: np.ndarray) -> None:
    labels[:] = VOID
    painted = paint(rgb, labels, PALETTE, 1)
    filled = (painted == VOID_COLOUR).all(axis=2)
    untouched = (painted == rgb).all(axis=2)
    assert (filled | untouched).all()
    # stripes of three pixels, half of all
    assert filled[0, :12].tolist() == 2 * [False, False, False, True, True, True]
    assert abs(filled.mean() - 0.5) < 0.03


def test_paint_at_opacity_0_is_the_image(rgb: np.ndarray, labels: np.ndarray) -> None:
    assert (paint(rgb, labels, PALETTE, 0) == rgb).all()


def test_paint_mixes_half_and_half_inside(rgb: np.ndarray, labels: np.ndarray) -> None:
    painted = paint(rgb, labels, PALETTE, 0.5).astype(float)
    inside = (rgb[6:19, 6:29] + np.array(PALETTE[1], dtype=float)) / 2
    assert np.abs(painted[6:19, 6:29] - inside).max() <= 0.5


def test_paint_draws_a_light_line_within_a_region_and_a_dark_one_around_it(
    rgb: np.ndarray, labels: np.ndarray
) -> None:
    painted = paint(rgb, labels, PALETTE, 1)
    for light, dark in [((5, 15), (4, 15)), ((19, 15), (20, 15)), ((10, 29), (10, 30))]:
        assert painted[light].tolist() == [255, 255, 255]
        assert painted[dark].max() < 30


def test_paint_draws_no_outline_along_void(rgb: np.ndarray, labels: np.ndarray) -> None:
    labels[:] = 1
    labels[10:13] = VOID
    painted = paint(rgb, labels, PALETTE, 1)
    assert (painted[labels == 1] == PALETTE[1]).all()


@pytest.mark.parametrize(("side", "width"), [(60, 1), (800, 1), (1600, 2), (4000, 5)])
def test_outlines_grow_with_the_picture(side: int, width: int) -> None:
    labels = np.zeros((20, side), np.uint8)
    labels[:, side // 2 :] = 1
    painted = paint(np.full((20, side, 3), 128, np.uint8), labels, ((0, 0, 0), (9, 99, 9)), 1)
    assert outline_width(labels) == width
    assert (painted[10] == 255).all(axis=1).sum() == width
    assert (painted[10].max(axis=1) < 30).sum() == width


def test_masks_are_made_smaller_without_new_labels(rgb: np.ndarray, labels: np.ndarray) -> None:
    small, (mask,) = fit_into((30, 30), rgb, [labels])
    assert small.shape == (20, 30, 3)
    assert (mask == labels[1::2, 1::2]).all()


def test_paint_leaves_its_inputs_alone_and_takes_one_pixel(
    rgb: np.ndarray, labels: np.ndarray
) -> None:
    before = rgb.copy()
    paint(rgb, labels, PALETTE)
    assert (rgb == before).all()
    assert paint(rgb[:1, :1], np.ones((1, 1), dtype=np.uint8), PALETTE, 1).tolist() == [
        [list(PALETTE[1])]
    ]


def test_shares_are_of_all_pixels_largest_first(labels: np.ndarray) -> None:
    found = class_shares(labels)
    assert found == {0: 1395 / 2400, 2: 450 / 2400, 1: 375 / 2400, VOID: 180 / 2400}
    assert list(found) == [0, 2, 1, VOID]


@pytest.mark.parametrize("size", [(40, 60), (1, 1), (1, 60), (40, 1)])
def test_the_legend_stands_below_and_leaves_the_pictures_pixels(
    rgb: np.ndarray, labels: np.ndarray, size: tuple[int, int]
) -> None:
    picture = rgb[: size[0], : size[1]]
    shown = np.asarray(add_legend(picture, NAMES, PALETTE, class_shares(labels)))
    assert (shown[: size[0], : size[1]] == picture).all()
    assert shown.shape[0] > size[0] + 13


def test_the_legend_shows_the_colours_of_present_classes_only(rgb: np.ndarray) -> None:
    white = np.full_like(rgb, 255)
    strip = np.asarray(add_legend(white, NAMES, PALETTE, [2]))[40:]
    assert (strip == PALETTE[2]).all(axis=2).sum() > 100
    assert not (strip == PALETTE[1]).all(axis=2).any()


def test_the_legend_names_ids_beyond_the_classes_void(rgb: np.ndarray) -> None:
    strip = np.asarray(add_legend(rgb, NAMES, PALETTE, [VOID]))[40:]
    assert (strip == VOID_COLOUR).all(axis=2).sum() > 100


def test_a_long_legend_wraps_to_more_lines_of_the_same_width() -> None:
    picture = np.zeros((50, 300, 3), dtype=np.uint8)
    names = tuple(f"class {index}" for index in range(30))
    palette = ((9, 9, 9),) * 30
    short = add_legend(picture, names, palette, range(2))
    long = add_legend(picture, names, palette, range(30))
    assert short.width == long.width == 300
    assert long.height > short.height + 100


def test_the_text_grows_with_the_picture() -> None:
    small = np.zeros((300, 300, 3), dtype=np.uint8)
    large = np.zeros((300, 3000, 3), dtype=np.uint8)
    heights = [add_legend(picture, NAMES, PALETTE, [1]).height - 300 for picture in (small, large)]
    assert heights[1] > 3 * heights[0]


def test_without_any_class_the_picture_is_all_there_is(rgb: np.ndarray) -> None:
    assert add_legend(rgb, NAMES, PALETTE, []).size == (60, 40)
