"""Thinned outlines: how far they may go, by brute force and by shapes drawn again."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from pixelwise.classes import Classes
from pixelwise.datasets.annotations.rasterize import Shape, find_regions, rasterize_shapes
from pixelwise.datasets.annotations.thin_outlines import find_polygons

CLASSES = Classes.named(("background", "cat", "dog"))
label_maps = arrays(
    np.uint8,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
    elements=st.sampled_from((0, 1, 2, 255)),
)


def drawn(labels: np.ndarray, tolerance: float) -> np.ndarray:
    shapes = [Shape(label, rings) for _, label, rings in find_polygons(labels, CLASSES, tolerance)]
    return rasterize_shapes(shapes, labels.shape, uncovered=0, by_area=False).labels


def blobs(seed: int, size: tuple[int, int] = (60, 80)) -> np.ndarray:
    """Smooth regions of three labels."""
    noise = np.random.default_rng(seed).normal(size=(3, *size))
    return ndimage.gaussian_filter(noise, (0, 5, 5)).argmax(axis=0).astype(np.uint8)


def distance_to_a_border(labels: np.ndarray) -> np.ndarray:
    """Of each pixel's centre from the nearest edge between two labels, by brute force."""
    ends = []
    for y, x in np.argwhere(labels[:, 1:] != labels[:, :-1]):
        ends.append((x + 1, y, x + 1, y + 1))
    for y, x in np.argwhere(labels[1:] != labels[:-1]):
        ends.append((x, y + 1, x + 1, y + 1))
    x0, y0, x1, y1 = np.array(ends, float).T
    y, x = (np.indices(labels.shape) + 0.5)[..., None]
    off_x = np.maximum(np.maximum(x0 - x, x - x1), 0)
    off_y = np.maximum(np.maximum(y0 - y, y - y1), 0)
    return np.hypot(off_x, off_y).min(axis=-1)


@settings(max_examples=100, deadline=None)
@given(label_maps)
def test_without_tolerance_labels_come_back_bit_for_bit(labels: np.ndarray) -> None:
    np.testing.assert_array_equal(drawn(labels, 0), labels)


@settings(max_examples=100, deadline=None)
@given(label_maps, st.sampled_from((0.5, 1.0, 2.0)))
def test_no_pixel_farther_from_a_border_than_the_tolerance_changes(
    labels: np.ndarray, tolerance: float
) -> None:
    changed = drawn(labels, tolerance) != labels
    if changed.any():
        assert distance_to_a_border(labels)[changed].max() <= tolerance + 1e-9


def test_smooth_regions_keep_their_pixels_with_a_tenth_of_the_corners() -> None:
    for seed in range(3):
        labels = blobs(seed)
        changed = drawn(labels, 1.0) != labels
        assert changed.mean() < 0.05
        assert distance_to_a_border(labels)[changed].max() <= 1
        exact = sum(len(ring) for *_, rings in find_regions(labels, CLASSES) for ring in rings)
        thin = sum(len(ring) for *_, rings in find_polygons(labels, CLASSES, 1.0) for ring in rings)
        assert thin < 0.3 * exact


def test_neighbours_share_their_border() -> None:
    labels = blobs(5) % 2 + 1  # no background: whatever is not covered is a gap
    shapes = [Shape(label, rings) for _, label, rings in find_polygons(labels, CLASSES, 1.5)]
    mask = rasterize_shapes(shapes, labels.shape, uncovered=0, by_area=False)
    assert (mask.labels == 0).sum() == 0
    assert mask.overlapped == 0
    assert (mask.labels != labels).any()


def test_the_straight_side_of_a_region_keeps_its_corners() -> None:
    labels = np.zeros((30, 40), np.uint8)
    labels[5:25, 10:30] = 1
    ((_, _, rings),) = find_polygons(labels, CLASSES, 3)
    assert sorted(map(tuple, rings[0].tolist())) == [(10, 5), (10, 25), (30, 5), (30, 25)]


def test_a_hole_stays_and_what_is_thinner_than_the_tolerance_too() -> None:
    labels = np.zeros((40, 40), np.uint8)
    labels[5:35, 5:35] = 1
    labels[15:25, 15:25] = 0
    labels[2, 1:39] = 2
    labels[38, 38] = 2
    np.testing.assert_array_equal(drawn(labels, 5), labels)
