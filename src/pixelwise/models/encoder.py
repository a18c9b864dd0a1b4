"""Any timm network, or a paper's own, as an encoder: an image in, features by stride out."""

from difflib import get_close_matches
from typing import Any

import timm
import torch
from timm.models import is_model, list_models
from torch import Tensor, nn

from pixelwise.errors import ConfigError
from pixelwise.models.layer_swaps import (
    MaxPoolWithIndices,
    keep_pool_indices,
    run_depthwise_in_float32,
)
from pixelwise.models.paper_encoders import PAPER_ENCODERS
from pixelwise.models.pyramid import Features, Pyramid

# Mean and standard deviation of ImageNet's colours, where timm knows none of a network's own.
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

# Side of the square image that is sent through a network to see at which strides it pools: the
# least that a network of stride 32 takes without an empty map, times two.
_PROBE_SIDE = 64

# The coarsest stride of nearly all networks, and of every one that is not dilated.
_COARSEST = 32


class Encoder(nn.Module):
    """A timm `features_only` network or one of PAPER_ENCODERS, each of its features
    batch-normalised unless `plain`.

    Networks differ in the scale of their features: EfficientNet-Lite's have a standard deviation of
    6. Concatenated or added as they are, the large skips drown what comes from the coarser strides,
    whose layers then get no gradient. (The authors of FCN-8s met the same and multiplied pool4 and
    pool3 by 0.01 and 0.0001 in their "at once" network.)

    Attributes: `channels` by stride, coarsest last; `mean` and `std`, the normalisation that its
    weights expect; `pyramid`, what a decoder needs to know. With `pool_indices` the features carry
    the indices of its max-poolings. With an `output_stride` of 8 or 16 the stages beyond it are
    dilated instead of strided, and the last of them gives the features of that stride; not so where
    timm has no dilation for the network.
    """

    def __init__(
        self,
        name: str,
        *,
        plain: bool = False,
        pool_indices: bool = False,
        output_stride: int = _COARSEST,
    ) -> None:
        super().__init__()
        self.name = name
        # of each of the network's maps: several have the same in a dilated one
        self.net, self._strides, widths = _create_network(name, output_stride)
        self.channels = dict(zip(self._strides, widths, strict=True))
        self.norms = nn.ModuleList()
        for channels in self.channels.values():
            # an identity where there is none, so that stages keep their numbers in the state dict
            norm = nn.Identity() if plain else nn.BatchNorm2d(channels)
            self.norms.append(norm)
        config = timm.get_pretrained_cfg(name) if is_model(name) else None
        self.mean = tuple(getattr(config, "mean", None) or _IMAGENET_MEAN)
        self.std = tuple(getattr(config, "std", None) or _IMAGENET_STD)
        run_depthwise_in_float32(self.net)
        self._pools: dict[int, MaxPoolWithIndices] = {}  # by the stride of what they halve
        pooled_channels: dict[int, int] = {}
        if pool_indices:
            self._pools, pooled_channels = _find_pools(self.net)
        self.pyramid = Pyramid(self.channels, pooled_channels)

    def forward(self, images: Tensor) -> Features:
        """Normalised (N, 3, H, W) to {stride: (N, channels, ceil(H / stride), ceil(W /
        stride))}.
        """
        # finest first; of several maps of one stride the last, which has seen most, stays
        maps = dict(zip(self._strides, self.net(images), strict=True))
        features = {}
        for (stride, feature), norm in zip(maps.items(), self.norms, strict=True):
            features[stride] = norm(feature)
        pool_indices = {stride: pool.indices for stride, pool in self._pools.items()}
        return Features(features, pool_indices)


def _create_network(name: str, output_stride: int) -> tuple[Any, list[int], list[int]]:
    """The network, and the strides and channels of its maps."""
    if name in PAPER_ENCODERS:
        network: Any = PAPER_ENCODERS[name]()
        return network, list(network.channels), list(network.channels.values())
    if not is_model(name):
        raise _unknown_encoder_error(name)
    if output_stride < _COARSEST:
        dilated = _create_dilated(name, output_stride)
        if dilated is not None:
            info = dilated.feature_info
            return dilated, info.reduction(), info.channels()
    # timm refuses in these ways: there is no list of the networks that give features
    try:
        network = timm.create_model(name, features_only=True, pretrained=False)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"encoder '{name}' of timm gives no features by stride; choose another, such as "
            "resnet18"
        ) from error
    strides = network.feature_info.reduction()
    channels = network.feature_info.channels()
    # a plain transformer has one stride for all of its features
    if strides != sorted(set(strides)):
        raise ConfigError(
            f"encoder '{name}' gives features at strides {strides}, not a pyramid; "
            "choose a convolutional or hierarchical one, such as resnet18 or convnext_atto"
        )
    return network, strides, channels


def _create_dilated(name: str, output_stride: int) -> Any | None:
    """The network with dilated last stages; None where timm has none, which it says in these
    ways.
    """
    try:
        return timm.create_model(
            name, features_only=True, pretrained=False, output_stride=output_stride
        )
    except (AssertionError, AttributeError, RuntimeError, TypeError):
        return None


def _find_pools(net: nn.Module) -> tuple[dict[int, MaxPoolWithIndices], dict[int, int]]:
    """The 2x2 max-poolings of `net`, made to keep their indices, and the channels that each pools,
    both by the stride of the pooling's input.
    """
    pools: dict[int, MaxPoolWithIndices] = {}
    channels: dict[int, int] = {}

    def note_stride(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        feature = inputs[0]  # (1, C, h, w)
        stride = _PROBE_SIDE // feature.shape[-1]
        pools[stride] = layer  # type: ignore[assignment]
        channels[stride] = feature.shape[1]

    hooks = []
    for layer in keep_pool_indices(net):
        hooks.append(layer.register_forward_pre_hook(note_stride))
    probe = torch.zeros(1, 3, _PROBE_SIDE, _PROBE_SIDE)
    # in eval mode, so that the probe leaves no trace in running statistics
    training = net.training
    net.eval()
    with torch.no_grad():
        net(probe)
    net.train(training)
    for hook in hooks:
        hook.remove()
    return pools, channels


def _unknown_encoder_error(name: str) -> ConfigError:
    matches = get_close_matches(name, list_models(), n=3)
    advice = f"; did you mean {', '.join(matches)}?" if matches else ""
    return ConfigError(f"unknown encoder '{name}': any timm model with features_only works{advice}")
