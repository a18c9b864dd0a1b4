import math

import numpy as np
import pytest

from pixelwise.metrics.object_matching import ALL, ObjectMap, ObjectScores, number_objects

VOID = 255
CLASSES = np.arange(256) < 3


def random_image(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ids and labels of truth, then of a prediction that is the truth, moved and changed."""
    rng = np.random.default_rng(seed)
    ids = np.zeros((24, 30), np.int32)
    labels = np.full(ids.shape, 2, np.uint8)
    for number in range(1, 9):
        row, column = rng.integers(0, 18, 2)
        place = np.s_[row : row + rng.integers(3, 9), column : column + rng.integers(3, 9)]
        ids[place] = number * 700
        labels[place] = rng.integers(0, 2)
    labels[ids == 0] = 3  # of no object
    own = np.roll(ids, rng.integers(-1, 2, 2), (0, 1))
    own_labels = np.roll(labels, rng.integers(-1, 2, 2), (0, 1))
    own[own == 700] = 0
    own[:3, :4] = 5
    own_labels[:3, :4] = 2
    labels[rng.integers(0, 20) :, 24:] = VOID
    return ids, labels, own, own_labels


def by_pixels(ids: np.ndarray, labels: np.ndarray) -> list[tuple[int, set]]:
    """(class, pixels) of each object."""
    objects: dict[tuple[int, int], set] = {}
    for place, number in np.ndenumerate(ids):
        if number and CLASSES[labels[place]]:
            objects.setdefault((int(number), int(labels[place])), set()).add(place)
    return [(label, pixels) for (_, label), pixels in objects.items()]


def brute_force(images: list, threshold: float, label: int) -> dict[str, float]:
    """Figures of one class with sets of pixels, each pair tried."""
    found = wrong = missed = 0
    total = 0.0
    for ids, labels, own, own_labels in images:
        void = {place for place, value in np.ndenumerate(labels) if value == VOID}
        truth = [pixels for kind, pixels in by_pixels(ids, labels) if kind == label]
        for kind, pixels in by_pixels(own, own_labels):
            if kind != label:
                continue
            best = 0.0
            for index, other in enumerate(truth):
                iou = len(pixels & other) / len((pixels - void) | other)
                if iou > threshold:
                    best = iou
                    del truth[index]
                    break
            found += best > 0
            total += best
            wrong += not best and len(pixels & void) <= len(pixels) / 2
        missed += len(truth)
    nan = math.nan
    return {
        "precision": found / (found + wrong) if found + wrong else nan,
        "recall": found / (found + missed) if found + missed else nan,
        "f1": 2 * found / (2 * found + wrong + missed),
        "pq": total / (found + wrong / 2 + missed / 2),
        "sq": total / found if found else nan,
        "rq": found / (found + wrong / 2 + missed / 2),
        "true": found + missed,
        "predicted": found + wrong,
    }


def score(images: list) -> ObjectScores:
    scores = ObjectScores(3)
    for ids, labels, own, own_labels in images:
        scores.update(
            number_objects(ids, labels, CLASSES),
            number_objects(own, own_labels, CLASSES),
            labels == VOID,
        )
    return scores


def test_every_figure_is_that_of_sets_of_pixels_by_brute_force() -> None:
    images = [random_image(seed) for seed in range(12)]
    scores = score(images)
    names = ("a", "b", "c")
    seen = 0
    for threshold, rows in scores.figures(names):
        for label, row in enumerate(rows[:-1]):
            expected = brute_force(images, threshold, label)
            for name in ("precision", "recall", "f1", "pq", "sq", "rq"):
                assert getattr(row, name) == pytest.approx(expected[name], nan_ok=True), name
            seen += expected["f1"] > 0
        every = rows[-1]
        assert every.name == ALL
        assert every.pq == pytest.approx(np.nanmean([row.pq for row in rows[:-1]]))
    assert seen == 4  # both classes at both thresholds
    for label, row in enumerate(scores.count_errors(names)[:-1]):
        expected = brute_force(images, 0.5, label)
        assert (row.true, row.predicted) == (expected["true"], expected["predicted"])


def test_a_perfect_prediction_has_ones_and_no_error() -> None:
    ids, labels, *_ = random_image(3)
    scores = score([(ids, labels, ids, labels)] * 2)
    for _, rows in scores.figures(("a", "b", "c")):
        assert set(rows[0][1:]) == set(rows[-1][1:]) == {1.0}
        assert all(map(math.isnan, rows[2][1:]))  # a class without objects
    every = scores.count_errors(("a", "b", "c"))[-1]
    assert (every.error, every.low, every.high) == (0, 0, 0)


def test_merging_is_as_counting_here() -> None:
    images = [random_image(seed) for seed in range(4)]
    scores = score(images[:1])
    scores.merge(score(images[1:]))
    assert scores.as_dict(("a", "b", "c")) == score(images).as_dict(("a", "b", "c"))


def test_the_json_has_the_numbers_of_each_image() -> None:
    one = ObjectMap(np.array([[1, 0, 2]]), np.array([0, 1, 1]))
    none = ObjectMap(np.array([[0, 0, 0]]), np.array([0]))
    scores = ObjectScores(2)
    scores.update(one, none, np.zeros((1, 3), bool))
    found = scores.as_dict(("a", "b"), ["photo"])
    assert found["counts_by_image"] == [{"image": "photo", "true": [0, 2], "predicted": [0, 0]}]
    b = found["counts"]["b"]
    assert b == {"true": 2, "predicted": 0, "error": -1.0, "low": None, "high": None}
    assert found["by_iou"]["0.5"]["b"]["recall"] == 0
    assert found["by_iou"]["0.5"]["a"]["recall"] is None
