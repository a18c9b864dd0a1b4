import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.classes import VOID, Classes, read_labels, softmax, top_labels, voc_colormap
from pixelwise.errors import DataError
from pixelwise.metrics.confusion import ConfusionMatrix
from pixelwise.training.losses import cross_entropy


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


def test_void_pixels_do_not_move_the_loss() -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    target = torch.randint(0, 3, (1, 4, 4))
    target[0, :2] = VOID
    by_hand = -logits.log_softmax(1)[0, :, 2:].gather(0, target[:, 2:])[0].mean()
    loss = cross_entropy(logits, target)
    assert torch.allclose(loss, by_hand)
    loss.backward()
    assert logits.grad is not None
    assert not logits.grad[0, :, :2].any()


def test_an_all_void_batch_has_zero_loss_and_a_gradient() -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = cross_entropy(logits, torch.full((1, 2, 2), VOID))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.isnan().any()


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
        found = sum(p == c for _, p in counted)
        iou = both / (true + found - both) if true + found else np.nan
        ious.append(iou)
        dices.append(2 * both / (true + found) if true + found else np.nan)
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
    found = confusion.scores().as_dict(("a", "b", "c"))
    assert found["iou"] == {"a": 0.5, "b": 0.5, "c": None}
    assert found["mean_iou"] == 0.5


def test_no_pixel_at_all_gives_null_and_no_warning() -> None:
    found = ConfusionMatrix(2).scores().as_dict(("a", "b"))
    assert found["mean_iou"] is None
    assert found["pixel_accuracy"] is None
    assert found["void_fraction"] == 0


@pytest.mark.parametrize("names", [(), ("a", "a"), tuple(map(str, range(256)))])
def test_impossible_class_lists_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(DataError):
        Classes.named(names)
