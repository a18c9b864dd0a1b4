import numpy as np

from pixelwise.labelling.head import find_temperature, fit_head


def two_groups(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    vectors = rng.normal(size=(count, 5)).astype(np.float32) + 4 * labels[:, None]
    return vectors * np.float32([1, 10, 0.1, 1, 1]), labels


def test_groups_that_lie_apart_are_told_apart_whatever_their_scale() -> None:
    vectors, labels = two_groups(200)
    head = fit_head(vectors, labels, np.ones(200, np.float32), (3, 9))
    assert (head.logits(vectors).argmax(axis=1) == labels).mean() > 0.99
    assert head.keys == (3, 9)


def test_the_same_strokes_give_the_same_head() -> None:
    vectors, labels = two_groups(50)
    weights = np.ones(50, np.float32)
    first = fit_head(vectors, labels, weights, (0, 1))
    fit_head(vectors * 2, labels, weights, (0, 1))
    assert np.array_equal(first.weights, fit_head(vectors, labels, weights, (0, 1)).weights)


def test_what_weighs_nothing_teaches_nothing() -> None:
    vectors, labels = two_groups(100)
    wrong = labels.copy()
    wrong[:40] = 1 - wrong[:40]
    weights = np.r_[np.full(40, 1e-6), np.ones(60)].astype(np.float32)
    head = fit_head(vectors, wrong, weights, (0, 1))
    assert (head.logits(vectors).argmax(axis=1) == labels).mean() > 0.98


def test_a_boastful_model_is_cooled_until_its_confidence_is_true() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 4000)
    guess = np.where(rng.random(4000) < 0.8, labels, 1 - labels)
    logits = np.where(guess[:, None] == [0, 1], 6.0, 0.0).astype(np.float32)
    temperature = find_temperature(logits, labels, np.ones(4000, np.float32))
    # right in 80 % of cases: logit(0.8) is 1.386, so 6 is to be divided by 4.3
    assert 3.9 < temperature < 4.8
