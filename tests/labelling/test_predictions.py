import numpy as np
import pytest

from pixelwise.labelling.features import measure_pixels
from pixelwise.labelling.head import Head
from pixelwise.labelling.net_prediction import NetPrediction
from pixelwise.labelling.photo_features import PhotoFeatures
from pixelwise.labelling.predictions import HeadPrediction, predict_window
from pixelwise.labelling.rasterise import Box

from .fake_features import extract_colours


def prediction(level: int = 0) -> HeadPrediction:
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 255, (70, 101, 3), np.uint8)
    features = PhotoFeatures({1: measure_pixels(rgb), **extract_colours(rgb)}, level)
    weights = rng.normal(size=(524, 3)).astype(np.float32)
    return HeadPrediction(features, Head(weights, np.float32([0, 0.1, 0]), (4, 7, 9)))


def test_a_window_is_the_part_of_the_whole() -> None:
    whole = prediction().window(Box(0, 0, 70, 101))
    assert set(np.unique(whole.labels)) <= {4, 7, 9}
    for box in (Box(0, 0, 10, 20), Box(33, 51, 37, 50), Box(69, 100, 1, 1)):
        part = prediction().window(box)
        assert np.array_equal(part.labels, whole.labels[box.window])
        assert np.array_equal(part.confidence, whole.confidence[box.window])


def test_vectors_of_single_pixels_get_the_labels_of_the_picture() -> None:
    model = prediction()
    rows, columns = np.mgrid[5:65:3, 5:95:3].reshape(2, -1)
    vectors = model._features.at(rows, columns)
    labels = np.array(model.head.keys)[model.head.logits(vectors).argmax(axis=1)]
    picture = model.window(Box(0, 0, 70, 101)).labels[rows, columns]
    # maps are enlarged step by step in the one and at once in the other
    assert (labels == picture).mean() > 0.97


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2])
def test_a_window_of_any_level_has_its_size_and_its_place(shift: int) -> None:
    labels = np.arange(8 * 12, dtype=np.uint8).reshape(8, 12)
    net = NetPrediction(labels, labels, 2)
    step = 2.0**shift
    window = predict_window(net, 2 + shift, Box(1, 1, 1, 2))
    row = int(step)
    assert window.labels.tolist() == [[labels[row, row], labels[row, int(2 * step)]]]
