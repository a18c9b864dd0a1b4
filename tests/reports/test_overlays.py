import numpy as np
import pytest

from pixelwise.classes import VOID, VOID_COLOUR
from pixelwise.reports.overlays import add_legend, class_shares, colourise, paint

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
    for label in (1, 2):
        assert (painted[labels == label] == PALETTE[label]).all()


@pytest.mark.parametrize("opacity", [0.5, 1])
def test_paint_leaves_void_and_black_classes_as_they_were(
    rgb: np.ndarray, labels: np.ndarray, opacity: float
) -> None:
    untinted = (labels == 0) | (labels == VOID)
    assert (paint(rgb, labels, PALETTE, opacity)[untinted] == rgb[untinted]).all()


def test_paint_at_opacity_0_is_the_image(rgb: np.ndarray, labels: np.ndarray) -> None:
    assert (paint(rgb, labels, PALETTE, 0) == rgb).all()


def test_paint_mixes_half_and_half_inside_and_more_on_the_outline(
    rgb: np.ndarray, labels: np.ndarray
) -> None:
    painted = paint(rgb, labels, PALETTE, 0.5).astype(float)
    inside = (rgb[6:19, 6:29] + np.array(PALETTE[1], dtype=float)) / 2
    assert np.abs(painted[6:19, 6:29] - inside).max() <= 0.5
    for place in [(5, 15), (19, 15), (10, 5), (10, 29)]:  # the middles of the four sides
        outline = rgb[place] * 0.15 + np.array(PALETTE[1]) * 0.85
        assert np.abs(painted[place] - outline).max() <= 0.51


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
