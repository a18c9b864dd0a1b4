from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.labelling.rasterise import draw_brush, draw_polygon

SIZE = (12, 15)
COORDINATES = st.tuples(st.floats(0, 15), st.floats(0, 12))


def whole(area: object) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[area.box.window] = area.covered  # type: ignore[attr-defined]
    return mask


def distance(point: tuple[float, float], start: tuple[float, float], end: tuple[float, float]):
    """Of a point to a segment, by sampling the segment densely."""
    shares = np.linspace(0, 1, 4_001)[:, None]
    line = np.array(start) + shares * (np.array(end) - np.array(start))
    return np.hypot(*(line - np.array(point)).T).min()


@settings(deadline=None)
@given(st.lists(COORDINATES, min_size=1, max_size=4), st.floats(0.75, 5))
def test_a_brush_covers_the_pixels_whose_centres_are_within_its_radius(
    points: list[tuple[float, float]], radius: float
) -> None:
    mask = whole(draw_brush(points, radius, SIZE))
    segments = list(pairwise(points)) or [(points[0], points[0])]
    for row, column in ((0, 0), (5, 7), (11, 14), (3, 12)):
        nearest = min(distance((column + 0.5, row + 0.5), *ends) for ends in segments)
        if abs(nearest - radius) > 0.02:
            assert mask[row, column] == (nearest < radius)


def test_a_dot_of_the_thinnest_brush_covers_its_own_pixel() -> None:
    mask = whole(draw_brush([(7.5, 5.5)], 0, SIZE))
    assert np.argwhere(mask).tolist() == [[5, 7]]


def test_a_brush_at_the_edge_stays_in_the_photo() -> None:
    assert whole(draw_brush([(15, 12)], 2, SIZE)).sum() == 3


def test_a_polygon_is_filled_with_its_outline() -> None:
    mask = whole(draw_polygon([(2, 1), (5, 1), (5, 4), (2, 4)], SIZE))
    assert mask.sum() == 16
    assert mask[1:5, 2:6].all()
