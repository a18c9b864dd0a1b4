"""Decoders of other packages, their weights and what they give."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pixelwise.models.pyramid import Features, Pyramid

CHANNELS = {4: 24, 8: 40, 16: 64, 32: 96}
"""Of the features by stride."""

# Of the picture: the coarsest features have fewer pixels than bins that pool them, and none
# divides evenly.
HEIGHT = 160
WIDTH = 224


@pytest.fixture
def pyramid() -> Pyramid:
    return Pyramid(CHANNELS)


@pytest.fixture
def features() -> Features:
    generator = torch.Generator().manual_seed(1)
    return Features(
        {
            stride: torch.randn(2, channels, HEIGHT // stride, WIDTH // stride, generator=generator)
            for stride, channels in CHANNELS.items()
        }
    )


def fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> list[Tensor]:
    """Weight and bias of a convolution with the normalisation of its output in eval mode."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()  # type: ignore[operator]
    weight = convolution.weight * scale[:, None, None, None]
    return [weight, norm.bias - norm.running_mean * scale]  # type: ignore[operator]


@pytest.fixture
def tensors() -> Callable[..., list[Tensor]]:
    """Gives weights and statistics of modules in the order in which they were built, all drawn
    anew. A convolution of a pooled value (`pooled`) comes with its normalisation folded in.
    """

    def draw(*modules: nn.Module, pooled: nn.Module | None = None) -> list[Tensor]:
        generator = torch.Generator().manual_seed(0)
        for module in modules:
            for name, tensor in module.state_dict().items():
                if name.endswith("running_var"):
                    tensor.uniform_(0.5, 1.5, generator=generator)
                elif tensor.is_floating_point() and tensor.ndim == 1:
                    tensor.normal_(0.5, 0.2, generator=generator)
        result: list[Tensor] = []

        def collect(module: nn.Module) -> None:
            if module is pooled:
                result.extend(fold(*[m for m in module.modules() if is_layer(m)]))  # type: ignore[arg-type]
                return
            own = [*module._parameters.values(), *module._buffers.values()]
            result.extend(tensor for tensor in own if tensor is not None)
            for child in module.children():
                collect(child)

        for module in modules:
            collect(module)
        return result

    return draw


def is_layer(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.BatchNorm2d)


@pytest.fixture
def fill() -> Callable[..., None]:
    """Copies tensors, in order, into a decoder, which must have as many of the same shapes."""

    def copy(decoder: nn.Module, tensors: list[Tensor]) -> None:
        own = list(decoder.state_dict().values())
        assert [tuple(t.shape) for t in own] == [tuple(t.shape) for t in tensors]
        for target, source in zip(own, tensors, strict=True):
            target.copy_(source.detach())
        decoder.eval()

    return copy
