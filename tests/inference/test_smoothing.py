import numpy as np
import pytest

from pixelwise.inference.smoothing import SIMILAR, ScoredFrame, similarity, smooth_scores
from pixelwise.io.read_film import FilmFrame


def scored(number: int, grey: int, score: float, size: tuple[int, int] = (6, 8)) -> ScoredFrame:
    """A grey picture whose second class has a probability, the same everywhere."""
    rgb = np.full((*size, 3), grey, np.uint8)
    scores = np.stack([np.full(size, value, np.float32) for value in (1 - score, score)])
    return ScoredFrame(FilmFrame(number, number, rgb), scores)


@pytest.mark.parametrize("reach", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 9])
def test_a_still_picture_gets_the_mean_of_its_neighbours(reach: int, count: int) -> None:
    values = np.random.default_rng(0).random(count)
    frames = [scored(number, 100, value) for number, value in enumerate(values)]
    smoothed = list(smooth_scores(iter(frames), reach))
    assert [pair.frame.number for pair in smoothed] == list(range(count))
    for number, (_, scores) in enumerate(smoothed):
        expected = values[max(0, number - reach) : number + reach + 1].mean()
        np.testing.assert_allclose(scores[1], expected, rtol=1e-5)
        np.testing.assert_allclose(scores.sum(axis=0), 1, rtol=1e-5)


def test_a_cut_and_a_change_of_size_keep_their_own_scores() -> None:
    frames = [scored(0, 0, 0.1), scored(1, 200, 0.9), scored(2, 200, 0.9, (3, 4))]
    smoothed = list(smooth_scores(frames, 1))
    for (_, scores), value in zip(smoothed, (0.1, 0.9, 0.9), strict=True):
        np.testing.assert_allclose(scores[1], value, rtol=1e-5)


def test_what_moves_is_left_out_where_it_moves_alone() -> None:
    before = scored(0, 100, 0.0)
    after = scored(1, 100, 1.0)
    after.frame.rgb[:, :2] = 250
    first, second = smooth_scores([before, after], 1)
    np.testing.assert_allclose(first.scores[1, :, 4:], 0.5)
    np.testing.assert_allclose(second.scores[1, :, 4:], 0.5)
    np.testing.assert_allclose(second.scores[1, :, :2], 1, atol=1e-6)


def test_similarity_falls_with_the_difference_of_the_channel_that_differs_most() -> None:
    first = np.full((5, 5, 3), 100, np.uint8)
    second = first.copy()
    second[:, :, 1] -= round(SIMILAR)
    expected = np.exp(-((round(SIMILAR) / SIMILAR) ** 2))
    np.testing.assert_allclose(similarity(first, second), expected, rtol=1e-6)
    np.testing.assert_allclose(similarity(second, first), expected, rtol=1e-6)
    np.testing.assert_array_equal(similarity(first, first), 1)
