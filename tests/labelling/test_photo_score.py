import numpy as np
import pytest

from pixelwise.labelling import photo_score
from pixelwise.labelling.photo_score import (
    MIN_ACCEPTED,
    MIN_LABELLED,
    AcceptedPhoto,
    extrapolate,
    score_photos,
)
from pixelwise.labelling.samples import SampleStore, TrainingSet
from pixelwise.labelling.vectors import StrokeSamples

TABLE = np.arange(256, dtype=np.uint8)
WIDTH = 524
PLACES = np.random.default_rng(5).normal(size=(2, WIDTH))


def project(
    count: int, *, noise: float, seed: int = 0, is_learnable: bool = True
) -> tuple[SampleStore, dict[str, AcceptedPhoto]]:
    """Accepted photos with a stroke of each of two classes; vectors lie around the place of their
    class, shifted by what is the photo's own.
    """
    rng = np.random.default_rng(seed)
    store = SampleStore()
    accepted = {}
    for number in range(count):
        name = f"{number:03}"
        keys = np.repeat(np.arange(2, dtype=np.uint8), 50)
        means = PLACES if is_learnable else rng.normal(size=(2, WIDTH))
        middle = means + noise * rng.normal(size=(2, WIDTH))
        vectors = (middle[keys] + 0.5 * rng.normal(size=(100, WIDTH))).astype(np.float16)
        accepted[name] = AcceptedPhoto(vectors, keys)
        strokes = {}
        for key in (0, 1):
            rows = np.flatnonzero(keys == key)[:5]
            strokes[2 * number + key] = StrokeSamples(rows, rows, vectors[rows], 2.0)
        store._strokes[name] = strokes
        store._labels[name] = {number: np.full(5, number % 2, np.uint8) for number in strokes}
    return store, accepted


def test_a_score_comes_with_its_interval_and_more_photos_give_more() -> None:
    store, accepted = project(40, noise=8.0)
    score = score_photos(store, TABLE, accepted, sorted(accepted))
    assert score is not None
    quarter, half, whole = score.curve
    assert (quarter.photos, half.photos, whole.photos) == (8, 16, 32)
    assert quarter.mean_iou < half.mean_iou < whole.mean_iou
    assert whole.low < whole.mean_iou < whole.high
    assert score.forecast is not None
    assert score.forecast.photos == 64
    assert whole.mean_iou < score.forecast.mean_iou < 1
    # what twice the photos give is nearer to what was foretold than to what is now
    store, accepted = project(80, noise=8.0)
    later = score_photos(store, TABLE, accepted, sorted(accepted))
    assert later is not None
    wrong = abs(later.score.mean_iou - score.forecast.mean_iou)
    assert wrong < 0.7 * (later.score.mean_iou - whole.mean_iou)


def test_where_nothing_can_be_learned_more_photos_promise_nothing() -> None:
    store, accepted = project(30, noise=0.0, is_learnable=False)
    score = score_photos(store, TABLE, accepted, sorted(accepted))
    assert score is not None
    assert score.score.mean_iou < 0.5  # though a fit on its own strokes knows each photo
    assert score.forecast is not None
    assert score.forecast.low < 0 < score.forecast.high


def test_no_pixel_of_a_photo_or_its_neighbours_is_in_the_fit_that_it_is_asked_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, accepted = project(20, noise=1.0)
    fitted: list[set[str]] = []
    asked: list[tuple[set[str], set[str]]] = []
    fit = photo_score.fit_training_set
    ask = photo_score._ask

    def see_fit(data: TrainingSet, keys: tuple[int, ...]) -> object:
        fitted.append({data.names[place] for place in data.photos})
        return fit(data, keys)

    def see_ask(samples, table, chosen, photos, keys):  # type: ignore[no-untyped-def]
        matrices = ask(samples, table, chosen, photos, keys)
        held = {name for name, photo in accepted.items() if any(photo is item for item in photos)}
        asked.append((held, fitted[-1]))
        return matrices

    monkeypatch.setattr(photo_score, "fit_training_set", see_fit)
    monkeypatch.setattr(photo_score, "_ask", see_ask)
    score_photos(store, TABLE, accepted, sorted(accepted))
    assert len(asked) == 5 * (1 + 2 + 4)
    for held, seen in asked:
        assert not held & seen
        assert sorted(held) == [f"{int(min(held)) + step:03}" for step in range(4)]
    assert set.union(*(held for held, _ in asked)) == set(accepted)
    for first in range(0, 35, 7):  # halves and quarters are parts of the whole, without overlap
        whole, *parts = (seen for _, seen in asked[first : first + 7])
        assert set.union(*parts[:2]) == set.union(*parts[2:]) == whole
        assert sum(map(len, parts[2:])) == len(whole)


def test_of_few_photos_nothing_is_said() -> None:
    store, accepted = project(MIN_LABELLED - 1, noise=1.0)
    score = score_photos(store, TABLE, accepted, sorted(accepted))
    assert score is not None
    assert score.forecast is None
    assert len(score.curve) == 1
    few = dict(list(accepted.items())[: MIN_ACCEPTED - 1])
    assert score_photos(store, TABLE, few, sorted(accepted)) is None
    assert score_photos(store, TABLE, accepted, sorted(accepted), lambda: False) is None


def test_a_class_that_no_other_photo_has_cannot_be_known() -> None:
    store, accepted = project(6, noise=0.1)
    keys = accepted["000"].keys.copy()
    keys[:50] = 7
    accepted["000"] = AcceptedPhoto(accepted["000"].vectors, keys)
    score = score_photos(store, TABLE, accepted, sorted(accepted))
    assert score is not None
    assert score.iou[7] == 0
    assert score.iou[1] > 0.9


def test_an_error_that_falls_as_a_power_is_foretold_exactly() -> None:
    amounts = np.array((10.0, 20.0, 40.0))
    half, whole, twice = 1 - 0.9 * amounts**-0.4
    assert extrapolate(np.array(half), np.array(whole)) == pytest.approx(twice)
    assert extrapolate(np.array(0.7), np.array(0.7)) == pytest.approx(0.7)
    assert extrapolate(np.array(0.9), np.array(0.2)) == 0
