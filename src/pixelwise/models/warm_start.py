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

# Names that a summary lists of each kind.
_NAMED = 3


@dataclass(frozen=True)
class WarmStart:
    """Names of tensors, by what became of them."""

    taken: tuple[str, ...]
    """Of the model, filled from the start."""

    left_out: tuple[str, ...]
    """Of the start, without a place in the model."""

    new: tuple[str, ...]
    """Of the model, left as they were."""

    zeroed: tuple[str, ...]
    """Class scores of the model that begin at zero."""

    def __str__(self) -> str:
        parts = [f"{len(self.taken)} tensors taken"]
        for names, what in (
            (self.new, "new"),
            (self.zeroed, "begin at zero"),
            (self.left_out, "left out"),
        ):
            if names:
                more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
                parts.append(f"{len(names)} {what} ({', '.join(names[:_NAMED])}{more})")
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
    taken = [
        name
        for name, tensor in target.items()
        if name in state and _take(tensor, state[name], axes.get(name, ()), shared)
    ]
    _check_encoder(config, target, state, taken)
    missing = [name for name in target if name not in taken]
    zeroed = [
        name
        for name in missing
        if isinstance(model.decoder, FCN) and name.startswith("decoder.scores.")
    ]
    for name in zeroed:
        target[name].zero_()
    model.load_state_dict(target)
    return WarmStart(
        taken=tuple(taken),
        left_out=tuple(name for name in state if name not in taken),
        new=tuple(name for name in missing if name not in zeroed),
        zeroed=tuple(zeroed),
    )


def _take(
    tensor: Tensor, source: Tensor, axes: tuple[int, ...], shared: list[tuple[int, int]]
) -> bool:
    """Fill `tensor` from `source` where they fit; returns whether they did."""
    if axes and _shape_without(source, axes) == _shape_without(tensor, axes):
        _copy_classes(tensor, source, axes, shared)
        return True
    if source.shape == tensor.shape:
        tensor.copy_(source)
        return True
    return False


def _check_encoder(
    config: ModelConfig,
    target: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    taken: Sequence[str],
) -> None:
    if any(name.startswith("encoder.net.") for name in taken):
        return
    first = next(name for name in target if name.startswith("encoder.net."))
    shape = list(state[first].shape) if first in state else "none"
    raise ModelError(
        f"nothing of the start's encoder fits '{config.encoder}': first {first} (needs "
        f"{list(target[first].shape)}, found {shape}); choose the encoder of the start"
    )


def _class_axes(config: ModelConfig, target: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The axes of each tensor that count classes: those that change with the number of classes."""
    classes = config.classes - 1 if config.classes > 1 else 2
    other = build_segmenter(replace(config, classes=classes)).state_dict()
    axes: dict[str, tuple[int, ...]] = {}
    for name, tensor in target.items():
        sizes = zip(tensor.shape, other[name].shape, strict=True)
        changed = tuple(axis for axis, (size, changed) in enumerate(sizes) if size != changed)
        if changed:
            axes[name] = changed
    return axes


def _shape_without(tensor: Tensor, axes: tuple[int, ...]) -> tuple[int, list[int]]:
    """The number of axes, and the sizes of those that count no classes."""
    return tensor.ndim, [size for axis, size in enumerate(tensor.shape) if axis not in axes]


def _copy_classes(
    tensor: Tensor, source: Tensor, axes: tuple[int, ...], shared: list[tuple[int, int]]
) -> None:
    """Copy the classes that both have: `shared` are their numbers in `tensor` and in `source`."""
    if not shared:
        return
    index = [torch.arange(size) for size in tensor.shape]
    source_index = [torch.arange(size) for size in source.shape]
    for axis in axes:
        index[axis] = torch.tensor([number for number, _ in shared])
        source_index[axis] = torch.tensor([number for _, number in shared])
    values = source[torch.meshgrid(*source_index, indexing="ij")]
    tensor[torch.meshgrid(*index, indexing="ij")] = values
