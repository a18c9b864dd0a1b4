import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.classes import VOID
from pixelwise.metrics.confusion import ConfusionMatrix


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**31), st.integers(1, 300), st.booleans())
def test_every_figure_equals_a_brute_force_count(
    classes: int, seed: int, pixels: int, other: bool
) -> None:
    rng = np.random.default_rng(seed)
    target = rng.choice([*range(classes), VOID], pixels)
    labels = rng.choice([*range(classes), *([VOID] if other else [])], pixels)
    confusion = ConfusionMatrix(classes)
    for part in np.array_split(np.arange(pixels), 3):
        confusion.update(torch.from_numpy(target[part]), torch.from_numpy(labels[part]))
    scores = confusion.scores()
    counted = [(t, p) for t, p in zip(target, labels, strict=True) if t != VOID]
    ious = []
    dices = []
    recalls = []
    weighted = 0.0
    for c in range(classes):
        both = sum(t == c and p == c for t, p in counted)
        true = sum(t == c for t, _ in counted)
        result = sum(p == c for _, p in counted)
        iou = both / (true + result - both) if true + result else np.nan
        ious.append(iou)
        dices.append(2 * both / (true + result) if true + result else np.nan)
        recalls += [both / true] if true else []
        weighted += true * iou / len(counted) if true else 0
    assert np.allclose(scores.iou, ious, equal_nan=True)
    assert np.allclose(scores.dice, dices, equal_nan=True)
    assert scores.void_fraction == pytest.approx(1 - len(counted) / pixels)
    if counted:
        assert scores.mean_iou == pytest.approx(np.nanmean(ious))
        assert scores.mean_accuracy == pytest.approx(np.mean(recalls))
        assert scores.pixel_accuracy == pytest.approx(
            sum(t == p for t, p in counted) / len(counted)
        )
        assert scores.frequency_weighted_iou == pytest.approx(weighted)


def test_absent_classes_are_null_and_left_out_of_the_mean() -> None:
    confusion = ConfusionMatrix(3)
    confusion.update(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]))
    result = confusion.scores().as_dict(("a", "b", "c"))
    assert result["iou"] == {"a": 0.5, "b": 0.5, "c": None}
    assert result["mean_iou"] == 0.5


def test_no_pixel_at_all_gives_null_and_no_warning() -> None:
    result = ConfusionMatrix(2).scores().as_dict(("a", "b"))
    assert result["mean_iou"] is None
    assert result["pixel_accuracy"] is None
    assert result["void_fraction"] == 0


def test_scores_say_what_they_are_in_a_line() -> None:
    confusion = ConfusionMatrix(2)
    confusion.update(torch.tensor([[0, 0, 1, 1]]), torch.tensor([[0, 1, 1, 1]]))
    assert repr(confusion.scores()) == (
        "<Scores of 1 images: mean IoU 0.5833, pixel accuracy 0.7500; IoU by class 0.500 0.667>"
    )
