"""U-Net and LinkNet with the layers that the course's listings have, where those run at all.

They differ from the papers' networks, which `build_model(..., plain=True)` builds: U-Net without
batch normalisation and with transposed convolutions of 3 x 3, LinkNet with four halvings in its
encoder, so that its coarsest stride is 64. The listings' mistakes are mended as docs/course/errata
says.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

UNET_CHANNELS = (64, 128, 256, 512, 1024)
LINKNET_CHANNELS = (64, 64, 128, 256, 512)


class ListedUNet(nn.Module):
    """(N, 3, H, W) to scores (N, classes, H, W); sides are multiples of 16."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.down = nn.ModuleList(_two_convolutions(a, b) for a, b in pairwise((3, *UNET_CHANNELS)))
        self.pool = nn.MaxPool2d(2)
        upwards = list(pairwise(reversed(UNET_CHANNELS)))
        self.enlarge = nn.ModuleList(_enlarge_by_3x3(a, b) for a, b in upwards)
        self.up = nn.ModuleList(_two_convolutions(a, b) for a, b in upwards)
        self.scores = nn.Conv2d(UNET_CHANNELS[0], classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Scores before softmax."""
        first, *deeper = self.down
        features = [first(images)]
        for block in deeper:
            features.append(block(self.pool(features[-1])))
        x = features.pop()
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            x = block(torch.cat([features.pop(), enlarge(x)], dim=1))
        scores: Tensor = self.scores(x)
        return scores


def _two_convolutions(inputs: int, outputs: int) -> nn.Sequential:
    first = nn.Conv2d(inputs, outputs, 3, padding=1)
    second = nn.Conv2d(outputs, outputs, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


def _enlarge_by_3x3(inputs: int, outputs: int) -> nn.Sequential:
    # the listing leaves `padding=1` out: 16 would become 34
    layer = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(layer, nn.ReLU())


class ListedLinkNet(nn.Module):
    """(N, 3, H, W) to scores (N, classes, H, W); sides are multiples of 64."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.stem = nn.Sequential(_convolve(3, 64, kernel=7, stride=2), nn.MaxPool2d(2))
        pairs = list(pairwise(LINKNET_CHANNELS))
        self.encoders = nn.ModuleList(_EncoderBlock(a, b) for a, b in pairs)
        self.decoders = nn.ModuleList(_decoder_block(b, a) for a, b in reversed(pairs))
        self.head = nn.Sequential(
            _enlarge_normalised(64, 32),
            _convolve(32, 32),
            nn.ConvTranspose2d(32, classes, 2, stride=2),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Scores before softmax."""
        x = self.stem(images)
        features = []
        for block in self.encoders:
            x = block(x)
            features.append(x)
        x = features.pop()
        *joined, last = self.decoders
        for block in joined:
            x = block(x) + features.pop()
        scores: Tensor = self.head(last(x))
        return scores


class _EncoderBlock(nn.Module):
    """Four convolutions in two residual steps, the first of which halves."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        halve = _convolve(inputs, outputs, stride=2)
        self.first = nn.Sequential(halve, _convolve(outputs, outputs))
        self.short = _convolve(inputs, outputs, stride=2)
        self.second = nn.Sequential(_convolve(outputs, outputs), _convolve(outputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        halved = self.first(x) + self.short(x)
        # the listing adds what `first` gave instead
        result: Tensor = self.second(halved) + halved
        return result


def _decoder_block(inputs: int, outputs: int) -> nn.Sequential:
    inner = inputs // 4
    return nn.Sequential(
        _convolve(inputs, inner, kernel=1),
        _enlarge_normalised(inner, inner),
        _convolve(inner, outputs, kernel=1),
    )


def _convolve(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())


def _enlarge_normalised(inputs: int, outputs: int) -> nn.Sequential:
    layer = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())
