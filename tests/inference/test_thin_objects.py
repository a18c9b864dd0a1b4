import numpy as np
import pytest

from pixelwise.inference.thin_objects import middle_lengths

pytest.importorskip("skimage")


def line(length: float, width: float, angle: float) -> np.ndarray:
    """A bar of that length and width, turned by so many degrees."""
    y, x = np.mgrid[:300, :300] - 150.3
    turn = np.radians(angle)
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    return (abs(along) <= length / 2) & (abs(across) <= width / 2)


@pytest.mark.parametrize("width", [2, 3, 6, 13, 21])
def test_a_bar_has_its_length_and_width_in_every_direction(width: int) -> None:
    for angle in range(0, 180, 23):
        bar = line(220, width, angle)
        length = middle_lengths(bar).sum()
        assert length == pytest.approx(220, rel=0.03), angle
        assert bar.sum() / length == pytest.approx(width, rel=0.05), angle


def test_a_ring_has_the_length_of_its_middle_line() -> None:
    y, x = np.mgrid[:260, :260] - 130.4
    ring = abs(np.hypot(x, y) - 100) <= 4
    assert middle_lengths(ring).sum() == pytest.approx(2 * np.pi * 100, rel=0.005)


def test_branches_count_and_bumps_do_not() -> None:
    bar = line(200, 9, 0)
    branched = bar.copy()
    branched[150:230, 148:153] = True
    longer = middle_lengths(branched).sum() - middle_lengths(bar).sum()
    assert longer == pytest.approx(80, rel=0.06)
    bumpy = bar.copy()
    bumpy[143:148, 100:103] = bumpy[154:157, 180:184] = True
    assert middle_lengths(bumpy).sum() == pytest.approx(middle_lengths(bar).sum(), rel=0.03)


def test_a_window_sees_of_a_line_what_the_whole_sees() -> None:
    bar = line(220, 7, 63)
    whole = middle_lengths(bar)
    window = middle_lengths(bar[90:210])
    np.testing.assert_array_equal(window[30:90], whole[120:180])
    assert whole[120:180].any()


def test_a_dot_is_as_long_as_wide() -> None:
    dot = np.zeros((5, 5), bool)
    dot[2, 2] = True
    assert middle_lengths(dot).sum() == 1
