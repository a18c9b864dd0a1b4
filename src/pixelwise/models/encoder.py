"""Any timm network, or a paper's own, as an encoder: a picture in, features by stride out."""

from difflib import get_close_matches
from types import MethodType
from typing import Any

import timm
import torch
import torch.nn.functional as F
from timm.models import is_model, list_models
from torch import Tensor, nn

from pixelwise.errors import ConfigError
from pixelwise.models.paper_encoders import CLASSIC
from pixelwise.models.pyramid import Features, Pyramid


class Encoder(nn.Module):
    """A timm `features_only` network or one of CLASSIC, each of its features batch-normalised
    unless `plain`.

    Networks differ in the scale of their features: EfficientNet-Lite's have a standard deviation of
    6. Concatenated or added as they are, the large skips drown what comes from the coarser strides,
    whose layers then get no gradient. (The authors of FCN-8s met the same and multiplied pool4 and
    pool3 by 0.01 and 0.0001 in their "at once" network.)

    Attributes: `channels` by stride, coarsest last; `mean` and `std`, the normalisation that its
    weights expect; `pyramid`, what a decoder needs to know. With `places` the features carry the
    indices of its max-poolings.
    """

    def __init__(self, name: str, *, plain: bool = False, places: bool = False) -> None:
        super().__init__()
        self.name = name
        self.net, self.channels = _create(name)
        norms = (
            nn.Identity() if plain else nn.BatchNorm2d(channels)
            for channels in self.channels.values()
        )
        self.norms = nn.ModuleList(norms)
        config = timm.get_pretrained_cfg(name) if is_model(name) else None
        self.mean, self.std = (
            tuple(getattr(config, key, None) or default) for key, default in _IMAGENET.items()
        )
        for layer in self.net.modules():
            if isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1:
                layer.forward = MethodType(_depthwise, layer)  # type: ignore[method-assign]
        self._poolings = _poolings(self.net) if places else {}
        self.pyramid = Pyramid(
            self.channels, {stride: width for stride, (width, _) in self._poolings.items()}
        )

    def forward(self, images: Tensor) -> Features:
        """Normalised (N, 3, H, W) to {stride: (N, channels, ceil(H / stride), ceil(W /
        stride))}.
        """
        features = zip(self.channels, self.norms, self.net(images), strict=True)
        places = {stride: pooling.places for stride, (_, pooling) in self._poolings.items()}
        return Features({stride: norm(feature) for stride, norm, feature in features}, places)


_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def _create(name: str) -> tuple[Any, dict[int, int]]:
    """The network and its channels by stride."""
    if name in CLASSIC:
        net = CLASSIC[name]()
        return net, dict(net.channels)
    if not is_model(name):
        raise _unknown_encoder(name)
    try:
        network: Any = timm.create_model(name, features_only=True, pretrained=False)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"encoder '{name}' of timm gives no features by stride; choose another, such as "
            "resnet18"
        ) from error
    strides = network.feature_info.reduction()
    if len(set(strides)) != len(strides) or strides != sorted(strides):
        raise ConfigError(
            f"encoder '{name}' gives features at strides {strides}, not a pyramid; "
            "choose a convolutional or hierarchical one, such as resnet18 or convnext_atto"
        )
    return network, dict(zip(strides, network.feature_info.channels(), strict=True))


def _poolings(net: nn.Module) -> dict[int, tuple[int, Any]]:
    """The 2x2 max-poolings of `net`, made to keep their indices as `places`, by the stride and with
    the channels of what they halve: found by a small picture sent through.
    """
    found: dict[int, tuple[int, Any]] = {}
    side = 64

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found[side // inputs[0].shape[-1]] = (inputs[0].shape[1], layer)

    halving = [
        layer for layer in net.modules() if isinstance(layer, nn.MaxPool2d) and _halves(layer)
    ]
    hooks = [layer.register_forward_pre_hook(note) for layer in halving]
    training = net.training
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, side, side))
    net.train(training)
    for hook in hooks:
        hook.remove()
    for layer in halving:
        layer.forward = MethodType(_pooled, layer)  # type: ignore[method-assign]
    return found


def _halves(layer: nn.MaxPool2d) -> bool:
    numbers = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    return all(
        number in (wanted, (wanted, wanted))
        for number, wanted in zip(numbers, (2, 2, 0, 1), strict=True)
    )


def _pooled(layer: nn.MaxPool2d, input: Tensor) -> Tensor:
    output, layer.places = F.max_pool2d(input, 2, 2, return_indices=True)
    return output


def _unknown_encoder(name: str) -> ConfigError:
    near = get_close_matches(name, list_models(), n=3)
    advice = f"; did you mean {', '.join(near)}?" if near else ""
    return ConfigError(f"unknown encoder '{name}': any timm model with features_only works{advice}")


def _depthwise(layer: nn.Conv2d, input: Tensor) -> Tensor:
    """A depthwise convolution that runs in float32 on the CPU even under autocast.

    Its backward pass in bfloat16 has no fast kernel there: a training step of tf_efficientnet_lite0
    is 1.25 times faster so. On other devices the layer runs as autocast wants.
    """
    plain = type(layer).forward
    if input.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return plain(layer, input)
    with torch.autocast("cpu", enabled=False):
        return plain(layer, input.float())
