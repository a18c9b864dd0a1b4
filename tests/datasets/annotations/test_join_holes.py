"""Keyhole polygons: the pixels that they enclose, and where their lines lie."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageDraw

from pixelwise.datasets.annotations.join_holes import join_holes
from pixelwise.datasets.annotations.polygons import fill_region, trace

masks = arrays(
    bool,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.sampled_from((True, True, True, False)),
)


def drawn(rings: list[np.ndarray], size: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(size, bool)
    top, left, bits = fill_region(rings, size)
    mask[top : top + bits.shape[0], left : left + bits.shape[1]] = bits
    return mask


@settings(max_examples=100, deadline=None)
@given(masks)
def test_one_ring_encloses_what_outline_and_holes_do(mask: np.ndarray) -> None:
    for rings in trace(mask):
        joined = join_holes(rings)
        np.testing.assert_array_equal(drawn([joined], mask.shape), drawn(rings, mask.shape))
        corners = {tuple(corner) for ring in rings for corner in ring.tolist()}
        assert {tuple(corner) for corner in joined.tolist()} == corners


def test_lines_to_holes_behind_others_stay_within_the_region() -> None:
    mask = np.ones((40, 200), bool)
    for left in range(10, 190, 20):
        mask[10:30, left : left + 12] = False
    (rings,) = trace(mask)
    assert len(rings) == 10
    picture = Image.new("1", (200, 40))
    ImageDraw.Draw(picture).line([tuple(p) for p in join_holes(rings).tolist()], fill=1)
    inside = ~mask
    inside[:, 1:] &= ~mask[:, :-1]  # lines are drawn to the right of and below the edges
    inside[1:] &= ~mask[:-1]
    assert not (np.asarray(picture) & inside).any()


def test_a_ring_without_holes_stays_as_it_is() -> None:
    (rings,) = trace(np.ones((2, 3), bool))
    np.testing.assert_array_equal(join_holes(rings), rings[0])
