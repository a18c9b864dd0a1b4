import numpy as np

from pixelwise.labelling.folds import FOLDS, fold_of, score_folds
from pixelwise.labelling.samples import TrainingSet, fit_training_set

WIDTH = 524


def strokes(classes: int, each: int, *, is_random: bool = False) -> TrainingSet:
    """Strokes of ten pixels whose vectors lie close to each other; around their class's place, or
    anywhere.
    """
    rng = np.random.default_rng(0)
    number = np.arange(classes * each)
    keys = (number % classes).astype(np.uint8)
    places = rng.normal(size=(classes, WIDTH))[keys]
    middle = rng.normal(size=(len(number), WIDTH)) if is_random else places
    vectors = np.repeat(middle, 10, axis=0) + 0.1 * rng.normal(size=(10 * len(number), WIDTH))
    return TrainingSet(
        vectors.astype(np.float32),
        np.repeat(keys, 10),
        np.ones(10 * len(number), np.float32),
        np.repeat(number, 10),
        np.zeros(10 * len(number), int),
        ("a",),
    )


def test_what_can_be_learned_is_right_on_strokes_that_were_held_back() -> None:
    data = strokes(3, 10)
    scores = score_folds(data, fit_training_set(data, (0, 1, 2)))
    assert scores is not None
    assert scores.mean_iou > 0.95
    assert len(scores.right) == 30


def test_knowing_a_stroke_by_its_other_pixels_does_not_count() -> None:
    data = strokes(3, 20, is_random=True)
    head = fit_training_set(data, (0, 1, 2))
    assert (head.logits(data.vectors).argmax(axis=1) == data.keys).mean() > 0.9
    scores = score_folds(data, head)
    assert scores is not None
    assert np.mean(list(scores.right.values())) < 0.6
    assert scores.temperature > 1  # it was surer than it was right


def test_one_stroke_of_a_class_tells_nothing() -> None:
    data = strokes(3, 1)
    assert score_folds(data, fit_training_set(data, (0, 1, 2))) is None


def test_of_what_repeats_a_prediction_nothing_is_asked() -> None:
    data = strokes(3, 10)
    head = fit_training_set(data, (0, 1, 2))
    scores = score_folds(data, head, range(12))
    assert scores is not None
    assert sorted(scores.right) == list(range(12, 30))
    assert score_folds(data, head, range(27)) is None  # one stroke of each class is left


def test_folds_are_even_and_follow_from_the_number_alone() -> None:
    counts = np.bincount(fold_of(np.arange(5000)), minlength=FOLDS)
    assert counts.min() > 900
    assert fold_of(np.array([7]))[0] == fold_of(np.arange(10))[7]
