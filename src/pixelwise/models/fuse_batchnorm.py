"""Batch normalisations after convolutions as part of these: the same network with fewer passes over
memory.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

_TOLERANCE = 1e-3
"""Largest difference of the outputs, as a share of the largest output."""


def fuse_conv_bn(model: nn.Module) -> nn.Module:
    """A copy of `model`, on the CPU and in eval mode, in which each batch normalisation of a
    convolution's output is folded into its weights (Jacob et al. 2018, section 3.2); the module
    itself where that changes its outputs.

    Which belong together is seen by sending a small picture (1, 3, 64, 64) through.
    """
    small = copy.deepcopy(model).eval()
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        pairs = _pairs(small, picture)
        for convolution, norm in pairs:
            _fold(convolution, norm)
        gone = {norm for _, norm in pairs}
        for parent in list(small.modules()):
            for name, child in parent.named_children():
                if child in gone:
                    setattr(parent, name, _after(child))
        wanted = model.eval()(picture)
        found = small(picture)
    fits = (found - wanted).abs().max() <= _TOLERANCE * wanted.abs().max()
    return small if fits else model


def _pairs(model: nn.Module, picture: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions and the normalisations that take their outputs."""
    made = list[
        tuple[Tensor, nn.Conv2d]
    ]()  # holds the tensors, so that none takes another one's place
    found = list[tuple[nn.Conv2d, nn.BatchNorm2d]]()

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, nn.Conv2d):
            made.append((output, layer))
        elif isinstance(layer, nn.BatchNorm2d):
            found.extend(
                (convolution, layer) for tensor, convolution in made if tensor is inputs[0]
            )

    kinds = (nn.Conv2d, nn.BatchNorm2d)
    hooks = [
        layer.register_forward_hook(note) for layer in model.modules() if isinstance(layer, kinds)
    ]
    model(picture)
    for hook in hooks:
        hook.remove()
    return found


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    before = 0.0 if convolution.bias is None else convolution.bias
    convolution.weight.mul_(scale[:, None, None, None])
    convolution.bias = nn.Parameter((before - norm.running_mean) * scale + norm.bias)


def _after(norm: Any) -> nn.Module:
    """What a normalisation does besides: those of timm, `BatchNormAct2d`, bear an activation."""
    return nn.Sequential(norm.drop, norm.act) if hasattr(norm, "act") else nn.Identity()
