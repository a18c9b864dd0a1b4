"""Encoders as the papers of U-Net and FCN have them."""

from collections.abc import Callable
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import alexnet, vgg16

from pixelwise.errors import ConfigError
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
        self.stages = nn.ModuleList(
            nn.Sequential(conv_block(a, b), conv_block(b, b)) for a, b in pairwise(inputs)
        )
        self.pool = nn.ModuleList(nn.MaxPool2d(2) for _ in list(CONTRACTING_CHANNELS)[1:])

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to the features of each stride, finest first."""
        features = [self.stages[0](images)]
        for pool, stage in zip(self.pool, self.stages[1:], strict=True):
            features.append(stage(pool(features[-1])))
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
        last = max(i for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d))
        self.classifier = layers[:last]
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                layer.ceil_mode = True
        if stem != (0, 0):  # the image is padded unevenly instead, so that sizes halve exactly
            cast(nn.Conv2d, self.features[0]).padding = (0, 0)
        pool3, pool4 = (output_channels(self.features[:tap]) for tap in taps)
        self.channels = {8: pool3, 16: pool4, 32: output_channels(self.classifier)}

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W), sides multiples of 32, to [pool3, pool4, fc7]."""
        before, after = self.stem
        finer, coarser = self.taps
        pool3 = self.features[:finer](F.pad(images, (before, after, before, after)))
        pool4 = self.features[finer:coarser](pool3)
        before, after = self.border
        pool5 = self.features[coarser:](pool4)
        return [pool3, pool4, self.classifier(F.pad(pool5, (before, after, before, after)))]


def fcn_vgg16() -> FullyConvolutional:
    """VGG-16 as in FCN: pool3 with 256 channels, pool4 with 512, fc7 with 4096."""
    return FullyConvolutional(
        vgg16(weights=None, init_weights=False), taps=(17, 24), border=(3, 3), stem=(0, 0)
    )


def fcn_alexnet() -> FullyConvolutional:
    """AlexNet (torchvision's single column) as in FCN: poolings with 64 and 192 channels, fc7 with
    4096.
    """
    return FullyConvolutional(alexnet(weights=None), taps=(3, 6), border=(2, 3), stem=(3, 4))


PAPER_ENCODERS: dict[str, Callable[[], ContractingPath | FullyConvolutional]] = {
    "unet": ContractingPath,
    "fcn_vgg16": fcn_vgg16,
    "fcn_alexnet": fcn_alexnet,
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
    return [layer for layer in layers.modules() if isinstance(layer, nn.Conv2d)][-1].out_channels


def linear_to_convolutions(dense: nn.Sequential, width: int) -> nn.Sequential:
    """Each linear layer as a convolution with the same weights; the first as wide as the map that
    was flattened.
    """
    layers = list[nn.Module]()
    for layer in dense:
        if isinstance(layer, nn.Linear):
            side = round((layer.in_features / width) ** 0.5)
            if side * side * width != layer.in_features:
                raise ConfigError(
                    f"a linear layer of {layer.in_features} inputs is no square map of "
                    f"{width} channels"
                )
            convolution = nn.Conv2d(width, layer.out_features, side, bias=layer.bias is not None)
            with torch.no_grad():
                convolution.weight.copy_(layer.weight.reshape(convolution.weight.shape))
                if convolution.bias is not None:
                    convolution.bias.copy_(layer.bias)
            layers.append(convolution)
            width = layer.out_features
        else:
            layers.append(layer)
    return nn.Sequential(*layers)
