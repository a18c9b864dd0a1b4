"""The first stages of an encoder, which see the finest features and can be left as they are.

A stage ends with the layer whose output is one of the encoder's features, as MMSegmentation counts
its `frozen_stages`.
"""

from itertools import pairwise

from torch import nn

from pixelwise.errors import ConfigError
from pixelwise.models.encoder import Encoder


def count_stages(encoder: Encoder, *, stride: int) -> int:
    """Stages whose features have at most this stride; 0 for networks that cannot be cut into
    stages.
    """
    if not _stage_ends(encoder):
        return 0
    return sum(1 for feature_stride in encoder.channels if feature_stride <= stride)


def first_layers(encoder: Encoder, stages: int) -> list[nn.Module]:
    """Layers with parameters of their own in the first `stages`, in the network's order.

    Raises ConfigError where the encoder does not have so many stages.
    """
    if not stages:
        return []
    ends = _stage_ends(encoder)
    if stages > len(ends):
        raise ConfigError(
            f"frozen_stages {stages}: encoder '{encoder.name}' has {len(ends)} stages that can be "
            "frozen; choose at most as many"
        )
    layers = []
    for layer in list(encoder.net.modules())[: ends[stages - 1]]:
        if list(layer.parameters(recurse=False)):
            layers.append(layer)
    return layers


def _stage_ends(encoder: Encoder) -> list[int]:
    """By stage, the number of the network's modules up to its end; empty where stages are not one
    after the other, as in HRNet, or the network is not timm's.
    """
    info = getattr(encoder.net, "feature_info", None)
    if info is None:
        return []
    names = [_flatten(name) for name, _ in encoder.net.named_modules()]
    ends = []
    for module in info.module_name():
        block = _flatten(module)
        inside = [
            number
            for number, name in enumerate(names, start=1)
            if name == block or name.startswith(f"{block}_")
        ]
        ends.append(max(inside, default=0))
    is_in_order = all(before < after for before, after in pairwise((0, *ends)))
    return ends if is_in_order else []


def _flatten(name: str) -> str:
    # timm's feature lists join the first levels of a name with an underscore
    return name.replace(".", "_")
