import numpy as np
import pytest

from pixelwise.metrics.confusion import Scores
from pixelwise.metrics.tree_scores import score_parents


def test_a_parent_is_scored_as_if_its_classes_were_one() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 5000)
    labels = np.where(rng.random(5000) < 0.5, truth, rng.integers(0, 5, 5000))  # 4: none of them
    counts = np.zeros((4, 5), np.int64)
    np.add.at(counts, (truth, labels), 1)
    scores = Scores(counts, 1, 0.0)
    (row,) = score_parents(scores, ("a", "b", "c", "d"), (("ac", ("a", "c")),))
    true = np.isin(truth, [0, 2])
    predicted = np.isin(labels, [0, 2])
    both = (true & predicted).sum()
    assert row.iou == pytest.approx(both / (true | predicted).sum())
    assert row.precision == pytest.approx(both / predicted.sum())
    assert row.recall == pytest.approx(both / true.sum())
    assert row.as_dict()["classes"] == ["a", "c"]
    with pytest.raises(ValueError, match="each class must be in one group"):
        scores.joined([[0, 1], [1, 2, 3]])
