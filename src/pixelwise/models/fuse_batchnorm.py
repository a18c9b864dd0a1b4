"""Batch normalisations after convolutions as part of these: the same network with fewer passes over
memory.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

# Largest difference of the outputs, as a share of the largest output.
_TOLERANCE = 1e-3


def fuse_conv_bn(model: nn.Module) -> nn.Module:
    """A copy of `model`, on the CPU and in eval mode, in which each batch normalisation of a
    convolution's output is folded into its weights (Jacob et al. 2018, section 3.2); the module
    itself where that changes its outputs.

    Which belong together is seen by sending a small image (1, 3, 64, 64) through.
    """
    fused = copy.deepcopy(model).eval()
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        pairs = _find_pairs(fused, image)
        for convolution, norm in pairs:
            _fold(convolution, norm)
        _remove_norms(fused, {norm for _, norm in pairs})
        expected = model.eval()(image)
        logits = fused(image)
    fits = (logits - expected).abs().max() <= _TOLERANCE * expected.abs().max()
    return fused if fits else model


def _find_pairs(model: nn.Module, image: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions and the normalisations that take their outputs."""
    # holds the tensors, so that none takes another one's place in memory
    outputs = list[tuple[Tensor, nn.Conv2d]]()
    pairs = list[tuple[nn.Conv2d, nn.BatchNorm2d]]()

    def note_output(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, nn.Conv2d):
            outputs.append((output, layer))
        elif isinstance(layer, nn.BatchNorm2d):
            pairs.extend(
                (convolution, layer) for tensor, convolution in outputs if tensor is inputs[0]
            )

    hooks = [
        layer.register_forward_hook(note_output)
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)
    ]
    model(image)
    for hook in hooks:
        hook.remove()
    return pairs


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    # in place, and not by fuse_conv_bn_eval, whose copies of the layers have to find their way back
    # into the network
    assert norm.running_mean is not None
    assert norm.running_var is not None
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )


def _remove_norms(model: nn.Module, norms: set[nn.BatchNorm2d]) -> None:
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if child in norms:
                setattr(parent, name, _remaining_layers(child))


def _remaining_layers(norm: Any) -> nn.Module:
    """What a normalisation does besides: those of timm, `BatchNormAct2d`, carry an activation."""
    return nn.Sequential(norm.drop, norm.act) if hasattr(norm, "act") else nn.Identity()
