"""Joint changes of an image and its labels: the dice are thrown once, both move together, pixel for pixel."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from pixelwise.images import Array
from pixelwise.tasks.labels import VOID

GREY = 127
"""What is put beside an image that is smaller than the crop; about zero after normalisation."""


def as_tensors(rgb: Array, labels: Array) -> tuple[Tensor, Tensor]:
    """(H, W, 3) and (H, W) arrays to uint8 tensors (3, H, W) and (H, W)."""
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1), torch.from_numpy(np.array(labels))


@dataclass(frozen=True)
class Augmentation:
    """Random scale, crop, mirror and photometric jitter.

    A window of crop / scale pixels is cut out and resized to the crop, the image bilinearly, the labels by the nearest
    pixel; where the image ends, the rest of the crop is grey and void.
    """

    crop: tuple[int, int]
    scale: tuple[float, float] = (0.6, 1.8)
    jitter: float = 0.3
    mirror: bool = True

    def __call__(self, image: Tensor, labels: Tensor, dice: torch.Generator) -> tuple[Tensor, Tensor]:
        """uint8 (3, H, W) and (H, W) to uint8 (3, h, w) and (h, w) of the crop's size."""
        image, labels = self._window(image, labels, dice)
        if self.mirror and _uniform(dice, 0, 1) < 0.5:
            image, labels = F.horizontal_flip(image), F.horizontal_flip(labels)
        return self._pad(self._photometric(image, dice), GREY), self._pad(labels, VOID)

    def _window(self, image: Tensor, labels: Tensor, dice: torch.Generator) -> tuple[Tensor, Tensor]:
        scale = float(np.exp(_uniform(dice, *np.log(self.scale))))
        size = [min(full, max(1, round(c / scale))) for full, c in zip(labels.shape, self.crop, strict=True)]
        output = [min(c, max(1, round(s * scale))) for s, c in zip(size, self.crop, strict=True)]
        top, left = (int(_uniform(dice, 0, full - part + 1)) for full, part in zip(labels.shape, size, strict=True))
        image = F.resized_crop(image, top, left, *size, output, InterpolationMode.BILINEAR, antialias=True)
        nearest = InterpolationMode.NEAREST_EXACT  # plain NEAREST is off by up to half a pixel
        return image, F.resized_crop(labels[None], top, left, *size, output, nearest)[0]

    def _photometric(self, image: Tensor, dice: torch.Generator) -> Tensor:
        for change in (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation):
            image = change(image, _uniform(dice, 1 - self.jitter, 1 + self.jitter))
        return image

    def _pad(self, picture: Tensor, fill: int) -> Tensor:
        below, right = (c - s for c, s in zip(self.crop, picture.shape[-2:], strict=True))
        return torch.nn.functional.pad(picture, (0, right, 0, below), value=fill)


def _uniform(dice: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=dice, dtype=torch.float64))
