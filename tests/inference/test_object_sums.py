import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pixelwise.inference.object_sums import Objects, ObjectSums, label_strip

measure = pytest.importorskip("skimage.measure")

THINGS = np.arange(256) > 0
THINGS[255] = False


def objects_of(labels: NDArray[np.uint8], rows: int) -> tuple[Objects, NDArray[np.int64]]:
    """Figures and the map of ids, from strips of so many rows."""
    height, width = labels.shape
    sums = ObjectSums(width, height)
    strips = [labels[top : top + rows] for top in range(0, height, rows)]
    ids = [label_strip(strip, THINGS) for strip in strips]
    confidence = (np.arange(height * width).reshape(height, width) % 256).astype(np.uint8)
    for index, (strip, own) in enumerate(zip(strips, ids, strict=True)):
        sure = confidence[index * rows : index * rows + len(strip)]
        sums.add(strip, own, confidence=sure, areas=np.full(strip.shape, 2.0))
    objects, parts = sums.finish()
    return objects, np.concatenate([part[own] for part, own in zip(parts, ids, strict=True)])


def blobs(seed: int, side: int = 60) -> NDArray[np.uint8]:
    """Ragged regions of three classes, ground and void."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.random((5, side, side + 7)), (0, 2, 2))
    labels = noise.argmax(0).astype(np.uint8)
    labels[labels == 4] = 255
    return labels


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rows", [1, 7, 60])
def test_figures_are_those_of_scikit_image_however_the_strips_are_cut(seed: int, rows: int) -> None:
    labels = blobs(seed)
    objects, ids = objects_of(labels, rows)
    expected = np.zeros(labels.shape, int)
    for label in (1, 2, 3):
        own = measure.label(labels == label, connectivity=2)
        expected[own > 0] = own[own > 0] + expected.max()
    assert len(objects) == expected.max()
    # the same parts, whatever their numbers
    pairs = np.unique(np.stack([ids.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == len(objects) + 1
    confidence = np.arange(labels.size).reshape(labels.shape) % 256 / 255
    for index, region in enumerate(measure.regionprops(ids, intensity_image=confidence)):
        assert region.area == objects.pixels[index]
        assert labels[ids == index + 1][0] == objects.label[index]
        np.testing.assert_allclose(
            region.centroid, (objects.row[index], objects.column[index]), atol=1e-8
        )
        assert region.bbox == tuple(objects.box[index])
        # a pixel is a square here, a point in scikit-image
        axes = [region.axis_major_length, region.axis_minor_length]
        squares = 4 * np.sqrt((np.array(axes) / 4) ** 2 + 1 / 12)
        own_axes = (objects.major_axis[index], objects.minor_axis[index])
        np.testing.assert_allclose(squares, own_axes, atol=1e-5)
        np.testing.assert_allclose(region.intensity_mean, objects.confidence[index])
        assert objects.square_metres[index] == 2 * region.area
        top, left, bottom, right = region.bbox
        at_border = not (top and left and bottom < labels.shape[0] and right < labels.shape[1])
        assert objects.touches_border[index] == at_border
        if objects.major_axis[index] > 1.2 * objects.minor_axis[index]:
            # scikit-image turns from the columns' direction, in radians
            turned = np.degrees(region.orientation) + 90
            difference = (objects.orientation[index] - turned + 90) % 180 - 90
            assert abs(difference) < 1e-3


@pytest.mark.parametrize("rows", [3, 41])
def test_the_perimeter_of_a_circle_is_exact_and_of_a_square_a_little_short(rows: int) -> None:
    y, x = np.mgrid[:201, :201]
    circle = (np.hypot(y - 100, x - 100) <= 80).astype(np.uint8)
    objects, _ = objects_of(circle, rows)
    assert objects.perimeter[0] == pytest.approx(2 * np.pi * 80, rel=0.01)
    square = np.zeros((100, 100), np.uint8)
    square[20:80, 30:90] = 1
    objects, _ = objects_of(square, rows)
    assert objects.perimeter[0] == pytest.approx(240, rel=0.07)
    assert objects.perimeter[0] == pytest.approx(
        measure.perimeter_crofton(square, directions=4), rel=0.03
    )


def test_an_object_that_comes_together_again_is_one() -> None:
    """A U and an arch, whose legs are apart in some strips, and two that touch by a corner."""
    labels = np.zeros((9, 12), np.uint8)
    labels[:8, 1] = labels[:8, 5] = labels[7, 1:6] = 1
    labels[1:, 7] = labels[1:, 11] = labels[1, 7:12] = 2
    labels[3, 8] = labels[3, 9] = 0
    objects, ids = objects_of(labels, 2)
    assert sorted(objects.label.tolist()) == [1, 2]
    assert len(np.unique(ids)) == 3
    corner = np.zeros((4, 4), np.uint8)
    corner[1, 1] = corner[2, 2] = 1
    assert len(objects_of(corner, 2)[0]) == 1


def test_a_picture_without_objects_has_none() -> None:
    for labels in (np.zeros((5, 4), np.uint8), np.full((5, 4), 255, np.uint8)):
        objects, ids = objects_of(labels, 2)
        assert len(objects) == 0
        assert not ids.any()
