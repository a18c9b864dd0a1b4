import numpy as np
import torch

from pixelwise.training.tasks import MULTILABEL, ONE_CLASS

LOGITS = torch.tensor([[[[3.0, -1.0]], [[2.0, -2.0]]]])  # (1, 2, 1, 2)


def test_one_class_is_the_highest_and_several_are_those_above_a_half() -> None:
    assert ONE_CLASS.decide(LOGITS).tolist() == [[[0, 0]]]
    assert MULTILABEL.decide(LOGITS).int().tolist() == [[[[1, 0]], [[1, 0]]]]


def test_each_task_counts_what_it_decides() -> None:
    labels = torch.tensor([[[0, 1]]])
    one = ONE_CLASS.make_counts(2)
    one.update(labels, ONE_CLASS.decide(LOGITS))
    np.testing.assert_allclose(one.scores().iou, [0.5, 0])
    layers = torch.tensor([[[[1, 0]], [[1, 1]]]])
    several = MULTILABEL.make_counts(2)
    several.update(layers, MULTILABEL.decide(LOGITS))
    np.testing.assert_allclose(several.scores().iou, [1, 0.5])
