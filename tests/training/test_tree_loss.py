from dataclasses import replace

import pytest
import torch

from pixelwise.classes import VOID, Classes
from pixelwise.training.losses import cross_entropy, make_loss
from pixelwise.training.tree_loss import add_levels, find_levels, join_logits

TREE = (("moving", ("vehicle", "person")), ("vehicle", ("car", "bus")))
CLASSES = replace(Classes.named(("road", "car", "bus", "person")), tree=TREE)


def test_levels_rise_from_the_classes() -> None:
    assert find_levels(CLASSES) == [(0, 1, 1, 2), (0, 1, 1, 1)]
    assert find_levels(Classes.named(("a", "b"))) == []


def test_a_group_has_the_share_of_its_classes() -> None:
    logits = torch.randn(2, 4, 5, 6, generator=torch.Generator().manual_seed(0)) * 4
    joined = join_logits(logits, torch.tensor([0, 1, 1, 2])).softmax(1)
    shares = logits.softmax(1)
    assert torch.allclose(joined[:, 1], shares[:, 1] + shares[:, 2], atol=1e-6)
    assert torch.allclose(joined[:, 2], shares[:, 3], atol=1e-6)
    far = torch.tensor([0.0, -2e4, -3e4])[None, :, None, None]
    assert join_logits(far, torch.tensor([0, 1, 1])).isfinite().all()


def test_the_levels_are_added() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 5, 6, generator=generator, requires_grad=True)
    target = torch.randint(0, 4, (2, 5, 6), generator=generator)
    target[0, 0] = VOID
    plain = make_loss("cross_entropy")
    loss = add_levels(plain, "cross_entropy", find_levels(CLASSES), 0.5)
    expected = cross_entropy(logits, target)
    for groups in ((0, 1, 1, 2), (0, 1, 1, 1)):
        table = torch.tensor([*groups, *[VOID] * 252])
        level = cross_entropy(join_logits(logits, torch.tensor(groups)), table[target])
        expected = expected + 0.5 * level
    value = loss(logits, target)
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    value.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert not logits.grad[0, :, 0].any(), "void teaches nothing"
