"""Joint changes of an image and its labels: random parameters are drawn once, and both move
together, pixel for pixel.
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

# Padding of an image that is smaller than the crop; about zero after normalisation.
GREY = 127

# Chance of a rare class of another sample to be pasted over this one.
PASTE_PROBABILITY = 0.7


def as_tensors(rgb: Array, labels: Array) -> tuple[Tensor, Tensor]:
    """(H, W, 3) and (H, W) arrays to uint8 tensors (3, H, W) and (H, W)."""
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1), torch.from_numpy(np.array(labels))


@dataclass(frozen=True)
class Augmentation:
    """Random scale, crop, mirror, rotation, colours and corruptions.

    A window of crop / scale pixels is cut out and resized to the crop, the image bilinearly, the
    labels by the nearest pixel; where the image ends, the rest of the crop is grey and void. An
    image is not made smaller than the crop, which would only be padded with void.
    """

    crop: tuple[int, int]
    """(height, width) of a sample."""
    scale: tuple[float, float] = (0.6, 1.8)
    """Lowest and highest factor; its logarithm is uniform."""
    jitter: float = 0.3
    """Largest relative change of brightness, contrast and saturation."""
    hue: float = 0.0
    """Largest change of the hue, as a share of the colour circle."""
    rotate: float = 0.0
    """Largest angle, in degrees."""
    corruptions: float = 0.0
    """Share of the samples that are blurred, noisy or compressed (one of them)."""
    mirror: bool = True
    """Mirror half of the samples."""
    upright: bool = True
    """If false, each of the eight quarter turns and mirrors is as likely."""
    rare: float = 0.0
    """Share of the samples whose window holds a pixel of a class drawn by `class_weights`."""
    class_weights: tuple[float, ...] = ()
    """(C,), the weight of each class when one of those in the image is drawn."""

    def __call__(
        self, image: Tensor, labels: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """uint8 (3, H, W) and (H, W) to uint8 (3, h, w) and (h, w) of the crop's size."""
        if not self.upright and _uniform(rng, 0, 1) < 0.5:
            image = image.mT
            labels = labels.mT
        image, labels = self._window(image, labels, rng)
        if not self.upright and _uniform(rng, 0, 1) < 0.5:
            image = F.vertical_flip(image)
            labels = F.vertical_flip(labels)
        if self.mirror and _uniform(rng, 0, 1) < 0.5:
            image = F.horizontal_flip(image)
            labels = F.horizontal_flip(labels)
        if self.rotate:
            image, labels = _rotate(image, labels, _uniform(rng, -self.rotate, self.rotate))
        image = self._photometric(image, rng)
        if self.corruptions and _uniform(rng, 0, 1) < self.corruptions:
            image = _corrupt(image, rng)
        return self._pad(image, GREY), self._pad(labels, VOID)

    def _window(self, image: Tensor, labels: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        full = labels.shape
        fitting = max(c / side for c, side in zip(self.crop, full, strict=True))
        low = max(self.scale[0], min(1.0, fitting))
        high = self.scale[1]
        scale = float(np.exp(_uniform(rng, *np.log((low, max(low, high))))))
        size = [
            min(side, max(1, round(c / scale))) for side, c in zip(full, self.crop, strict=True)
        ]
        output = [
            c if part < side or part == round(c / scale) else min(c, max(1, round(part * scale)))
            for side, part, c in zip(full, size, self.crop, strict=True)
        ]
        top, left = self._corner(labels, size, rng)
        image = F.resized_crop(
            image, top, left, *size, output, InterpolationMode.BILINEAR, antialias=True
        )
        nearest = InterpolationMode.NEAREST_EXACT  # plain NEAREST is off by up to half a pixel
        return image, F.resized_crop(labels[None], top, left, *size, output, nearest)[0]

    def _corner(self, labels: Tensor, size: list[int], rng: torch.Generator) -> tuple[int, int]:
        """Top and left of the window: anywhere, or around a pixel of a rare class."""
        pixel = None
        if self.rare and _uniform(rng, 0, 1) < self.rare:
            pixel = self._rare_pixel(labels, rng)
        starts = []
        for axis, (full, part) in enumerate(zip(labels.shape, size, strict=True)):
            low = 0 if pixel is None else max(0, pixel[axis] - part + 1)
            high = full - part if pixel is None else pixel[axis]
            starts.append(int(_uniform(rng, low, min(high, full - part) + 1)))
        return starts[0], starts[1]

    def _rare_pixel(self, labels: Tensor, rng: torch.Generator) -> tuple[int, int] | None:
        counts = torch.bincount(labels.flatten().int(), minlength=256)[: len(self.class_weights)]
        weights = torch.tensor(self.class_weights) * (counts > 0)
        if not weights.any():
            return None
        drawn = int(torch.multinomial(weights, 1, generator=rng))
        pixels = (labels == drawn).nonzero()  # (N, 2)
        row, column = pixels[int(torch.randint(len(pixels), (), generator=rng))].tolist()
        return row, column

    def _photometric(self, image: Tensor, rng: torch.Generator) -> Tensor:
        for change in (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation):
            if self.jitter:
                image = change(image, _uniform(rng, 1 - self.jitter, 1 + self.jitter))
        return F.adjust_hue(image, _uniform(rng, -self.hue, self.hue)) if self.hue else image

    def _pad(self, picture: Tensor, fill: int) -> Tensor:
        height, width = picture.shape[-2:]
        padding = (0, self.crop[1] - width, 0, self.crop[0] - height)
        return torch.nn.functional.pad(picture, padding, value=fill)


# Fields of Augmentation by strength.
AUGMENTATIONS: dict[str, dict[str, Any]] = {
    "none": {"scale": (1.0, 1.0), "jitter": 0.0, "mirror": False},
    "light": {"scale": (0.75, 1.5), "jitter": 0.2},
    "medium": {"scale": (0.6, 1.8), "jitter": 0.3},
    "strong": {
        "scale": (0.5, 2.0),
        "jitter": 0.4,
        "hue": 0.05,
        "rotate": 10.0,
        "corruptions": 0.3,
        "rare": 0.5,
    },
}


def classmix(
    image: Tensor,
    labels: Tensor,
    other: tuple[Tensor, Tensor],
    rng: torch.Generator,
    candidates: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`image` (3, h, w) and `labels` (h, w) with classes of another sample pasted over them.

    Half of the sample's classes at random (Olsson et al. 2021, "ClassMix", section 3.1, here with
    true labels), or of the class ids `candidates` each with the chance PASTE_PROBABILITY.
    """
    other_image, other_labels = other
    present = torch.unique(other_labels[other_labels != VOID])
    if candidates is None:
        half = (len(present) + 1) // 2
        pasted = present[torch.randperm(len(present), generator=rng)[:half]]
    else:
        present = present[torch.isin(present, candidates)]
        pasted = present[torch.rand(len(present), generator=rng) < PASTE_PROBABILITY]
    mask = torch.isin(other_labels, pasted)
    return torch.where(mask, other_image, image), torch.where(mask, other_labels, labels)


def rare_classes(class_weights: Sequence[float], pixels: Sequence[int]) -> Tensor:
    """Ids (uint8) of the classes rarer than the median class, by their weights and pixel counts;
    classes without pixels count nowhere.
    """
    present = torch.tensor(pixels) > 0
    weights = torch.tensor(class_weights)
    rare = present & (weights > weights[present].quantile(0.5))
    return torch.nonzero(rare)[:, 0].to(torch.uint8)


def _rotate(image: Tensor, labels: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    rotated: Tensor = F.rotate(labels[None], angle, InterpolationMode.NEAREST, fill=[VOID])[0]
    return F.rotate(image, angle, InterpolationMode.BILINEAR, fill=[GREY] * 3), rotated


def _corrupt(image: Tensor, rng: torch.Generator) -> Tensor:
    """Blur the image, add noise, or compress it as JPEG."""
    kind = int(_uniform(rng, 0, 3))
    changed: Tensor
    if kind == 0 and min(image.shape[-2:]) >= 5:
        changed = F.gaussian_blur(image, [5, 5], [_uniform(rng, 0.3, 1.5)])
    elif kind == 1:
        noise = torch.randn(image.shape, generator=rng) * _uniform(rng, 2, 12)
        changed = (image + noise).round_().clamp_(0, 255).to(torch.uint8)
    else:
        rgb = jpeg_round_trip(image.permute(1, 2, 0).numpy(), int(_uniform(rng, 30, 90)))
        changed = as_tensors(rgb, rgb[..., 0])[0]
    return changed


def _uniform(rng: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=rng, dtype=torch.float64))
