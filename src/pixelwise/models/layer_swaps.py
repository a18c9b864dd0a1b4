"""Layers of a finished network that are given another forward pass, with the weights, names and
outputs they had.

A layer keeps its parameters and its place; only its class is replaced by a subclass, as PyTorch
does for lazy modules and parametrizations. So state-dict keys stay those of timm.
"""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaxPoolWithIndices(nn.MaxPool2d):
    """A 2x2 max-pooling that keeps, as `indices`, which pixels of its last input were largest."""

    indices: Tensor

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H / 2, W / 2)."""
        output, self.indices = F.max_pool2d(input, 2, 2, return_indices=True)
        return output


def keep_pool_indices(net: nn.Module) -> list[MaxPoolWithIndices]:
    """Make every 2x2 max-pooling of `net` keep its indices; returns them in the network's order."""
    pools = list[MaxPoolWithIndices]()
    for layer in net.modules():
        if isinstance(layer, nn.MaxPool2d) and _halves(layer):
            layer.__class__ = MaxPoolWithIndices
            pools.append(layer)  # type: ignore[arg-type]
    return pools


def run_depthwise_in_float32(net: nn.Module) -> None:
    """Make every depthwise convolution of `net` run in float32 on the CPU, also under autocast.

    The backward pass in bfloat16 has no fast kernel there: a training step of tf_efficientnet_lite0
    is 1.25 times faster so. On other devices the layers run as autocast wants.
    """
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1:
            layer.__class__ = _float32_subclass(type(layer))  # type: ignore[arg-type]


class _Float32OnCpu:
    """Mixed in before a kind of convolution; `super().forward` is that kind's own."""

    def forward(self, input: Tensor) -> Tensor:
        forward: Any = super().forward  # type: ignore[misc]
        if input.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            output: Tensor = forward(input)
            return output
        with torch.autocast("cpu", enabled=False):
            output = forward(input.float())
        return output


@cache
def _float32_subclass(kind: type[nn.Conv2d]) -> type[nn.Conv2d]:
    # timm pads some networks' convolutions as TensorFlow does, with a class of its own
    return type(f"{kind.__name__}InFloat32", (_Float32OnCpu, kind), {})


def _halves(pool: nn.MaxPool2d) -> bool:
    """Whether a pooling takes the maximum of blocks of 2x2 pixels, one for each block."""
    settings = ((pool.kernel_size, 2), (pool.stride, 2), (pool.padding, 0), (pool.dilation, 1))
    return all(value in (expected, (expected, expected)) for value, expected in settings)
