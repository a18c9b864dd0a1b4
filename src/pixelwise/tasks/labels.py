"""Classes of a data set, and how logits are read as labels and confidence."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.errors import DataError

VOID = 255
"""The label of pixels that count nowhere: not in the loss, not in any score."""

MAX_CLASSES = 255

Colour = tuple[int, int, int]


def voc_colormap(count: int) -> tuple[Colour, ...]:
    """The first `count` colours of the Pascal VOC palette: the bits of the id, dealt out to R, G and B from the top.

    Source: the VOC 2012 development kit, `VOClabelcolormap`.
    """

    def colour(label: int) -> Colour:
        channels = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                channels[channel] |= ((label >> (3 * bit + channel)) & 1) << (7 - bit)
        return channels[0], channels[1], channels[2]

    return tuple(colour(label) for label in range(count))


@dataclass(frozen=True)
class Classes:
    """Names and colours of class ids 0..C-1."""

    names: tuple[str, ...]
    palette: tuple[Colour, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= MAX_CLASSES:
            raise DataError(f"{len(self.names)} classes; allowed are 1 to {MAX_CLASSES}, as {VOID} means void")
        if len(set(self.names)) != len(self.names):
            double = sorted({name for name in self.names if self.names.count(name) > 1})
            raise DataError(f"class names must differ, but these stand twice: {', '.join(double)}")
        if len(self.palette) != len(self.names):
            raise DataError(f"{len(self.palette)} colours for {len(self.names)} classes; give one colour a class")

    @classmethod
    def named(cls, names: tuple[str, ...]) -> "Classes":
        """Classes in the colours of the VOC palette."""
        return cls(names, voc_colormap(len(names)))

    def __len__(self) -> int:
        return len(self.names)


def read_labels(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Labels (uint8) and confidence (float32, the label's softmax), both (..., H, W), from logits (..., C, H, W)."""
    top, labels = logits.max(dim=-3)
    confidence = (top.float() - torch.logsumexp(logits.float(), dim=-3)).exp()
    return labels.to(torch.uint8), confidence
