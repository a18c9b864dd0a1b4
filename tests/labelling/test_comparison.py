import numpy as np

from pixelwise.labelling.comparison import compare_strokes


def test_a_network_that_is_right_more_often_is_better_beyond_doubt() -> None:
    rng = np.random.default_rng(0)
    live = {number: float(rng.uniform(0.4, 0.7)) for number in range(40)}
    network = {number: share + 0.2 for number, share in live.items()}
    comparison = compare_strokes(network, live)
    assert comparison is not None
    assert comparison.low > 0.19
    assert comparison.strokes == 40
    worse = compare_strokes(live, network)
    assert worse is not None
    assert worse.high < -0.19


def test_equal_models_are_not_told_apart_and_few_strokes_tell_nothing() -> None:
    rng = np.random.default_rng(0)
    one = {number: float(rng.random()) for number in range(30)}
    other = {number: float(rng.random()) for number in range(5, 40)}
    comparison = compare_strokes(one, other)
    assert comparison is not None
    assert comparison.low < 0 < comparison.high
    assert comparison.strokes == 25
    assert compare_strokes(one, dict.fromkeys(range(11), 1.0)) is None
