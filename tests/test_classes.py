import numpy as np
import pytest
import torch

from pixelwise.classes import Classes, read_labels, softmax, top_labels, voc_colormap
from pixelwise.errors import DataError


def test_the_palette_is_that_of_pascal_voc() -> None:
    colours = voc_colormap(21)
    assert colours[:4] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    assert colours[15] == (192, 128, 128)
    assert colours[20] == (0, 64, 128)
    assert voc_colormap(256)[255] == (224, 224, 192)


@pytest.mark.parametrize("size", [(3, 4), (300, 500), (2, 70_000)])
def test_confidence_is_the_softmax_of_the_label(size: tuple[int, int]) -> None:
    logits = torch.randn(5, *size) * 20
    labels, confidence = read_labels(logits.numpy())
    top = logits.softmax(0).max(0)
    assert np.array_equal(labels, top.indices)
    assert np.array_equal(top_labels(logits.numpy()), labels)
    np.testing.assert_allclose(confidence, top.values, atol=1e-6)
    np.testing.assert_allclose(softmax(logits.numpy()), logits.softmax(0), atol=1e-6)


def test_of_equal_logits_the_first_class_wins() -> None:
    logits = np.zeros((255, 1, 3), np.float32)
    logits[[7, 200, 254], 0, [0, 1, 2]] = 1
    logits[9, 0, 0] = 1
    assert read_labels(logits)[0].tolist() == [[7, 200, 254]]


@pytest.mark.parametrize("names", [(), ("a", "a"), tuple(map(str, range(256)))])
def test_impossible_class_lists_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(DataError):
        Classes.named(names)
