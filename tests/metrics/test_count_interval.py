import numpy as np

from pixelwise.metrics.count_interval import CountInterval


def draw(rng: np.random.Generator, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of objects of which 15 % are missed, and some are taken for one."""
    true = rng.poisson(30 * rng.gamma(4, 0.25, images))
    return true, rng.binomial(true, 0.85) + rng.poisson(1.5, images)


def test_it_holds_the_true_number_in_95_of_100_cases_of_one_image_and_of_many() -> None:
    rng = np.random.default_rng(0)
    single = []
    together = []
    for _ in range(300):
        interval = CountInterval(*draw(rng, 25))
        true, predicted = draw(rng, 8)
        low, high = interval.of(predicted[:1])
        single.append(low <= true[0] <= high)
        low, high = interval.of(predicted)
        together.append(low <= true.sum() <= high)
    # 95 % of 300, and three standard errors
    assert np.mean(single) > 0.91
    assert 0.91 < np.mean(together) < 0.99


def test_it_mends_a_number_that_is_always_half() -> None:
    true = np.arange(20, 60, 2)
    low, high = CountInterval(true, true // 2).of(np.array([100, 50]))
    assert (low, high) == (300, 300)
