"""Any timm network as an encoder: a picture in, features by stride out."""

from difflib import get_close_matches
from types import MethodType
from typing import Any

import timm
import torch
from timm.models import is_model, list_models
from torch import Tensor, nn

from pixelwise.errors import ConfigError

Features = dict[int, Tensor]


class Encoder(nn.Module):
    """A timm `features_only` network, each of its features batch-normalised.

    Networks differ in the scale of their features: EfficientNet-Lite's have a standard deviation of 6. Concatenated or
    added as they are, the large skips drown what comes from the coarser strides, whose layers then get no gradient.
    (The authors of FCN-8s met the same and multiplied pool4 and pool3 by 0.01 and 0.0001 in their "at once" network.)

    Attributes: `channels` by stride, coarsest last; `mean` and `std`, the normalisation that its weights expect.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.net = _create(name)
        strides = self.net.feature_info.reduction()
        if len(set(strides)) != len(strides) or strides != sorted(strides):
            raise ConfigError(
                f"encoder '{name}' gives features at strides {strides}, not a pyramid; "
                "choose a convolutional or hierarchical one, such as resnet18 or convnext_atto"
            )
        self.channels: dict[int, int] = dict(zip(strides, self.net.feature_info.channels(), strict=True))
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in self.channels.values())
        config = timm.get_pretrained_cfg(name)
        self.mean, self.std = (tuple(getattr(config, key, None) or default) for key, default in _IMAGENET.items())
        for layer in self.net.modules():
            if isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1:
                layer.forward = MethodType(_depthwise, layer)  # type: ignore[method-assign]

    def forward(self, images: Tensor) -> Features:
        """Normalised (N, 3, H, W) to {stride: (N, channels, ceil(H / stride), ceil(W / stride))}."""
        features = self.net(images)
        return {s: norm(feature) for s, norm, feature in zip(self.channels, self.norms, features, strict=True)}


_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def _create(name: str) -> Any:
    if not is_model(name):
        raise _unknown_encoder(name)
    try:
        return timm.create_model(name, features_only=True, pretrained=False)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"encoder '{name}' of timm gives no features by stride; choose another, such as resnet18"
        ) from error


def _unknown_encoder(name: str) -> ConfigError:
    near = get_close_matches(name, list_models(), n=3)
    advice = f"; did you mean {', '.join(near)}?" if near else ""
    return ConfigError(f"unknown encoder '{name}': any timm model with features_only works{advice}")


def _depthwise(layer: nn.Conv2d, input: Tensor) -> Tensor:
    """A depthwise convolution that runs in float32 on the CPU even under autocast.

    Its backward pass in bfloat16 has no fast kernel there: a training step of tf_efficientnet_lite0 is 1.25 times
    faster so. On other devices the layer runs as autocast wants.
    """
    plain = type(layer).forward
    if input.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return plain(layer, input)
    with torch.autocast("cpu", enabled=False):
        return plain(layer, input.float())
