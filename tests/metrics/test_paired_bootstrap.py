"""Paired differences beside drawing by hand, and their intervals where the truth is known."""

import numpy as np
import pytest

from pixelwise.metrics.paired_bootstrap import paired

PIXELS = 500


def two_models(rng: np.random.Generator, images: int, lead: float) -> np.ndarray:
    """Counts (2, N, 3, 2) of models that share what makes an image hard; the first is right `lead`
    more often.
    """
    hard = rng.beta(8, 3, images)
    share = np.clip(np.stack([hard + lead, hard]) + rng.normal(0, 0.02, (2, images)), 0, 1)
    right = np.rint(PIXELS * share).astype(np.int64)
    counts = np.full((2, images, 3, 2), PIXELS, np.int64)
    counts[:, :, 0] = right[..., None]
    return counts


def mean_iou(counts: np.ndarray) -> float:
    """Of (N, 3, C), in plain numbers; a class in neither truth nor prediction is left out."""
    right, true, said = counts.sum(0).tolist()
    known = [(r, t + s - r) for r, t, s in zip(right, true, said, strict=True) if t + s]
    return sum(r / union for r, union in known) / len(known)


def test_the_interval_is_that_of_drawing_both_models_by_hand() -> None:
    rng = np.random.default_rng(4)
    counts = two_models(rng, 9, 0.05)
    counts[..., 1] = 0  # class 1 is absent
    counts[0, :3, 2, 1] = 7  # and the first model takes pixels for it in three images
    mean, classes = paired(counts, rounds=300, seed=5)
    weights = np.random.default_rng(5).multinomial(9, np.full(9, 1 / 9), 300)
    draws = []
    for weight in weights:
        chosen = np.repeat(np.arange(9), weight)
        draws.append(mean_iou(counts[0][chosen]) - mean_iou(counts[1][chosen]))
    assert mean.value == pytest.approx(mean_iou(counts[0]) - mean_iou(counts[1]))
    assert (mean.low, mean.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])))
    assert mean.flips == pytest.approx(np.mean(np.array(draws) * mean.value <= 0))
    assert classes[0].value > 0
    assert np.isnan([classes[1].value, classes[1].low, classes[1].flips]).all()
    assert not classes[1].shown


@pytest.mark.parametrize("lead", [0.0, 0.01])
def test_the_interval_holds_the_true_difference_about_as_often_as_it_says(lead: float) -> None:
    """Also: where there is no difference, one is said to be shown in about 5 % of trials, not
    more.
    """
    rng = np.random.default_rng(1)
    many = two_models(rng, 200_000, lead)
    truth = mean_iou(many[0]) - mean_iou(many[1])
    trials = [paired(two_models(rng, 40, lead), rounds=300, seed=seed)[0] for seed in range(250)]
    covered = np.mean([trial.low <= truth <= trial.high for trial in trials])
    assert 0.9 <= covered <= 0.985
    if lead == 0:
        assert 0.01 <= np.mean([trial.shown for trial in trials]) <= 0.1


def test_what_makes_an_image_hard_for_both_cancels() -> None:
    counts = two_models(np.random.default_rng(2), 60, 0.02)
    together = paired(counts)[0]
    apart = paired(np.stack([counts[0], counts[1][::-1]]))[0]
    assert together.value == pytest.approx(apart.value)
    assert together.high - together.low < (apart.high - apart.low) / 3
    assert together.shown
    assert not apart.shown


def test_more_comparisons_widen_the_interval_of_the_mean_alone() -> None:
    counts = two_models(np.random.default_rng(3), 50, 0.01)
    one, class_of_one = paired(counts)
    five, class_of_five = paired(counts, comparisons=5)
    assert five.low < one.low < one.high < five.high
    assert class_of_one == class_of_five


def test_a_model_is_not_better_than_itself_and_one_image_says_nothing() -> None:
    counts = two_models(np.random.default_rng(3), 50, 0.02)
    same = paired(counts[[0, 0]])[0]
    assert (same.value, same.low, same.high, same.shown) == (0, 0, 0, False)
    single = paired(counts[:, :1])[0]
    assert single.value > 0
    assert np.isnan(single.low)
    assert not single.shown
