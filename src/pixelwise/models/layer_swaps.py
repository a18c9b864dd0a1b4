"""Layers of a finished network that are given another forward pass, with the weights, names and
outputs they had.

A layer keeps its parameters and its place; only its class is replaced by a subclass, as PyTorch
does for lazy modules and parametrizations. So state-dict keys stay those of timm.
"""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.pool2d_same import AvgPool2dSame, MaxPool2dSame
from timm.layers.std_conv import ScaledStdConv2dSame, StdConv2dSame
from torch import Tensor, nn


class MaxPoolWithIndices(nn.MaxPool2d):
    """A 2x2 max-pooling that keeps, as `indices`, which pixels of its last input were largest."""

    indices: Tensor

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H / 2, W / 2)."""
        output, self.indices = F.max_pool2d(
            input,
            kernel_size=2,
            stride=2,
            return_indices=True,
        )
        return output


def keep_pool_indices(net: nn.Module) -> list[MaxPoolWithIndices]:
    """Make every 2x2 max-pooling of `net` keep its indices; returns them in the network's order."""
    pools = list[MaxPoolWithIndices]()
    for layer in net.modules():
        if isinstance(layer, nn.MaxPool2d) and _halves(layer):
            # in place: hooks, parameters and the name in the state dict stay
            layer.__class__ = MaxPoolWithIndices
            pools.append(layer)  # type: ignore[arg-type]
    return pools


def run_depthwise_in_float32(net: nn.Module) -> None:
    """Make every depthwise convolution of `net` run in float32 on the CPU, also under autocast.

    The backward pass in bfloat16 has no fast kernel there: a training step of tf_efficientnet_lite0
    is 1.25 times faster so. On other devices the layers run as autocast wants.
    """
    for layer in net.modules():
        if not isinstance(layer, nn.Conv2d):
            continue
        depthwise = layer.groups == layer.in_channels > 1
        if depthwise:
            layer.__class__ = _float32_subclass(type(layer))  # type: ignore[arg-type]


def pad_valid_layers(net: nn.Module) -> None:
    """Give every convolution and pooling of `net` with an odd kernel and no padding the one that
    keeps the size, so that sizes halve exactly; weights stay.
    """
    for module in net.modules():
        # subclasses pad by themselves, as TensorFlow does
        if type(module) not in (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d):
            continue
        layer: Any = module
        down, across = _as_pair(layer.kernel_size)
        is_odd = down % 2 == 1 and across % 2 == 1
        if is_odd and _as_pair(layer.padding) == (0, 0):
            layer.padding = (down // 2, across // 2)


def _as_pair(setting: Any) -> tuple[int, int]:
    # PyTorch keeps a setting as it came: a number or a pair
    return setting if isinstance(setting, tuple) else (setting, setting)


def pad_by_constants(net: nn.Module) -> nn.Module:
    """`net`, changed, with TensorFlow's `same` padding in numbers that hold where each layer's
    input is a multiple of its stride, as behind a Segmenter's own padding.

    timm computes it from the size of each input, which in a graph is arithmetic that readers such
    as OpenCV's do not take and that quantisers spoil. For exports: names of parameters change.
    """
    for name, layer in net.named_children():
        padded = _with_constant_padding(layer)
        if padded is None:
            pad_by_constants(layer)
        else:
            setattr(net, name, padded)
    return net


def _with_constant_padding(layer: nn.Module) -> nn.Module | None:
    """The layer behind its padding; None for one that does not pad by itself."""
    padding = 0.0
    if isinstance(layer, StdConv2dSame | ScaledStdConv2dSame):
        if not layer.same_pad:
            return None
        layer.same_pad = False
        inner: nn.Module = layer
    elif isinstance(layer, Conv2dSame):
        inner = _plain_conv(layer)
    elif isinstance(layer, MaxPool2dSame):
        inner = nn.MaxPool2d(
            layer.kernel_size, layer.stride, 0, layer.dilation, ceil_mode=layer.ceil_mode
        )
        padding = -torch.inf
    elif isinstance(layer, AvgPool2dSame):
        inner = nn.AvgPool2d(
            layer.kernel_size, layer.stride, 0, layer.ceil_mode, layer.count_include_pad
        )
    else:
        return None
    vertical, horizontal = _surplus(layer)
    border = (
        horizontal // 2,
        horizontal - horizontal // 2,
        vertical // 2,
        vertical - vertical // 2,
    )
    return nn.Sequential(nn.ConstantPad2d(border, padding), inner)


def _plain_conv(layer: nn.Conv2d) -> nn.Conv2d:
    """A convolution without padding of its own, with the same parameters."""
    conv = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]
        layer.stride,  # type: ignore[arg-type]
        dilation=layer.dilation,  # type: ignore[arg-type]
        groups=layer.groups,
        bias=layer.bias is not None,
    )
    conv.weight = layer.weight
    conv.bias = layer.bias
    return conv


def _surplus(layer: Any) -> tuple[int, int]:
    """Pixels (vertical, horizontal) that `same` adds to an input that is a multiple of the
    stride.
    """
    dilation = getattr(layer, "dilation", (1, 1))
    down, across = (
        max(0, (kernel - 1) * step + 1 - stride)
        for kernel, step, stride in zip(layer.kernel_size, dilation, layer.stride, strict=True)
    )
    return down, across


class _Float32OnCpu:
    """Mixed in before a kind of convolution; `super().forward` is that kind's own."""

    def forward(self, input: Tensor) -> Tensor:
        forward: Any = super().forward  # type: ignore[misc]
        on_cpu = input.device.type == "cpu"
        if not on_cpu or not torch.is_autocast_enabled("cpu"):
            output: Tensor = forward(input)
            return output
        with torch.autocast("cpu", enabled=False):
            output = forward(input.float())
        return output


@cache
def _float32_subclass(kind: type[nn.Conv2d]) -> type[nn.Conv2d]:
    # timm pads some networks' convolutions as TensorFlow does, with a class of its own
    name = f"{kind.__name__}InFloat32"
    bases = (_Float32OnCpu, kind)
    return type(name, bases, {})


def _halves(pool: nn.MaxPool2d) -> bool:
    """Whether a pooling takes the maximum of blocks of 2x2 pixels, one for each block."""
    # PyTorch keeps a setting as it came: a number or a pair
    two = (2, (2, 2))
    return (
        pool.kernel_size in two
        and pool.stride in two
        and pool.padding in (0, (0, 0))
        and pool.dilation in (1, (1, 1))
    )
