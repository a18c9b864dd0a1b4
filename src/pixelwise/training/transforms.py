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
from pixelwise.training.band_augmentation import jitter_bands

# Padding of an image that is smaller than the crop; about zero after normalisation.
GREY = 127

# Chance of a rare class of another sample to be pasted over this one.
PASTE_PROBABILITY = 0.7


def as_tensors(pixels: Array, labels: Array) -> tuple[Tensor, Tensor]:
    """(H, W, channels) and (H, W) or (C, H, W) arrays to uint8 tensors (channels, H, W) and as the
    labels are.
    """
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1), torch.from_numpy(np.array(labels))


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
    by_band: bool = False
    """Whether the image's channels are bands that are no colours, of which each changes by itself,
    without hue and compression."""

    def __call__(
        self,
        image: Tensor,
        labels: Tensor,
        rng: torch.Generator,
        factor: float = 1.0,
    ) -> tuple[Tensor, Tensor]:
        """uint8 (channels, H, W) and labels (H, W), or layers (C, H, W), to uint8 of the crop's
        size; the scale is of an image that is resized by `factor`.
        """
        if not self.upright and _uniform(rng, 0, 1) < 0.5:
            image = image.mT
            labels = labels.mT
        image, labels = self._window(image, labels, rng, factor)
        image, labels = self._flip(image, labels, rng)
        if self.rotate:
            angle = _uniform(rng, -self.rotate, self.rotate)
            image, labels = _rotate(image, labels, angle)
        image = self._photometric(image, rng)
        if self.corruptions and _uniform(rng, 0, 1) < self.corruptions:
            image = _corrupt(image, rng, by_band=self.by_band)
        return self._pad(image, GREY), self._pad(labels, VOID)

    def _window(
        self, image: Tensor, labels: Tensor, rng: torch.Generator, factor: float
    ) -> tuple[Tensor, Tensor]:
        """A random window of both, resized to the crop or to the part of it that they fill."""
        scale = self._draw_scale(labels, rng, factor)
        size = []
        output = []
        for side, crop in zip(labels.shape[-2:], self.crop, strict=True):
            length, resized = _fit_window(side, crop, scale)
            size.append(length)
            output.append(resized)
        top, left = self._corner(labels, size, rng)
        window = (top, left, *size)
        smooth = InterpolationMode.BILINEAR
        nearest = InterpolationMode.NEAREST_EXACT  # plain NEAREST is off by up to half a pixel
        image = F.resized_crop(image, *window, output, smooth, antialias=True)
        cropped = F.resized_crop(labels[None], *window, output, nearest)  # (1, h, w)
        return image, cropped[0]

    def _draw_scale(self, labels: Tensor, rng: torch.Generator, factor: float) -> float:
        """Uniform in its logarithm, so that halving is as likely as doubling."""
        sides = zip(self.crop, labels.shape[-2:], strict=True)
        fitting = max(crop / side for crop, side in sides)
        # An image made smaller than the crop would only be padded with void.
        low = max(factor * self.scale[0], min(factor, fitting))
        high = max(low, factor * self.scale[1])
        low_exponent, high_exponent = np.log((low, high))
        return float(np.exp(_uniform(rng, low_exponent, high_exponent)))

    def _flip(self, image: Tensor, labels: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        if not self.upright and _uniform(rng, 0, 1) < 0.5:
            image = F.vertical_flip(image)
            labels = F.vertical_flip(labels)
        if self.mirror and _uniform(rng, 0, 1) < 0.5:
            image = F.horizontal_flip(image)
            labels = F.horizontal_flip(labels)
        return image, labels

    def _corner(self, labels: Tensor, size: list[int], rng: torch.Generator) -> tuple[int, int]:
        """Top and left of the window: anywhere, or around a pixel of a rare class."""
        pixel = None
        if self.rare and _uniform(rng, 0, 1) < self.rare:
            pixel = self._rare_pixel(labels, rng)
        starts = []
        for axis, (full, part) in enumerate(zip(labels.shape[-2:], size, strict=True)):
            low = 0
            high = full - part
            if pixel is not None:
                # The first and the last start at which the window still holds the pixel.
                low = max(0, pixel[axis] - part + 1)
                high = min(high, pixel[axis])
            start = _uniform(rng, low, high + 1)
            starts.append(int(start))
        return starts[0], starts[1]

    def _rare_pixel(self, labels: Tensor, rng: torch.Generator) -> tuple[int, int] | None:
        classes = len(self.class_weights)
        if labels.ndim == 3:
            counts = (labels == 1).sum((1, 2))
        else:
            counts = torch.bincount(labels.flatten().int(), minlength=256)[:classes]
        weights = torch.tensor(self.class_weights) * (counts > 0)
        if not weights.any():
            return None
        label = int(torch.multinomial(weights, 1, generator=rng))
        of_class = labels[label] == 1 if labels.ndim == 3 else labels == label
        pixels = of_class.nonzero()  # (N, 2)
        index = int(torch.randint(len(pixels), (), generator=rng))
        row, column = pixels[index].tolist()
        return row, column

    def _photometric(self, image: Tensor, rng: torch.Generator) -> Tensor:
        if self.by_band:
            return jitter_bands(image, self.jitter, rng) if self.jitter else image
        for change in (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation):
            if self.jitter:
                factor = _uniform(rng, 1 - self.jitter, 1 + self.jitter)
                image = change(image, factor)
        if self.hue:
            shift = _uniform(rng, -self.hue, self.hue)
            image = F.adjust_hue(image, shift)
        return image

    def _pad(self, picture: Tensor, fill: int) -> Tensor:
        height, width = picture.shape[-2:]
        padding = (0, self.crop[1] - width, 0, self.crop[0] - height)
        return torch.nn.functional.pad(picture, padding, value=fill)


# Fields of Augmentation by strength.
AUGMENTATIONS: dict[str, dict[str, Any]] = {
    "none": {"scale": (1.0, 1.0), "jitter": 0.0, "mirror": False},
    "slight": {"scale": (1.0, 1.0), "jitter": 0.1, "rare": 0.5},
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
    pasted = _draw_classes(other_labels, candidates, rng)
    mask = torch.isin(other_labels, pasted)  # (h, w)
    mixed_image = torch.where(mask, other_image, image)
    mixed_labels = torch.where(mask, other_labels, labels)
    return mixed_image, mixed_labels


def _draw_classes(labels: Tensor, candidates: Tensor | None, rng: torch.Generator) -> Tensor:
    """The class ids that `classmix` pastes."""
    present: Tensor = torch.unique(labels[labels != VOID])
    if candidates is None:
        half = (len(present) + 1) // 2
        order = torch.randperm(len(present), generator=rng)
        return present[order[:half]]
    present = present[torch.isin(present, candidates)]
    is_pasted = torch.rand(len(present), generator=rng) < PASTE_PROBABILITY
    return present[is_pasted]


def rare_classes(class_weights: Sequence[float], pixels: Sequence[int]) -> Tensor:
    """Ids (uint8) of the classes rarer than the median class, by their weights and pixel counts;
    classes without pixels count nowhere.
    """
    present = torch.tensor(pixels) > 0
    weights = torch.tensor(class_weights)
    rare = present & (weights > weights[present].quantile(0.5))
    return torch.nonzero(rare)[:, 0].to(torch.uint8)


def _rotate(image: Tensor, labels: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    rotated: Tensor = F.rotate(image, angle, InterpolationMode.BILINEAR, fill=[GREY] * len(image))
    rotated_labels: Tensor = F.rotate(labels[None], angle, InterpolationMode.NEAREST, fill=[VOID])
    return rotated, rotated_labels[0]


def _fit_window(side: int, crop: int, scale: float) -> tuple[int, int]:
    """How much of an image's side a window takes, and the length that it is resized to."""
    ideal = round(crop / scale)
    length = min(side, max(1, ideal))
    if length < side or length == ideal:
        return length, crop
    # The image ends before the window does: the rest of the crop is padded.
    return length, min(crop, max(1, round(length * scale)))


def _corrupt(image: Tensor, rng: torch.Generator, *, by_band: bool = False) -> Tensor:
    """Blur the image, add noise, or, of photos, compress it as JPEG."""
    kind = int(_uniform(rng, 0, 2 if by_band else 3))
    if kind == 0 and min(image.shape[-2:]) >= 5:  # the size of the kernel
        sigma = _uniform(rng, 0.3, 1.5)
        blurred: Tensor = F.gaussian_blur(image, [5, 5], [sigma])
        return blurred
    if kind == 1 or by_band:
        return _add_noise(image, rng)
    return _compress(image, rng)


def _add_noise(image: Tensor, rng: torch.Generator) -> Tensor:
    noise = torch.randn(image.shape, generator=rng)
    strength = _uniform(rng, 2, 12)
    noisy: Tensor = image + noise * strength
    return noisy.round_().clamp_(0, 255).to(torch.uint8)


def _compress(image: Tensor, rng: torch.Generator) -> Tensor:
    quality = int(_uniform(rng, 30, 90))
    rgb = jpeg_round_trip(image.permute(1, 2, 0).numpy(), quality)  # (H, W, 3)
    tensor, _ = as_tensors(rgb, rgb[..., 0])
    return tensor


def _uniform(rng: torch.Generator, low: float, high: float) -> float:

    share = float(torch.rand((), generator=rng, dtype=torch.float64))
    return low + (high - low) * share
