"""Each loss against its definition, written with loops or taken from an independent formula."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.classes import VOID
from pixelwise.errors import ConfigError
from pixelwise.training.losses import (
    LOSSES,
    boundary,
    class_weights,
    cross_entropy,
    dice,
    focal,
    lovasz,
    make_loss,
    ohem,
    tversky,
)


def batch(
    seed: int, *, classes: int = 4, void: float = 0.2, side: int = 7
) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0, 2, (2, classes, side, side + 1)).astype(np.float32))
    target = torch.from_numpy(rng.integers(0, classes, (2, side, side + 1)))
    target[torch.from_numpy(rng.random(target.shape) < void)] = VOID
    return logits, target


def kept(logits: torch.Tensor, target: torch.Tensor) -> list[tuple[np.ndarray, int]]:
    """(shares (C,), true class) of every pixel that counts, by hand."""
    rows = []
    for n, y, x in np.ndindex(*target.shape):
        if target[n, y, x] != VOID:
            e = np.exp(logits[n, :, y, x].double().numpy())
            rows.append((e / e.sum(), int(target[n, y, x])))
    return rows


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_that_is_all_void_gives_zero_and_a_zero_gradient(name: str) -> None:
    logits = torch.randn(2, 3, 5, 5, requires_grad=True)
    loss = LOSSES[name](logits, torch.full((2, 5, 5), VOID))
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("name", LOSSES)
def test_what_stands_at_void_pixels_changes_nothing(name: str) -> None:
    logits, target = batch(1)
    other = logits.clone()
    other.movedim(1, -1)[target == VOID] += 100
    torch.testing.assert_close(LOSSES[name](logits, target), LOSSES[name](other, target))


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_gradient_is_that_of_the_values(name: str, seed: int) -> None:
    logits, target = batch(seed, side=3)
    flow = logits.double().requires_grad_()

    def loss(
        x: torch.Tensor,
    ) -> torch.Tensor:  # in float64, which `.float()` inside the losses would undo
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.Tensor, "float", torch.Tensor.double)
            return LOSSES[name](x, target)

    assert torch.autograd.gradcheck(loss, (flow,), eps=1e-6, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.1]))
def test_cross_entropy_is_the_weighted_mean_of_minus_log_shares(
    seed: int, smoothing: float
) -> None:
    logits, target = batch(seed)
    weight = torch.tensor([0.5, 1.0, 2.0, 4.0])
    rows = kept(logits, target)
    w = weight.double().numpy()
    total = sum(
        (1 - smoothing) * w[label] * -math.log(share[label])
        + smoothing / 4 * float(w @ -np.log(share))
        for share, label in rows
    )
    expected = total / sum(w[label] for _, label in rows)
    found = cross_entropy(logits, target, weight=weight, smoothing=smoothing)
    assert float(found) == pytest.approx(expected, rel=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_tversky_and_dice_are_their_formulas_over_the_classes_there_are(seed: int) -> None:
    logits, target = batch(seed)
    target[target == 2] = VOID  # a class that is predicted but never there
    rows = kept(logits, target)
    for alpha, beta, loss in ((0.3, 0.7, tversky), (0.5, 0.5, dice)):
        losses = []
        for label in {truth for _, truth in rows}:
            hit = sum(share[label] for share, truth in rows if truth == label)
            false = sum(share[label] for share, truth in rows if truth != label)
            missed = sum(1 - share[label] for share, truth in rows if truth == label)
            losses.append(1 - hit / (hit + alpha * false + beta * missed))
        assert float(loss(logits, target)) == pytest.approx(np.mean(losses), rel=1e-5)


def test_dice_of_a_perfect_answer_is_zero() -> None:
    _, target = batch(3, void=0)
    logits = 50 * F.one_hot(target, 4).movedim(-1, 1).float()
    assert float(dice(logits, target)) == pytest.approx(0, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_focal_is_its_formula(seed: int) -> None:
    logits, target = batch(seed)
    expected = np.mean(
        [(1 - share[label]) ** 2 * -math.log(share[label]) for share, label in kept(logits, target)]
    )
    assert float(focal(logits, target)) == pytest.approx(expected, rel=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.01, 0.3, 0.9]))
def test_ohem_is_the_mean_of_the_hard_pixels(seed: int, share: float) -> None:
    logits, target = batch(seed)
    losses = sorted((-math.log(s[label]) for s, label in kept(logits, target)), reverse=True)
    hard = [loss for loss in losses if loss > -math.log(share)]
    wanted = math.ceil(len(losses) / 16)
    chosen = hard if len(hard) >= wanted else losses[:wanted]
    assert float(ohem(logits, target, share=share)) == pytest.approx(np.mean(chosen), rel=1e-4)


def test_boundary_counts_pixels_near_another_class_more() -> None:
    """Columns 0..9, classes change between 4 and 5: with reach 2, columns 3 to 6 are near; void is
    no other class.
    """
    target = torch.zeros(1, 6, 10, dtype=torch.long)
    target[:, :, 5:] = 1
    target[:, 0] = VOID
    logits = torch.randn(1, 2, 6, 10, generator=torch.Generator().manual_seed(0))
    losses = F.cross_entropy(logits, target.masked_fill(target == VOID, 0), reduction="none")
    weight = torch.ones(1, 6, 10)
    weight[:, :, 3:7] = 5
    weight[:, 0] = 0
    expected = (losses * weight).sum() / weight.sum()
    torch.testing.assert_close(boundary(logits, target, reach=2, extra=4), expected)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_lovasz_of_hard_answers_is_one_minus_the_mean_iou(seed: int) -> None:
    """On answers of 0 and 1 the extension equals the set function it extends (Berman et al.,
    section 2.2).
    """
    logits, target = batch(seed)
    hard = 200 * F.one_hot(logits.argmax(1), 4).movedim(-1, 1).float()
    rows = [(int(share.argmax()), label) for share, label in kept(hard, target)]
    losses = []
    for c in {label for _, label in rows}:
        both = sum(found == c == label for found, label in rows)
        either = sum(c in (found, label) for found, label in rows)
        losses.append(1 - both / either)
    assert float(lovasz(hard, target)) == pytest.approx(np.mean(losses), abs=1e-5)


def test_lovasz_of_a_random_part_is_near_that_of_all_pixels() -> None:
    logits, target = batch(5, side=60, void=0)
    whole = lovasz(logits, target)
    part = lovasz(logits, target, pixels=4000)
    assert float(part) != float(whole)
    assert float(part) == pytest.approx(float(whole), rel=0.05)


def test_a_sum_of_losses_is_read_from_its_text() -> None:
    logits, target = batch(2)
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0])
    found = make_loss("0.5 * cross_entropy + 2*dice+focal", weight=weight, smoothing=0.1)(
        logits, target
    )
    expected = (
        0.5 * cross_entropy(logits, target, weight=weight, smoothing=0.1)
        + 2 * dice(logits, target)
        + focal(logits, target)
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "text", ["", "dise", "cross_entropy +", "0 * dice", "-1 * dice", "x * dice", "nan * dice"]
)
def test_a_text_that_is_no_sum_of_losses_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="loss"):
        make_loss(text)


def test_class_weights_are_their_formulas() -> None:
    pixels = torch.tensor([800, 150, 50, 0])
    seen = torch.tensor([1000, 500, 1000, 0])
    p = np.array([0.8, 0.15, 0.05])
    log = 1 / np.log(1.02 + p)
    found = class_weights("inverse_log", pixels, seen)
    assert found is not None
    assert found.tolist() == pytest.approx([*(log / log.mean()), 1.0], rel=1e-5)
    frequency = np.array([0.8, 0.3, 0.05])
    median = 0.3 / frequency
    found = class_weights("median", pixels, seen)
    assert found is not None
    assert found.tolist() == pytest.approx([*(median / median.mean()), 1.0], rel=1e-5)
    assert class_weights("none", pixels, seen) is None
    with pytest.raises(ConfigError, match="inverse_log"):
        class_weights("some", pixels, seen)


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
