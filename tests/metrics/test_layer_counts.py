import numpy as np
import pytest
import torch

from pixelwise.metrics.layer_counts import LayerCounts

TRUTH = torch.tensor([[[1, 1, 0, 255]], [[0, 0, 1, 0]], [[0, 0, 0, 0]]])
LAYERS = torch.tensor([[[1, 0, 1, 1]], [[0, 0, 1, 0]], [[0, 0, 0, 0]]])


def test_figures_are_those_counted_by_hand() -> None:
    counts = LayerCounts(3)
    added = counts.update(TRUTH, LAYERS)
    assert added.tolist() == [[1, 1, 0], [2, 1, 0], [2, 1, 0], [3, 4, 4]]
    scores = counts.scores()
    np.testing.assert_allclose(scores.iou, [1 / 3, 1, np.nan])
    np.testing.assert_allclose(scores.dice, [0.5, 1, np.nan])
    np.testing.assert_allclose(scores.precision, [0.5, 1, np.nan])
    np.testing.assert_allclose(scores.recall, [0.5, 1, np.nan])
    assert scores.mean_iou == pytest.approx(2 / 3)
    assert scores.pixel_accuracy == pytest.approx(9 / 11)
    assert scores.void_fraction == pytest.approx(1 / 12)


def test_batches_and_merged_counts_are_the_same() -> None:
    batch, one = LayerCounts(3), LayerCounts(3)
    batch.update(torch.stack([TRUTH, TRUTH]), torch.stack([LAYERS, LAYERS]), images=2)
    one.update(TRUTH, LAYERS)
    other = LayerCounts(3)
    other.update(TRUTH, LAYERS)
    one.merge(other)
    assert (one.counts == batch.counts).all()
    assert (one.images, one.pixels) == (batch.images, batch.pixels)


def test_absent_classes_are_null_in_json_and_shown_in_a_notebook() -> None:
    counts = LayerCounts(3)
    counts.update(TRUTH, LAYERS)
    scores = counts.scores()
    assert scores.as_dict(("a", "b", "c"))["iou"] == {"a": 0.333333, "b": 1.0, "c": None}
    assert "<th>&lt;a&gt;</th><td>0.3333" in scores.as_html(("<a>", "b", "c"))
