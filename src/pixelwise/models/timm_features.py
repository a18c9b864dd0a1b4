"""A network of timm that gives features by stride for images of any size, or the reason why one
does not.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import timm
import torch
from timm.layers.format import Format
from timm.models import FeatureListNet, is_model, is_model_in_modules, list_models
from torch import Tensor, nn

from pixelwise.errors import ConfigError
from pixelwise.models.layer_swaps import pad_valid_layers
from pixelwise.models.plain_transformer import (
    STRIDES,
    grid_stride,
    is_plain,
    resize_to_grid,
    spread_over_depth,
)

# The coarsest stride that decoders take, to a multiple of which images are padded.
ALIGN = 32

# Height and width on which a network is tried, odd and even multiples of ALIGN.
_PROBE = (2 * ALIGN, 3 * ALIGN)

_ANOTHER = "choose another, such as resnet18, convnext_atto or vit_small_patch16_dinov3"


@dataclass(frozen=True)
class TimmFeatures:
    """A network, and how it is fed and read."""

    net: Any
    """Gives a list of maps (N, channels, h, w), finest first; a plain transformer four maps of one
    stride, shallowest first."""

    channels: dict[int, int]
    """By stride; one entry for a plain transformer."""

    strides: tuple[int, ...] = ()
    """Of each map, where several have the same; otherwise those of `channels`."""

    align: int = ALIGN
    """Sides of images are multiples of it."""

    patch: int = 0
    """Side of a plain transformer's patches in pixels; 0 for other networks."""


class FinalNormFeatures(FeatureListNet):
    """Features of a pre-activation ResNet, the last of them after the network's final normalisation
    and ReLU, which timm's list ends before.

    Source: He, Zhang, Ren, Sun, ECCV 2016, "Identity Mappings in Deep Residual Networks", appendix.
    """

    def __init__(self, model: Any, **options: Any) -> None:
        super().__init__(model, **options)
        last = list(self)[-1]
        if self.feature_info.module_name(-1) != f"stages.{len(model.stages) - 1}":
            return  # the network's last stage is not among the features
        self["norm"] = model.norm
        self.return_layers["norm"] = self.return_layers.pop(last)
        self.feature_info.info[-1]["module"] = "norm"


def has_final_norm(name: str) -> bool:
    """Whether timm's network `name` is a pre-activation ResNet, which ends in a normalisation."""
    return name.startswith("resnetv2_")


def create_features(
    name: str, output_stride: int = ALIGN, *, final_norm: bool = True
) -> TimmFeatures:
    """The network `name`, with random weights; stages beyond an `output_stride` of 8 or 16 are
    dilated where timm can. With `final_norm` a pre-activation ResNet's features end after it.

    Raises ConfigError for an unknown name, and for a network without features by stride or that
    takes images of one size alone.
    """
    check_timm_name(name)
    options: dict[str, Any] = {}
    if final_norm and has_final_norm(name):
        options["feature_cls"] = FinalNormFeatures
    if output_stride < ALIGN:
        dilated = _create_dilated(name, output_stride, options)
        if dilated is not None:
            return dilated
    net = _create(name, **options)
    strides = net.feature_info.reduction()
    if is_plain(strides):
        net.out_indices = spread_over_depth(len(net.feature_info))
        channels = {grid_stride(strides[0]): net.feature_info.channels()[0]}
        features = TimmFeatures(net, channels, patch=strides[0])
    else:
        features = _pyramid_features(name, net)
    return _fit_sizes(name, features)


def _create_dilated(name: str, output_stride: int, options: dict[str, Any]) -> TimmFeatures | None:
    """The network with dilated last stages; None where timm has none, which it says in these
    ways.
    """
    try:
        net: Any = timm.create_model(
            name, features_only=True, output_stride=output_stride, **options
        )
    except (AssertionError, AttributeError, RuntimeError, TypeError):
        return None
    strides = tuple(net.feature_info.reduction())
    channels = dict(zip(strides, net.feature_info.channels(), strict=True))
    return TimmFeatures(net, channels, strides=strides)


def _create(name: str, **options: Any) -> Any:
    if is_model_in_modules(name, ["vgg"]):
        # VGG's classifier, nine tenths of its weights, is made with it although features drop it
        options["mlp_ratio"] = 1 / 4096
    # timm refuses in these ways: there is no list of the networks that give features
    try:
        try:
            # for transformers with positions or windows; others do not know the option
            return timm.create_model(name, features_only=True, dynamic_img_size=True, **options)
        except TypeError as error:
            if "dynamic_img_size" not in str(error):
                raise
        return timm.create_model(name, features_only=True, **options)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"encoder '{name}' of timm gives no features by stride; {_ANOTHER}"
        ) from error


def _pyramid_features(name: str, net: Any) -> TimmFeatures:
    """Those of a network whose stages halve the size, up to the stride ALIGN."""
    strides = net.feature_info.reduction()
    halvings = {1 << number for number in range(10)}
    if strides != sorted(set(strides)) or not set(strides) <= halvings:
        raise ConfigError(
            f"encoder '{name}' gives features at strides {strides}, not a pyramid of halved sizes; "
            f"{_ANOTHER}"
        )
    taken = [stride for stride in strides if stride <= ALIGN]
    if len(taken) < len(strides):
        # made again without the stages that no decoder looks at
        net = _create(name, out_indices=net.feature_info.out_indices[: len(taken)])
    if getattr(net, "output_fmt", Format.NCHW) == Format.NHWC:
        net.register_forward_hook(_put_channels_first)
    channels = dict(zip(taken, net.feature_info.channels(), strict=True))
    return TimmFeatures(net, channels)


def _put_channels_first(net: nn.Module, inputs: object, maps: list[Tensor]) -> list[Tensor]:
    """A hook of the network, whose names in the state dict stay timm's."""
    return [feature.permute(0, 3, 1, 2) for feature in maps]


def _fit_sizes(name: str, features: TimmFeatures) -> TimmFeatures:
    """`features`, so padded that maps have the sizes that their strides say."""
    if not _find_fault(features, _PROBE):
        return features
    # Inception and NASNet crop a border at each of their first convolutions
    pad_valid_layers(features.net)
    fault = _find_fault(features, _PROBE)
    if not fault:
        return features
    # windows of fixed size fit where the image is a multiple of the one that they are made for
    config = timm.get_pretrained_cfg(name)
    side = config.input_size[-1] if config else 224
    if side % ALIGN == 0 and not _find_fault(features, (side, 2 * side)):
        return replace(features, align=side)
    height, width = _PROBE
    raise ConfigError(
        f"encoder '{name}' is made for images of {side} x {side} alone (at {height} x {width}: "
        f"{fault}); {_ANOTHER}"
    )


def _find_fault(features: TimmFeatures, size: tuple[int, int]) -> str:
    """Why the maps of an image of `size` have not the sizes that their strides say, or an empty
    text.
    """
    height, width = size
    images = torch.zeros(1, 3, height, width)
    if features.patch:
        images = resize_to_grid(images, features.patch)
    # in eval mode, so that the probe leaves no trace in running statistics
    training = features.net.training
    features.net.eval()
    try:
        with torch.no_grad():
            maps = features.net(images)
    except (AssertionError, RuntimeError, ValueError, TypeError) as error:
        text = str(error).strip() or type(error).__name__
        return text.splitlines()[0].rstrip(".")
    finally:
        features.net.train(training)
    if features.patch and len(maps) != len(STRIDES):
        return f"it gives {len(maps)} of {len(STRIDES)} layers"
    shapes = {tuple(feature.shape[1:]) for feature in maps}
    for stride, channels in features.channels.items():
        if (channels, height // stride, width // stride) not in shapes:
            return f"its features of stride {stride} have other sizes"
    return ""


def check_timm_name(name: str, others: Iterable[str] = ()) -> None:
    """Raises ConfigError, with names like it of timm or of `others`, where timm has no such
    network.
    """
    if is_model(name):
        return
    matches = get_close_matches(name, [*others, *list_models()], n=3)
    advice = f"; did you mean {', '.join(matches)}?" if matches else ""
    raise ConfigError(f"unknown encoder '{name}': any timm model with features_only works{advice}")
