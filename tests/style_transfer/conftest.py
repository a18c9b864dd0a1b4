"""A small network with all of VGG-16's layers and strides, and smooth images."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from pixelwise.style_transfer.features import StyleNetwork, VggFeatures


class Small(VggFeatures):
    """VGG-16 with a few channels: every layer and stride there, quick."""

    def __init__(self) -> None:
        super().__init__("vgg16")
        torch.manual_seed(0)
        channels = 3
        for number, layer in enumerate(self.features):
            if isinstance(layer, nn.Conv2d):
                self.features[number] = nn.Conv2d(channels, 6, 3, padding=1)
                channels = 6


@pytest.fixture(scope="session")
def network() -> StyleNetwork:
    return Small().freeze()


def smooth_picture(seed: int, height: int = 64, width: int = 96) -> torch.Tensor:
    """Smooth colours in [0, 1]."""
    small = torch.rand(1, 3, 6, 9, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(small, (height, width), mode="bicubic", align_corners=False)[
        0
    ].clamp(0, 1)


@pytest.fixture(scope="session")
def picture() -> Callable[..., torch.Tensor]:
    """Makes the image (3, height, width) of a seed."""
    return smooth_picture
