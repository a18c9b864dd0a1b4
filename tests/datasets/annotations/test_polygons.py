"""Polygons to pixels by hand, by brute force and by pycocotools; outlines of regions and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask

from pixelwise.datasets.annotations import polygons

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8))


def drawn(rings: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, bool)
    patch = polygons.fill(rings, size)
    if patch:
        top, left, bits = patch
        mask[top : top + bits.shape[0], left : left + bits.shape[1]] = bits
    return mask


def components(mask: np.ndarray) -> int:
    """Regions by flood, one pixel at a time."""
    left = {tuple(at) for at in np.argwhere(mask).tolist()}
    count = 0
    while left:
        count = count + 1
        front = [left.pop()]
        while front:
            y, x = front.pop()
            for near in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if near in left:
                    left.remove(near)
                    front.append(near)
    return count


def test_a_triangle_by_hand() -> None:
    ring = np.array([(0, 0), (4, 0), (0, 4)], float)
    # centres with x + y < 4; those with x + y = 4 lie on the edge, which is not theirs
    assert drawn([ring], (4, 5)).astype(int).tolist() == [
        [1, 1, 1, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.integers(-8, 30)] * 2), min_size=3, max_size=9))
def test_a_pixel_is_inside_when_a_ray_from_its_centre_crosses_an_odd_number_of_edges(
    corners: list,
) -> None:
    ring = np.array(corners) / 3 + 0.01  # no centre on an edge's end
    mask = drawn([ring], (7, 8))
    for row in range(7):
        for column in range(8):
            x = column + 0.5
            y = row + 0.5
            inside = False
            for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
                if (y0 > y) != (y1 > y):
                    cut = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                    if abs(cut - x) < 1e-9:
                        break  # on the edge: either side may have it
                    inside ^= cut > x
            else:
                assert mask[row, column] == inside


@given(st.floats(-2, 12), st.floats(-2, 12))
def test_two_sides_of_a_line_share_no_pixel_and_leave_none_out(above: float, below: float) -> None:
    left = np.array([(-9.0, 0), (above, 0), (below, 10), (-9, 10)])
    right = np.array([(above, 0.0), (19, 0), (19, 10), (below, 10)])
    assert (drawn([left], (10, 10)) ^ drawn([right], (10, 10))).all()


@pytest.mark.parametrize(
    "ring",
    [
        [(1, 1), (1, 1), (1, 1)],
        [(0, 0), (5, 5)],
        [(20, 20), (30, 20), (30, 30)],
        [(0.6, 0), (0.9, 0), (0.6, 9)],
    ],
)
def test_rings_without_a_pixel_draw_nothing(ring: list) -> None:
    assert polygons.fill([np.array(ring, float)], (8, 8)) is None


def test_far_away_corners_cost_no_memory() -> None:
    ring = np.array([(-1e12, -1e12), (1e12, -1e12), (1e12, 1e12), (-1e12, 1e12)])
    assert drawn([ring], (5, 6)).all()


@settings(max_examples=50, deadline=None)
@given(masks)
def test_outlines_of_regions_give_back_every_pixel_holes_and_keyholes_included(
    mask: np.ndarray,
) -> None:
    whole = np.zeros(mask.shape, int)
    regions = polygons.trace(mask)
    for rings in regions:
        one = drawn(rings, mask.shape)
        assert components(one) == 1
        whole += one
    assert (whole == mask).all()
    assert len(regions) == components(mask)


def test_an_outline_with_a_hole_by_hand() -> None:
    mask = np.ones((3, 3), bool)
    mask[1, 1] = False
    (region,) = polygons.trace(mask)
    assert [sorted(map(tuple, ring.tolist())) for ring in region] == [
        [(0, 0), (0, 3), (3, 0), (3, 3)],
        [(1, 1), (1, 2), (2, 1), (2, 2)],
    ]


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools' own
@settings(max_examples=50, deadline=None)
@given(masks)
def test_pycocotools_draws_our_outlines_to_the_same_pixels(mask: np.ndarray) -> None:
    for rings in polygons.trace(mask):
        if len(rings) == 1:
            theirs = coco_mask.decode(
                coco_mask.frPyObjects([rings[0].ravel().tolist()], *mask.shape)
            )[:, :, 0]
            assert (theirs == drawn(rings, mask.shape)).all()
