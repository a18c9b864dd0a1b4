"""Scores and their intervals beside scikit-learn, torchmetrics and brute force."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from pixelwise.classes import VOID
from pixelwise.metrics.bootstrap import PerImage, bootstrap, paired_bootstrap
from pixelwise.metrics.confusion import ConfusionMatrix

CLASSES = 6
PIXELS = 500


def pictures(seed: int, count: int = 12) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random truth with void and prediction, class 5 in neither, class 4 only predicted."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, (count, 20, 30)).astype(np.uint8)
    labels = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, 5, truth.shape)).astype(
        np.uint8
    )
    truth[rng.random(truth.shape) < 0.1] = VOID
    return list(zip(truth, labels, strict=True))


def counted(
    pairs: list[tuple[np.ndarray, np.ndarray]], classes: int = CLASSES
) -> tuple[ConfusionMatrix, PerImage]:
    confusion = ConfusionMatrix(classes)
    images = PerImage(classes)
    for truth, labels in pairs:
        images.add(confusion.update(torch.from_numpy(truth), torch.from_numpy(labels)))
    return confusion, images


def same_as_sklearn(pairs: list[tuple[np.ndarray, np.ndarray]], classes: int) -> None:
    scores = counted(pairs, classes)[0].scores()
    truth = np.concatenate([t.ravel() for t, _ in pairs])
    labels = np.concatenate([p.ravel() for _, p in pairs])[truth != VOID]
    truth = truth[truth != VOID]
    seen = sorted(set(truth.tolist()) | set(labels.tolist()))
    of = {"labels": seen, "average": None, "zero_division": 0.0}
    np.testing.assert_allclose(scores.iou[seen], sk.jaccard_score(truth, labels, **of))
    np.testing.assert_allclose(scores.dice[seen], sk.f1_score(truth, labels, **of))
    for ours, theirs in ((scores.precision, sk.precision_score), (scores.recall, sk.recall_score)):
        np.testing.assert_allclose(np.nan_to_num(ours[seen]), theirs(truth, labels, **of))
    assert scores.pixel_accuracy == pytest.approx(sk.accuracy_score(truth, labels))
    assert scores.mean_iou == pytest.approx(np.mean(sk.jaccard_score(truth, labels, **of)))
    assert np.isnan(scores.iou[[c for c in range(classes) if c not in seen]]).all()


@pytest.mark.parametrize("seed", range(4))
def test_figures_with_void_and_absent_classes_are_those_of_scikit_learn(seed: int) -> None:
    same_as_sklearn(pictures(seed), CLASSES)


def test_iou_is_that_of_torchmetrics() -> None:
    from torchmetrics.functional import jaccard_index

    pairs = pictures(9)
    truth = torch.from_numpy(np.stack([t for t, _ in pairs])).long()
    labels = torch.from_numpy(np.stack([p for _, p in pairs])).long()
    options = {"task": "multiclass", "num_classes": CLASSES, "ignore_index": VOID}
    theirs = jaccard_index(labels, truth, average="none", **options).numpy()
    ours = counted(pairs)[0].scores().iou
    np.testing.assert_allclose(
        np.nan_to_num(ours), theirs, rtol=1e-6
    )  # theirs has 0 for an absent class


def test_real_masks_moved_by_a_few_pixels_score_as_in_scikit_learn(real_data: Path) -> None:
    from pixelwise.datasets.open_dataset import open_dataset

    dataset = open_dataset(real_data / "camvid")
    truths = [dataset.read_labels(pair.mask) for pair in dataset.pairs("val")[:4]]
    pairs = [
        (truth, np.where((moved := np.roll(truth, 5, 1)) == VOID, 0, moved).astype(np.uint8))
        for truth in truths
    ]
    same_as_sklearn(pairs, len(dataset.classes))


def test_the_interval_is_that_of_drawing_images_by_hand() -> None:
    pairs = pictures(3)
    mean, by_class = bootstrap(counted(pairs)[1], rounds=200, seed=7)
    rng = np.random.default_rng(7)
    draws = []
    for weights in rng.multinomial(len(pairs), np.full(len(pairs), 1 / len(pairs)), 200):
        chosen = np.repeat(np.arange(len(pairs)), weights)
        draws.append(counted([pairs[at] for at in chosen])[0].scores().mean_iou)
    np.testing.assert_allclose(mean, np.quantile(draws, [0.025, 0.975]))
    assert np.isnan(by_class[:, 5]).all()
    assert mean[0] < counted(pairs)[0].scores().mean_iou < mean[1]


def test_the_interval_holds_the_true_score_about_as_often_as_it_says() -> None:
    """Images of known quality: the interval of 25 of them covers the score of very many in 95 % of
    trials, about.
    """
    rng = np.random.default_rng(0)

    def drawn(count: int) -> PerImage:
        images = PerImage(2)
        for quality in rng.beta(8, 2, count):
            right = int(500 * quality)
            images.add(np.array([[500, 500 - right, 0], [500 - right, right, 0]]))
        return images

    pooled = drawn(20_000).counts().sum(0).astype(float)
    truth = float((pooled[0] / (pooled[1] + pooled[2] - pooled[0])).mean())
    trials = [bootstrap(drawn(25), rounds=200, seed=seed)[0] for seed in range(150)]
    covered = np.mean([low <= truth <= high for low, high in trials])
    assert 0.87 <= covered <= 0.99


def test_an_image_that_is_all_void_has_no_score_of_its_own() -> None:
    void = np.full((4, 4), VOID, np.uint8)
    images = counted([(void, np.zeros((4, 4), np.uint8)), *pictures(1, 2)])[1]
    assert np.isnan(images.mean_iou()).tolist() == [True, False, False]


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
    right, true, predicted = counts.sum(0).tolist()
    known = [(r, t + s - r) for r, t, s in zip(right, true, predicted, strict=True) if t + s]
    return sum(r / union for r, union in known) / len(known)


def test_the_interval_is_that_of_drawing_both_models_by_hand() -> None:
    rng = np.random.default_rng(4)
    counts = two_models(rng, 9, 0.05)
    counts[..., 1] = 0  # class 1 is absent
    counts[0, :3, 2, 1] = 7  # and the first model takes pixels for it in three images
    mean, classes = paired_bootstrap(counts, rounds=300, seed=5)
    weights = np.random.default_rng(5).multinomial(9, np.full(9, 1 / 9), 300)
    draws = []
    for weight in weights:
        chosen = np.repeat(np.arange(9), weight)
        draws.append(mean_iou(counts[0][chosen]) - mean_iou(counts[1][chosen]))
    assert mean.value == pytest.approx(mean_iou(counts[0]) - mean_iou(counts[1]))
    assert (mean.low, mean.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])))
    assert mean.sign_flips == pytest.approx(np.mean(np.array(draws) * mean.value <= 0))
    assert classes[0].value > 0
    assert np.isnan([classes[1].value, classes[1].low, classes[1].sign_flips]).all()
    assert not classes[1].significant


@pytest.mark.parametrize("lead", [0.0, 0.01])
def test_the_interval_holds_the_true_difference_about_as_often_as_it_says(lead: float) -> None:
    """Also: where there is no difference, one is said to be shown in about 5 % of trials, not
    more.
    """
    rng = np.random.default_rng(1)
    many = two_models(rng, 200_000, lead)
    truth = mean_iou(many[0]) - mean_iou(many[1])
    trials = [
        paired_bootstrap(two_models(rng, 40, lead), rounds=300, seed=seed)[0] for seed in range(250)
    ]
    covered = np.mean([trial.low <= truth <= trial.high for trial in trials])
    assert 0.9 <= covered <= 0.985
    if lead == 0:
        assert 0.01 <= np.mean([trial.significant for trial in trials]) <= 0.1


def test_what_makes_an_image_hard_for_both_cancels() -> None:
    counts = two_models(np.random.default_rng(2), 60, 0.02)
    together = paired_bootstrap(counts)[0]
    apart = paired_bootstrap(np.stack([counts[0], counts[1][::-1]]))[0]
    assert together.value == pytest.approx(apart.value)
    assert together.high - together.low < (apart.high - apart.low) / 3
    assert together.significant
    assert not apart.significant


def test_more_comparisons_widen_the_interval_of_the_mean_alone() -> None:
    counts = two_models(np.random.default_rng(3), 50, 0.01)
    one, class_of_one = paired_bootstrap(counts)
    five, class_of_five = paired_bootstrap(counts, comparisons=5)
    assert five.low < one.low < one.high < five.high
    assert class_of_one == class_of_five


def test_a_model_is_not_better_than_itself_and_one_image_says_nothing() -> None:
    counts = two_models(np.random.default_rng(3), 50, 0.02)
    same = paired_bootstrap(counts[[0, 0]])[0]
    assert (same.value, same.low, same.high, same.significant) == (0, 0, 0, False)
    single = paired_bootstrap(counts[:, :1])[0]
    assert single.value > 0
    assert np.isnan(single.low)
    assert not single.significant
