"""Joint changes of an image and its labels: the dice are thrown once, both move together, pixel for
pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from pixelwise.classes import VOID
from pixelwise.io.images import Array, jpeg_round_trip

GREY = 127
"""What is put beside an image that is smaller than the crop; about zero after normalisation."""
PASTED = 0.7
"""Chance of a rare class of another sample to be laid over this one."""
PASTES = ("half", "rare")


def as_tensors(rgb: Array, labels: Array) -> tuple[Tensor, Tensor]:
    """(H, W, 3) and (H, W) arrays to uint8 tensors (3, H, W) and (H, W)."""
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1), torch.from_numpy(np.array(labels))


@dataclass(frozen=True)
class Augmentation:
    """Random scale, crop, mirror, rotation, colours and flaws.

    A window of crop / scale pixels is cut out and resized to the crop, the image bilinearly, the
    labels by the nearest pixel; where the image ends, the rest of the crop is grey and void. An
    image is not made smaller than the crop, which would only be filled up with void.

    scale: lowest and highest factor, drawn evenly in its logarithm. jitter: largest relative change
    of brightness, contrast and saturation. hue: largest turn, as a share of the colour circle.
    rotate: largest angle in degrees. upright: if false, a sample is as likely in each of the eight
    ways that quarter turns and mirrors make of it. flaws: share of the samples that are blurred,
    noisy or compressed (one of them). rare: share of the samples whose window holds a pixel of a
    class drawn with the weights `rarity` (C,) from those in the image.
    """

    crop: tuple[int, int]
    scale: tuple[float, float] = (0.6, 1.8)
    jitter: float = 0.3
    hue: float = 0.0
    rotate: float = 0.0
    flaws: float = 0.0
    mirror: bool = True
    upright: bool = True
    rare: float = 0.0
    rarity: tuple[float, ...] = ()

    def __call__(
        self, image: Tensor, labels: Tensor, dice: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """uint8 (3, H, W) and (H, W) to uint8 (3, h, w) and (h, w) of the crop's size."""
        if not self.upright and _uniform(dice, 0, 1) < 0.5:
            image = image.mT
            labels = labels.mT
        image, labels = self._window(image, labels, dice)
        if not self.upright and _uniform(dice, 0, 1) < 0.5:
            image = F.vertical_flip(image)
            labels = F.vertical_flip(labels)
        if self.mirror and _uniform(dice, 0, 1) < 0.5:
            image = F.horizontal_flip(image)
            labels = F.horizontal_flip(labels)
        if self.rotate:
            image, labels = _rotated(image, labels, _uniform(dice, -self.rotate, self.rotate))
        image = self._photometric(image, dice)
        if self.flaws and _uniform(dice, 0, 1) < self.flaws:
            image = _flawed(image, dice)
        return self._pad(image, GREY), self._pad(labels, VOID)

    def _window(
        self, image: Tensor, labels: Tensor, dice: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        full = labels.shape
        fitting = max(c / side for c, side in zip(self.crop, full, strict=True))
        low = max(self.scale[0], min(1.0, fitting))
        high = self.scale[1]
        scale = float(np.exp(_uniform(dice, *np.log((low, max(low, high))))))
        size = [
            min(side, max(1, round(c / scale))) for side, c in zip(full, self.crop, strict=True)
        ]
        output = [
            c if part < side or part == round(c / scale) else min(c, max(1, round(part * scale)))
            for side, part, c in zip(full, size, self.crop, strict=True)
        ]
        top, left = self._corner(labels, size, dice)
        image = F.resized_crop(
            image, top, left, *size, output, InterpolationMode.BILINEAR, antialias=True
        )
        nearest = InterpolationMode.NEAREST_EXACT  # plain NEAREST is off by up to half a pixel
        return image, F.resized_crop(labels[None], top, left, *size, output, nearest)[0]

    def _corner(self, labels: Tensor, size: list[int], dice: torch.Generator) -> tuple[int, int]:
        """Where the window begins: anywhere, or round a pixel of a rare class."""
        pixel = (
            self._rare_pixel(labels, dice)
            if self.rare and _uniform(dice, 0, 1) < self.rare
            else None
        )
        starts = []
        for axis, (full, part) in enumerate(zip(labels.shape, size, strict=True)):
            low, high = (
                (0, full - part) if pixel is None else (max(0, pixel[axis] - part + 1), pixel[axis])
            )
            starts.append(int(_uniform(dice, low, min(high, full - part) + 1)))
        return starts[0], starts[1]

    def _rare_pixel(self, labels: Tensor, dice: torch.Generator) -> tuple[int, int] | None:
        counts = torch.bincount(labels.flatten().int(), minlength=256)[: len(self.rarity)]
        weights = torch.tensor(self.rarity) * (counts > 0)
        if not weights.any():
            return None
        places = (labels == int(torch.multinomial(weights, 1, generator=dice))).nonzero()
        row, column = places[int(torch.randint(len(places), (), generator=dice))].tolist()
        return row, column

    def _photometric(self, image: Tensor, dice: torch.Generator) -> Tensor:
        for change in (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation):
            if self.jitter:
                image = change(image, _uniform(dice, 1 - self.jitter, 1 + self.jitter))
        return F.adjust_hue(image, _uniform(dice, -self.hue, self.hue)) if self.hue else image

    def _pad(self, picture: Tensor, fill: int) -> Tensor:
        below, right = (c - s for c, s in zip(self.crop, picture.shape[-2:], strict=True))
        return torch.nn.functional.pad(picture, (0, right, 0, below), value=fill)


AUGMENTATIONS: dict[str, dict[str, Any]] = {
    "none": {"scale": (1.0, 1.0), "jitter": 0.0, "mirror": False},
    "light": {"scale": (0.75, 1.5), "jitter": 0.2},
    "medium": {"scale": (0.6, 1.8), "jitter": 0.3},
    "strong": {
        "scale": (0.5, 2.0),
        "jitter": 0.4,
        "hue": 0.05,
        "rotate": 10.0,
        "flaws": 0.3,
        "rare": 0.5,
    },
}
"""Fields of Augmentation by strength."""


def pasted(
    image: Tensor,
    labels: Tensor,
    other: tuple[Tensor, Tensor],
    dice: torch.Generator,
    among: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`image` (3, h, w) and `labels` (h, w) with classes of another sample laid over them.

    Half of the sample's classes at random (Olsson et al. 2021, "ClassMix", section 3.1, here with
    true labels), or of the class ids `among` each with a chance of PASTED.
    """
    above, over = other
    there = torch.unique(over[over != VOID])
    if among is None:
        chosen = there[torch.randperm(len(there), generator=dice)[: (len(there) + 1) // 2]]
    else:
        there = there[torch.isin(there, among)]
        chosen = there[torch.rand(len(there), generator=dice) < PASTED]
    mask = torch.isin(over, chosen)
    return torch.where(mask, above, image), torch.where(mask, over, labels)


def rare_classes(rarity: Sequence[float], pixels: Sequence[int]) -> Tensor:
    """Ids (uint8) of the classes that are rarer than the median class, of those with pixels; both
    by class id.
    """
    there = torch.tensor(pixels) > 0
    rare = torch.tensor(rarity)
    return torch.nonzero(there & (rare > rare[there].quantile(0.5)))[:, 0].to(torch.uint8)


def _rotated(image: Tensor, labels: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    turned: Tensor = F.rotate(labels[None], angle, InterpolationMode.NEAREST, fill=[VOID])[0]
    return F.rotate(image, angle, InterpolationMode.BILINEAR, fill=[GREY] * 3), turned


def _flawed(image: Tensor, dice: torch.Generator) -> Tensor:
    """Blurred, noisy or compressed as JPEG."""
    kind = int(_uniform(dice, 0, 3))
    changed: Tensor
    if kind == 0 and min(image.shape[-2:]) >= 5:
        changed = F.gaussian_blur(image, [5, 5], [_uniform(dice, 0.3, 1.5)])
    elif kind == 1:
        noise = torch.randn(image.shape, generator=dice) * _uniform(dice, 2, 12)
        changed = (image + noise).round_().clamp_(0, 255).to(torch.uint8)
    else:
        rgb = jpeg_round_trip(image.permute(1, 2, 0).numpy(), int(_uniform(dice, 30, 90)))
        changed = as_tensors(rgb, rgb[..., 0])[0]
    return changed


def _uniform(dice: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=dice, dtype=torch.float64))
