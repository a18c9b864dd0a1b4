"""Encoders as the papers of U-Net and FCN have them, and as Keras has ResNet-V2."""

from collections.abc import Callable
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import alexnet, vgg16

from pixelwise.errors import ConfigError
from pixelwise.models.keras_resnet import KERAS_RESNETS, KerasResNetV2
from pixelwise.models.layers import conv_block

# Channels of U-Net's contracting path by stride.
CONTRACTING_CHANNELS = {1: 64, 2: 128, 4: 256, 8: 512, 16: 1024}


class ContractingPath(nn.Module):
    """U-Net's own encoder: two convolutions 3x3, then a max-pooling 2x2, five times from 64 to 1024
    channels.

    Source: Ronneberger, Fischer, Brox, MICCAI 2015, figure 1; padded and batch-normalised, so that
    nothing is cropped.
    """

    channels = CONTRACTING_CHANNELS

    def __init__(self) -> None:
        super().__init__()
        inputs = [3, *CONTRACTING_CHANNELS.values()]
        self.stages = nn.ModuleList()
        for before, after in pairwise(inputs):
            first = conv_block(before, after)
            second = conv_block(after, after)
            self.stages.append(nn.Sequential(first, second))
        # a pooling of its own for each stage: unpooling keeps the indices in the layer
        poolings = len(CONTRACTING_CHANNELS) - 1
        self.pool = nn.ModuleList(nn.MaxPool2d(2) for _ in range(poolings))

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to the features of each stride, finest first."""
        first, *coarser = self.stages
        features = [first(images)]
        for pool, stage in zip(self.pool, coarser, strict=True):
            pooled = pool(features[-1])
            features.append(stage(pooled))
        return features


class FullyConvolutional(nn.Module):
    """A classifier's convolutions and, as convolutions, its fully connected layers but the last:
    the encoder of FCN.

    Gives pool3, pool4 (AlexNet: the first and second pooling) and fc7, at strides 8, 16 and 32.
    Layers have the names of torchvision's network. Source: Long et al. 2015, sections 3.1 and 4.1.
    Where the paper pads the image by 100 pixels and crops the scores, fc6 is padded here to keep
    the map's size: the scores of the interior see the same.
    """

    def __init__(
        self,
        classifier: nn.Module,
        *,
        taps: tuple[int, int],
        border: tuple[int, int],
        stem: tuple[int, int],
    ):
        super().__init__()
        self.features, dense = split_classifier(classifier)
        self.taps = taps
        self.border = border
        self.stem = stem
        layers = linear_to_convolutions(dense, output_channels(self.features))
        self.classifier = _drop_last_convolution(layers)
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                # as in Caffe, in which the paper's networks are written
                layer.ceil_mode = True
        if stem != (0, 0):
            # the image is padded unevenly instead, so that sizes halve exactly
            cast(nn.Conv2d, self.features[0]).padding = (0, 0)
        finer, coarser = taps
        self.channels = {
            8: output_channels(self.features[:finer]),
            16: output_channels(self.features[:coarser]),
            32: output_channels(self.classifier),
        }

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W), sides multiples of 32, to [pool3, pool4, fc7]."""
        finer, coarser = self.taps
        padded = _pad_unevenly(images, self.stem)
        pool3 = self.features[:finer](padded)  # (N, C, H / 8, W / 8)
        pool4 = self.features[finer:coarser](pool3)  # (N, C, H / 16, W / 16)
        pool5 = self.features[coarser:](pool4)  # (N, C, H / 32, W / 32)
        padded = _pad_unevenly(pool5, self.border)
        fc7 = self.classifier(padded)  # (N, 4096, H / 32, W / 32)
        return [pool3, pool4, fc7]


def _drop_last_convolution(layers: nn.Sequential) -> nn.Sequential:
    # dropout and ReLU of fc7 stand before it and stay
    last = max(number for number, layer in enumerate(layers) if isinstance(layer, nn.Conv2d))
    return layers[:last]


def _pad_unevenly(x: Tensor, border: tuple[int, int]) -> Tensor:
    """With zeros, (before, after) on both axes."""
    before, after = border
    return F.pad(x, (before, after, before, after))


def fcn_vgg16() -> FullyConvolutional:
    """VGG-16 as in FCN: pool3 with 256 channels, pool4 with 512, fc7 with 4096."""
    # without torchvision's own initialisation, which takes seconds for 138 million weights
    network = vgg16(weights=None, init_weights=False)
    return FullyConvolutional(
        network,
        taps=(17, 24),
        border=(3, 3),
        stem=(0, 0),
    )


def fcn_alexnet() -> FullyConvolutional:
    """AlexNet (torchvision's single column) as in FCN: poolings with 64 and 192 channels, fc7 with
    4096.
    """
    network = alexnet(weights=None)
    return FullyConvolutional(
        network,
        taps=(3, 6),
        border=(2, 3),
        stem=(3, 4),
    )


PAPER_ENCODERS: dict[str, Callable[[], ContractingPath | FullyConvolutional | KerasResNetV2]] = {
    "unet": ContractingPath,
    "fcn_vgg16": fcn_vgg16,
    "fcn_alexnet": fcn_alexnet,
    **KERAS_RESNETS,
}


def split_classifier(classifier: nn.Module) -> tuple[nn.Sequential, nn.Sequential]:
    """The convolutions and the linear layers of a classifier of torchvision. Raises ConfigError for
    one of another build.
    """
    features = getattr(classifier, "features", None)
    dense = getattr(classifier, "classifier", None)
    if not isinstance(features, nn.Sequential) or not isinstance(dense, nn.Sequential):
        raise ConfigError(
            f"{type(classifier).__name__}: needs `features` and a `classifier` of linear "
            "layers, as torchvision's "
            "vgg16 and alexnet have"
        )
    return features, dense


def output_channels(layers: nn.Module) -> int:
    """Channels that the last convolution gives."""
    convolutions = [layer for layer in layers.modules() if isinstance(layer, nn.Conv2d)]
    return convolutions[-1].out_channels


def linear_to_convolutions(dense: nn.Sequential, width: int) -> nn.Sequential:
    """Each linear layer as a convolution with the same weights; the first as wide as the map that
    was flattened.
    """
    layers = list[nn.Module]()
    for layer in dense:
        if isinstance(layer, nn.Linear):
            layers.append(_linear_to_convolution(layer, width))
            width = layer.out_features
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


def _linear_to_convolution(layer: nn.Linear, width: int) -> nn.Conv2d:
    """For a layer that takes a flattened square map of `width` channels."""
    side = round((layer.in_features / width) ** 0.5)
    if side * side * width != layer.in_features:
        raise ConfigError(
            f"a linear layer of {layer.in_features} inputs is no square map of {width} channels"
        )
    convolution = nn.Conv2d(width, layer.out_features, side, bias=layer.bias is not None)
    # torch.flatten puts the channels first, as a convolution's weight has them
    weight = layer.weight.reshape(convolution.weight.shape)
    with torch.no_grad():
        convolution.weight.copy_(weight)
        if convolution.bias is not None:
            convolution.bias.copy_(layer.bias)
    return convolution
