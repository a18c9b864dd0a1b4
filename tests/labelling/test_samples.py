import numpy as np

from pixelwise.labelling.features import measure_pixels
from pixelwise.labelling.photo_features import PhotoFeatures
from pixelwise.labelling.samples import MAX_VECTORS, SampleStore
from pixelwise.labelling.strokes import UNLABELLED, Stroke

from .fake_features import extract_colours

SIZE = (60, 80)
TABLE = np.arange(256, dtype=np.uint8)
RGB = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
FEATURES = PhotoFeatures({1: measure_pixels(RGB), **extract_colours(RGB)}, 0)


def store_of(*strokes: Stroke) -> tuple[SampleStore, np.ndarray]:
    store = SampleStore()
    labels = np.full(SIZE, UNLABELLED, np.uint8)
    for number, stroke in enumerate(strokes):
        stroke.paint(labels)
        store.add("a", number, stroke, SIZE, FEATURES)
    store.refresh("a", labels, range(len(strokes)))
    return store, labels


def line(label: int, row: float, end: float = 70) -> Stroke:
    return Stroke("brush", label, ((5.0, row), (end, row)), 3)


def test_a_long_stroke_does_not_drown_a_dot() -> None:
    store, _ = store_of(line(0, 10), Stroke("brush", 1, ((20.5, 40.5),), 0))
    data = store.training_set(TABLE)
    assert data is not None
    assert [int((data.keys == key).sum()) for key in (0, 1)] == [24, 1]
    weights = [float(data.weights[data.keys == key].sum()) for key in (0, 1)]
    assert weights[0] / weights[1] < 3


def test_pixels_have_the_label_that_was_painted_last() -> None:
    store, labels = store_of(line(0, 10), line(1, 40), line(1, 10))
    data = store.training_set(TABLE)
    assert data is not None
    assert (data.keys[data.strokes == 0] == 1).all()
    Stroke("brush", UNLABELLED, ((5.0, 40), (70, 40)), 5).paint(labels)
    store.refresh("a", labels, range(3))
    assert store.training_set(TABLE) is None


def test_strokes_that_are_taken_back_do_not_count() -> None:
    store, labels = store_of(line(0, 10), line(1, 40), line(2, 50))
    store.refresh("a", labels, [0, 1])
    data = store.training_set(TABLE)
    assert data is not None
    assert set(data.strokes) == {0, 1}
    assert not store.has("a", 2)


def test_merged_classes_are_one() -> None:
    store, _ = store_of(line(0, 10), line(1, 40))
    table = TABLE.copy()
    table[1] = 0
    assert store.training_set(table) is None


def test_thousands_of_strokes_give_no_more_vectors_than_hundreds() -> None:
    dots = [Stroke("brush", n % 2, ((n % 79 + 0.5, n % 59 + 0.5),), 2) for n in range(900)]
    store, _ = store_of(*dots)
    data = store.training_set(TABLE)
    assert data is not None
    assert MAX_VECTORS / 2 < len(data) <= MAX_VECTORS
    assert len(set(data.strokes)) > 700
