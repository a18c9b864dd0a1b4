"""Batch normalisations after convolutions as part of these: the same network with fewer passes over
memory.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

# Largest difference of the outputs, as a share of the largest output.
_TOLERANCE = 1e-3


def fuse_conv_bn(model: nn.Module) -> nn.Module:
    """A copy of `model`, on the CPU and in eval mode, in which each batch normalisation of a
    convolution's output is folded into its weights (Jacob et al. 2018, section 3.2); the module
    itself where that changes its outputs.

    Which belong together is seen by sending a small image (1, channels, 64, 64) through.
    """
    fused = copy.deepcopy(model).eval()
    generator = torch.Generator().manual_seed(0)
    channels = getattr(model, "channels", 3)
    image = torch.rand(1, channels, 64, 64, generator=generator)
    with torch.no_grad():
        pairs = _find_pairs(fused, image)
        for convolution, norm in pairs:
            _fold(convolution, norm)
        norms = {norm for _, norm in pairs}
        _remove_norms(fused, norms)
        expected = model.eval()(image)  # (1, C, 64, 64)
        logits = fused(image)
    # a layer whose output goes elsewhere too must not be folded: seen by what comes out
    error = (logits - expected).abs().max()
    allowed = _TOLERANCE * expected.abs().max()
    return fused if error <= allowed else model


def _find_pairs(model: nn.Module, image: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions and the normalisations that take their outputs."""
    # holds the tensors, so that none takes another one's place in memory
    outputs = list[tuple[Tensor, nn.Conv2d]]()
    pairs = list[tuple[nn.Conv2d, nn.BatchNorm2d]]()

    def note_output(layer: nn.Conv2d, _: tuple[Tensor, ...], output: Tensor) -> None:
        outputs.append((output, layer))

    def note_pair(layer: nn.BatchNorm2d, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        for output, convolution in outputs:
            if output is inputs[0]:
                pairs.append((convolution, layer))

    hooks = []
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            hooks.append(layer.register_forward_hook(note_output))
        elif isinstance(layer, nn.BatchNorm2d):
            hooks.append(layer.register_forward_hook(note_pair))
    model(image)
    for hook in hooks:
        hook.remove()
    return pairs


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    # Not by torch.nn.utils.fusion: it multiplies by the reciprocal of the root, which rounds
    # otherwise, and a confidence in a hundred thousand would change.
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()  # (C,)
    bias = 0.0 if convolution.bias is None else convolution.bias
    convolution.weight.mul_(scale[:, None, None, None])
    convolution.bias = nn.Parameter((bias - norm.running_mean) * scale + norm.bias)


def _remove_norms(model: nn.Module, norms: set[nn.BatchNorm2d]) -> None:
    # a list, as the walk must not see the layers that come in
    parents = list(model.modules())
    for parent in parents:
        for name, child in parent.named_children():
            if child in norms:
                setattr(parent, name, _remaining_layers(child))


def _remaining_layers(norm: Any) -> nn.Module:
    """What a normalisation does besides: those of timm, `BatchNormAct2d`, carry an activation."""
    if hasattr(norm, "act"):
        return nn.Sequential(norm.drop, norm.act)
    return nn.Identity()
