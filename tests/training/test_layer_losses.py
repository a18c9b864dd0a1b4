import pytest
import torch
import torch.nn.functional as F

from pixelwise.errors import ConfigError
from pixelwise.training.layer_losses import (
    LAYER_LOSSES,
    binary_cross_entropy,
    dice,
    make_layer_loss,
)

LOGITS = torch.tensor([[[[2.0, -1.0, 0.5]], [[-2.0, 3.0, 1.0]]]])
TARGET = torch.tensor([[[[1, 0, 255]], [[0, 1, 1]]]])


def test_cross_entropy_is_pytorchs_without_void() -> None:
    logits = torch.tensor([2.0, -1.0, -2.0, 3.0, 1.0])
    truth = torch.tensor([1.0, 0, 0, 1, 1])
    expected = F.binary_cross_entropy_with_logits(logits, truth)
    torch.testing.assert_close(binary_cross_entropy(LOGITS, TARGET), expected)


def test_weights_count_a_class_more() -> None:
    weight = torch.tensor([1.0, 0.0])
    expected = binary_cross_entropy(LOGITS[:, :1], TARGET[:, :1])
    torch.testing.assert_close(binary_cross_entropy(LOGITS, TARGET, weight=weight), expected)


def test_dice_is_by_class() -> None:
    first = torch.sigmoid(torch.tensor([2.0, -1.0]))
    second = torch.sigmoid(torch.tensor([-2.0, 3.0, 1.0]))
    by_class = [2 * first[0] / (first.sum() + 1), 2 * second[1:].sum() / (second.sum() + 2)]
    torch.testing.assert_close(dice(LOGITS, TARGET), 1 - torch.stack(by_class).mean())


@pytest.mark.parametrize("name", LAYER_LOSSES)
def test_right_logits_cost_nothing_and_void_gives_a_gradient_of_zero(name: str) -> None:
    right = torch.where(TARGET == 1, 50.0, -50.0)
    assert float(LAYER_LOSSES[name](right, TARGET)) == pytest.approx(0, abs=1e-6)
    logits = LOGITS.clone().requires_grad_()
    loss = LAYER_LOSSES[name](logits, torch.full_like(TARGET, 255))
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_a_loss_is_a_sum_and_what_needs_one_class_is_refused() -> None:
    loss = make_layer_loss("cross_entropy + 0.5 * dice")(LOGITS, TARGET)
    parts = binary_cross_entropy(LOGITS, TARGET) + 0.5 * dice(LOGITS, TARGET)
    torch.testing.assert_close(loss, parts)
    with pytest.raises(ConfigError, match="lovasz needs one class a pixel"):
        make_layer_loss("cross_entropy + lovasz")
