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
        groups = (
            (self.new, "new"),
            (self.zeroed, "begin at zero"),
            (self.left_out, "left out"),
        )
        for names, what in groups:
            if names:
                parts.append(f"{len(names)} {what} ({_list_names(names)})")
        return "; ".join(parts)


def _list_names(names: tuple[str, ...]) -> str:
    text = ", ".join(names[:_NAMED])
    if len(names) > _NAMED:
        text += f" and {len(names) - _NAMED} more"
    return text


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
    axes: dict[str, tuple[int, ...]] = {}
    if tuple(classes) != tuple(known):
        # equal classes need no second network, which takes seconds to build
        axes = _class_axes(config, target)
    shared = [(classes.index(name), known.index(name)) for name in classes if name in known]
    taken = _take_all(target, state, axes, shared)
    _check_encoder(model.encoder_prefix, config, target, state, taken)
    missing = [name for name in target if name not in taken]
    zeroed = _zero_scores(target, missing) if isinstance(model.decoder, FCN) else []
    model.load_state_dict(target)
    return WarmStart(
        taken=tuple(taken),
        left_out=tuple(name for name in state if name not in taken),
        new=tuple(name for name in missing if name not in zeroed),
        zeroed=tuple(zeroed),
    )


def _take_all(
    target: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    axes: Mapping[str, tuple[int, ...]],
    shared: list[tuple[int, int]],
) -> list[str]:
    """Fill what fits of `target` from `state`, in place; returns the names."""
    taken = []
    for name, tensor in target.items():
        if name not in state:
            continue
        class_axes = axes.get(name, ())
        if _take(tensor, state[name], class_axes, shared):
            taken.append(name)
    return taken


def _zero_scores(target: Mapping[str, Tensor], names: Sequence[str]) -> list[str]:
    """Set an FCN's class scores among `names` to zero; returns which they are."""
    zeroed = [name for name in names if name.startswith("decoder.scores.")]
    for name in zeroed:
        target[name].zero_()
    return zeroed


def _take(
    tensor: Tensor,
    source: Tensor,
    axes: tuple[int, ...],
    shared: list[tuple[int, int]],
) -> bool:
    """Fill `tensor` from `source` where they fit; returns whether they did."""
    # by class even where the shapes are equal: class ids of another order mean other classes
    if axes and _shape_without(source, axes) == _shape_without(tensor, axes):
        _copy_classes(tensor, source, axes, shared)
        return True
    if source.shape == tensor.shape:
        tensor.copy_(source)
        return True
    return False


def _check_encoder(
    prefix: str,
    config: ModelConfig,
    target: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    taken: Sequence[str],
) -> None:
    if any(name.startswith(prefix) for name in taken):
        return
    names = (name for name in target if name.startswith(prefix))
    first = next(names)
    shape = list(state[first].shape) if first in state else "none"
    raise ModelError(
        f"nothing of the start's encoder fits '{config.encoder}': first {first} (needs "
        f"{list(target[first].shape)}, found {shape}); choose the encoder of the start"
    )


def _class_axes(config: ModelConfig, target: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The axes of each tensor that count classes: those that change with the number of classes."""
    # one less rather than one more, as 255 is the most
    classes = config.classes - 1 if config.classes > 1 else 2
    probe_config = replace(config, classes=classes)
    probe = build_segmenter(probe_config).state_dict()
    axes: dict[str, tuple[int, ...]] = {}
    for name, tensor in target.items():
        probe_shape = probe[name].shape
        changed = [axis for axis in range(tensor.ndim) if tensor.shape[axis] != probe_shape[axis]]
        if changed:
            axes[name] = tuple(changed)
    return axes


def _shape_without(tensor: Tensor, axes: tuple[int, ...]) -> tuple[int, list[int]]:
    """The number of axes, and the sizes of those that count no classes."""
    sizes = [size for axis, size in enumerate(tensor.shape) if axis not in axes]
    return tensor.ndim, sizes


def _copy_classes(
    tensor: Tensor,
    source: Tensor,
    axes: tuple[int, ...],
    shared: list[tuple[int, int]],
) -> None:
    """Copy the classes that both have: `shared` are their numbers in `tensor` and in `source`."""
    if not shared:
        return
    numbers = torch.tensor(shared)  # (classes, 2)
    index = [torch.arange(size) for size in tensor.shape]
    source_index = [torch.arange(size) for size in source.shape]
    # an FCN's upsamplings, from class scores to class scores, have two such axes
    for axis in axes:
        index[axis] = numbers[:, 0]
        source_index[axis] = numbers[:, 1]
    grid = torch.meshgrid(*index, indexing="ij")
    source_grid = torch.meshgrid(*source_index, indexing="ij")
    tensor[grid] = source[source_grid]
