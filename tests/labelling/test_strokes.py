import math

import numpy as np
import pytest

from pixelwise.classes import VOID
from pixelwise.errors import DataError
from pixelwise.labelling.rasterise import Box
from pixelwise.labelling.strokes import UNLABELLED, Patch, Stroke, check_label, check_points

SIZE = (30, 40)


def test_a_patch_leaves_what_it_does_not_hold() -> None:
    labels = np.full(SIZE, 1, np.uint8)
    patch = Patch(Box(2, 3, 1, 3), np.array([[0, UNLABELLED, VOID]], np.uint8))
    stroke = Stroke.from_json(Stroke("take", 0, patch=patch).to_json())
    stroke.paint(labels)
    assert labels[2, 2:7].tolist() == [1, 0, 1, VOID, 1]


def test_an_eraser_takes_the_label_away() -> None:
    labels = np.full(SIZE, 1, np.uint8)
    Stroke("brush", UNLABELLED, ((5.5, 5.5),), 0).paint(labels)
    assert np.argwhere(labels == UNLABELLED).tolist() == [[5, 5]]


@pytest.mark.parametrize(
    ("points", "radius", "reason"),
    [
        ([], 3, "at least one point"),
        (None, 3, "at least one point"),
        ([[1, 2]] * 20_001, 3, "at most 20000"),
        ([[1, math.nan]], 3, "is none of the photo"),
        ([[41, 2]], 3, "columns go from 0 to 40"),
        ([[-1, 2]], 3, "is none of the photo"),
        ([["1", 2]], 3, "is none of the photo"),
        ([[True, 2]], 3, "is none of the photo"),
        ([[1, 2, 3]], 3, "is none of the photo"),
        ([7], 3, "is none of the photo"),
        ([[1, 2]], math.inf, "radius is inf"),
        ([[1, 2]], "3", "radius is '3'"),
        ([[1, 2]], 2001, "from 0 to 2000"),
        ([[0, 0], [40, 30]] * 5000, 2000, "too long for so wide a brush"),
    ],
)
def test_what_is_no_stroke_is_refused_with_the_reason(
    points: object, radius: object, reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        check_points(points, radius, SIZE)


def test_points_on_the_edges_are_of_the_photo() -> None:
    assert check_points([[0, 0], [40, 30]], 3, SIZE) == ((0.0, 0.0), (40.0, 30.0))


def test_labels_are_classes_void_and_nothing() -> None:
    assert [check_label(label, {0: "a"}) for label in (0, VOID, UNLABELLED)] == [0, 255, 254]
    for label in (1, "0", None, 0.5):
        with pytest.raises(DataError, match="no such class"):
            check_label(label, {0: "a"})
