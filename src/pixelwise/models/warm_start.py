"""Starting a network from another's weights: what fits is taken, by name, and classes by their
names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pixelwise.errors import ModelError
from pixelwise.models.config import ModelConfig
from pixelwise.models.decoders.fcn import FCN
from pixelwise.models.registry import build_segmenter
from pixelwise.models.segmenter import Segmenter


@dataclass(frozen=True)
class WarmStart:
    """Names of the tensors that were taken, of those of the start that have no place here, of those
    left as they were, and of the class scores that begin at zero.
    """

    taken: tuple[str, ...]
    left_out: tuple[str, ...]
    new: tuple[str, ...]
    zeroed: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{len(self.taken)} tensors taken"]
        for names, what in (
            (self.new, "new"),
            (self.zeroed, "begin at zero"),
            (self.left_out, "left out"),
        ):
            if names:
                more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                parts.append(f"{len(names)} {what} ({', '.join(names[:3])}{more})")
        return "; ".join(parts)


def warm_start(
    model: Segmenter,
    config: ModelConfig,
    classes: Sequence[str],
    *,
    state: Mapping[str, Tensor],
    known: Sequence[str],
) -> WarmStart:
    """Fill `model`, built from `config`, in place with what fits of `state`, a model that knows the
    classes `known`.

    Where the classes differ, weights of those that both know, by name, are taken, the others stay
    new. Class scores of an FCN that its start has not begin at zero, so that it starts with its
    start's predictions (Long et al. 2015, section 4.2). Raises ModelError when nothing of the
    encoder fits, naming the first tensor.
    """
    target = model.state_dict()
    axes = _class_axes(config, target) if tuple(classes) != tuple(known) else {}
    shared = [(classes.index(name), known.index(name)) for name in classes if name in known]
    taken = []
    new = []
    for name, wanted in target.items():
        found = state.get(name)
        if (
            found is not None
            and name in axes
            and _but(found, axes[name]) == _but(wanted, axes[name])
        ):
            _copy_classes(wanted, found, axes[name], shared)
        elif found is not None and found.shape == wanted.shape:
            wanted.copy_(found)
        else:
            new.append(name)
            continue
        taken.append(name)
    if not any(name.startswith("encoder.net.") for name in taken):
        first = next(name for name in target if name.startswith("encoder.net."))
        found_shape = list(state[first].shape) if first in state else "none"
        raise ModelError(
            f"nothing of the start's encoder fits '{config.encoder}': first {first} (needs "
            f"{list(target[first].shape)}, found {found_shape}); choose the encoder of the start"
        )
    zeroed = [
        name
        for name in new
        if isinstance(model.decoder, FCN) and name.startswith("decoder.scores.")
    ]
    for name in zeroed:
        target[name].zero_()
    model.load_state_dict(target)
    left_out = tuple(name for name in state if name not in taken)
    return WarmStart(
        tuple(taken), left_out, tuple(name for name in new if name not in zeroed), tuple(zeroed)
    )


def _class_axes(config: ModelConfig, target: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The axes of each tensor that count classes: those that grow when there is one class more."""
    other = build_segmenter(
        replace(config, classes=config.classes - 1 if config.classes > 1 else 2)
    ).state_dict()
    axes = {
        name: tuple(
            axis
            for axis, (a, b) in enumerate(zip(value.shape, other[name].shape, strict=True))
            if a != b
        )
        for name, value in target.items()
    }
    return {name: found for name, found in axes.items() if found}


def _but(tensor: Tensor, axes: tuple[int, ...]) -> tuple[int, list[int]]:
    """The shape without the class axes."""
    return tensor.ndim, [size for axis, size in enumerate(tensor.shape) if axis not in axes]


def _copy_classes(
    wanted: Tensor, found: Tensor, axes: tuple[int, ...], shared: list[tuple[int, int]]
) -> None:
    here, there = ([pair[side] for pair in shared] for side in (0, 1))
    index_here = [torch.arange(size) for size in wanted.shape]
    index_there = [torch.arange(size) for size in found.shape]
    for axis in axes:
        index_here[axis] = torch.tensor(here)
        index_there[axis] = torch.tensor(there)
    if here:
        wanted[torch.meshgrid(*index_here, indexing="ij")] = found[
            torch.meshgrid(*index_there, indexing="ij")
        ]
