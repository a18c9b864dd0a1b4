"""The loss at each level of the classes' tree."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pixelwise.classes import VOID, Classes, ClassTree
from pixelwise.training.losses import Loss, make_loss

# The least share of what is above classes, so that its logarithm is a number.
_LEAST = 1e-30


def find_levels(classes: Classes) -> list[tuple[int, ...]]:
    """For each level above the classes, the lowest first, the group that each class is in; a class
    with nothing above it is a group of its own.
    """
    parents = _find_parents(classes.tree)
    names = list(classes.names)
    levels = list[tuple[int, ...]]()
    while any(name in parents for name in names):
        names = [parents.get(name, name) for name in names]
        order = list(dict.fromkeys(names))
        levels.append(tuple(order.index(name) for name in names))
    return levels


def join_logits(logits: Tensor, groups: Tensor) -> Tensor:
    """(N, G, H, W) of logits (N, C, H, W): their softmax is the sum of that of each group's
    classes; `groups` (C,).
    """
    top = logits.amax(1, keepdim=True)
    count = int(groups.max()) + 1
    sums = logits.new_zeros(len(logits), count, *logits.shape[2:])
    sums = sums.index_add(1, groups, (logits - top).exp())
    return sums.clamp(min=_LEAST).log() + top


def add_levels(loss: Loss, text: str, levels: Sequence[tuple[int, ...]], weight: float) -> Loss:
    """`loss` plus `weight` times that of `text` at each of the levels, where a group counts as one
    class, as the regions of nnU-Net do (Isensee et al. 2021) and the levels of Bertinetto et al.
    2020, "Making better mistakes", equation 2.
    """
    coarse = make_loss(text)
    tables = [torch.tensor([*groups, *[VOID] * (256 - len(groups))]) for groups in levels]

    def total(logits: Tensor, target: Tensor) -> Tensor:
        value = loss(logits, target)
        scores = logits.float()
        for groups, table in zip(levels, tables, strict=True):
            own = torch.tensor(groups, device=logits.device)
            joined = coarse(join_logits(scores, own), table.to(target.device)[target])
            value = value + weight * joined
        return value

    return total


def _find_parents(tree: ClassTree) -> dict[str, str]:
    return {member: parent for parent, members in tree for member in members}
