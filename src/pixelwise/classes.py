"""Classes of a data set, and how logits are read as labels and confidence."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import DataError

# The label of pixels that count nowhere: not in the loss, not in any score.
VOID = 255

MAX_CLASSES = 255

Colour = tuple[int, int, int]

# The colour of void in the palettes of Pascal VOC.
VOID_COLOUR: Colour = (224, 224, 192)

Labels = NDArray[np.uint8]
"""Class ids and void, (H, W)."""


def voc_colormap(count: int) -> tuple[Colour, ...]:
    """The first `count` colours of the Pascal VOC palette: the bits of the id, given to R, G and B
    in turn from the top.

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
            raise DataError(
                f"{len(self.names)} classes; allowed are 1 to {MAX_CLASSES}, as {VOID} means void"
            )
        if len(set(self.names)) != len(self.names):
            repeated = sorted({name for name in self.names if self.names.count(name) > 1})
            raise DataError(
                f"class names must differ, but these stand twice: {', '.join(repeated)}"
            )
        if len(self.palette) != len(self.names):
            raise DataError(
                f"{len(self.palette)} colours for {len(self.names)} classes; give one colour "
                "a class"
            )

    @classmethod
    def named(cls, names: tuple[str, ...]) -> "Classes":
        """Classes in the colours of the VOC palette."""
        return cls(names, voc_colormap(len(names)))

    def __len__(self) -> int:
        return len(self.names)


def quantize_confidence(confidence: NDArray[np.floating]) -> NDArray[np.uint8]:
    """[0, 1] as the nearest of 0 to 255, as images of confidence hold it."""
    levels: NDArray[np.uint8] = np.rint(confidence * 255).astype(np.uint8)
    return levels


def find_edges(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """(H, W): whether one of a pixel's four neighbours has another label."""
    edge = np.zeros(labels.shape, bool)
    down = labels[1:] != labels[:-1]
    across = labels[:, 1:] != labels[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    return edge


def read_labels(logits: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Labels and confidence (the label's softmax, in [0, 1]), both (H, W), from logits (C, H, W).

    Of equal logits the first class wins. Class by class, and some rows at a time that stay in the
    processor's cache: `argmax` over the first axis takes several times as long.
    """
    labels = np.empty(logits.shape[1:], np.uint8)
    confidence = np.empty(logits.shape[1:], np.float32)
    for strip in _strips(*logits.shape[1:]):
        labels[strip], top = _highest(logits[:, strip])
        total = np.zeros_like(top)
        for score in logits[:, strip]:
            total += np.exp(score - top)
        confidence[strip] = 1 / total
    return labels, confidence


def top_labels(logits: NDArray[np.float32]) -> Labels:
    """The labels of `read_labels` alone, in half the time."""
    labels = np.empty(logits.shape[1:], np.uint8)
    for strip in _strips(*logits.shape[1:]):
        labels[strip], _ = _highest(logits[:, strip])
    return labels


# Pixels of a class that are read at a time: 128 KiB of float32, which stay in a core's cache.
_STRIP_PIXELS = 2**15


def _strips(height: int, width: int) -> Iterator[slice]:
    rows = max(1, _STRIP_PIXELS // max(1, width))
    return (slice(first, first + rows) for first in range(0, height, rows))


def _highest(logits: NDArray[np.float32]) -> tuple[Labels, NDArray[np.float32]]:
    top = logits[0].copy()
    labels = np.zeros(logits.shape[1:], np.uint8)
    for label, score in enumerate(logits[1:], 1):
        better = (score > top).view(np.uint8)
        np.maximum(labels, better * np.uint8(label), out=labels)  # labels only grow
        np.maximum(top, score, out=top)
    return labels, top


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities (C, H, W) of logits (C, H, W); in place, with one copy of the logits less than
    scipy.special.softmax.
    """
    powers: NDArray[np.float32] = np.exp(logits - logits.max(axis=0))
    powers /= powers.sum(axis=0)
    return powers
