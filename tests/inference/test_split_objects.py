import numpy as np
import pytest

from pixelwise.inference.split_objects import split_touching

pytest.importorskip("skimage")


def ellipse(
    shape: tuple[int, int], row: int, column: int, down: float, across: float
) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return ((y - row) / down) ** 2 + ((x - column) / across) ** 2 <= 1


@pytest.mark.parametrize("across", [8, 14, 30])
def test_a_smooth_object_stays_whole_however_long(across: int) -> None:
    ids = ellipse((60, 90), 30, 45, 9, across).astype(np.int32)
    np.testing.assert_array_equal(split_touching(ids), ids)


@pytest.mark.parametrize("angle", [0, 17, 30, 45, 72])
def test_a_rod_stays_whole_in_every_direction(angle: int) -> None:
    y, x = np.mgrid[:80, :80] - 39.3
    turn = np.radians(angle)
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    ids = (np.hypot(np.maximum(np.abs(along) - 20, 0), across) <= 5.3).astype(np.int32)
    np.testing.assert_array_equal(split_touching(ids), ids)


def test_an_object_in_the_box_of_another_is_not_taken_for_its_part() -> None:
    """A frame around a disc."""
    ids = np.zeros((50, 50), np.int32)
    ids[2:48, 2:48] = 1
    ids[8:42, 8:42] = 0
    ids[ellipse((50, 50), 25, 25, 9, 9)] = 2
    parted = split_touching(ids)
    inner = np.unique(parted[ids == 2])
    assert len(inner) == 1
    assert inner[0] not in parted[ids == 1]
    assert ((parted > 0) == (ids > 0)).all()


def test_three_in_a_row_are_three() -> None:
    ids = np.zeros((40, 90), np.int32)
    for column in (20, 38, 56):
        ids[ellipse((40, 90), 20, column, 10, 11)] = 1
    parted = split_touching(ids)
    assert len(np.unique(parted)) == 4
    sizes = np.bincount(parted.ravel())[1:]
    assert sizes.max() < 1.3 * sizes.min()
