"""Classes of a data set, and how logits are read as labels and confidence."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import DataError
from pixelwise.palette import default_palette

# The label of pixels that count nowhere: not in the loss, not in any score.
VOID = 255

MAX_CLASSES = 255

Colour = tuple[int, int, int]

# The colour of void in the palettes of Pascal VOC.
VOID_COLOUR: Colour = (224, 224, 192)

ClassTree = tuple[tuple[str, tuple[str, ...]], ...]
"""What is above classes, with what lies right beneath it: classes, or others of these."""

Number = TypeVar("Number", bound=np.generic)

Labels = NDArray[np.uint8]
"""Class ids and void, (H, W)."""


def voc_colormap(count: int) -> tuple[Colour, ...]:
    """The first `count` colours of the Pascal VOC palette: the bits of the id, given to R, G and B
    in turn from the top.

    Source: the VOC 2012 development kit, `VOClabelcolormap`.
    """

    return tuple(_voc_colour(label) for label in range(count))


def _voc_colour(label: int) -> Colour:
    red = 0
    green = 0
    blue = 0
    # three bits of the id at a time, to ever lower bits of the channels: neighbouring ids get
    # colours that are easy to tell apart
    for bit in range(7, -1, -1):
        red |= (label & 1) << bit
        green |= (label >> 1 & 1) << bit
        blue |= (label >> 2 & 1) << bit
        label >>= 3
    return red, green, blue


_NUMBERED = re.compile(r"class (\d+)")
_COLOURED = re.compile(r"rgb (\d{1,3}) (\d{1,3}) (\d{1,3})")


def name_of_value(raw: int) -> str:
    """The name of a class of which nothing is known but its value in the masks."""
    return f"class {raw}"


def name_of_colour(colour: Colour) -> str:
    """The name of a class of which nothing is known but its colour in the masks."""
    red, green, blue = colour
    return f"rgb {red} {green} {blue}"


def is_named_by_value(name: str) -> bool:
    """Whether a name is one that `name_of_value` gives."""
    return _NUMBERED.fullmatch(name) is not None


def colour_of_name(name: str) -> Colour | None:
    """The colour of a name that `name_of_colour` gave, None for any other."""
    match = _COLOURED.fullmatch(name)
    if match is None:
        return None
    return int(match[1]), int(match[2]), int(match[3])


@dataclass(frozen=True)
class Classes:
    """Names and colours of class ids 0..C-1.

    `guessed` says that nobody named them: their names are those of `name_of_value` or
    `name_of_colour`, so that equal names mean equal values or colours in any data set. `tree` says
    which classes belong together.
    """

    names: tuple[str, ...]
    palette: tuple[Colour, ...]
    guessed: bool = False
    tree: ClassTree = ()

    def __post_init__(self) -> None:
        count = len(self.names)
        if not 1 <= count <= MAX_CLASSES:
            raise DataError(
                f"{count} classes; allowed are 1 to {MAX_CLASSES}, as {VOID} means void"
            )
        if len(set(self.names)) != count:
            repeated = {name for name in self.names if self.names.count(name) > 1}
            listed = ", ".join(sorted(repeated))
            raise DataError(f"class names must differ, but these stand twice: {listed}")
        colours = len(self.palette)
        if colours != count:
            raise DataError(f"{colours} colours for {count} classes; give one colour a class")

    @classmethod
    def named(cls, names: tuple[str, ...]) -> "Classes":
        """Classes in the usual colours (see `default_palette`)."""
        return cls(names, default_palette(names))

    def __len__(self) -> int:
        return len(self.names)


def quantize_confidence(confidence: NDArray[np.floating]) -> NDArray[np.uint8]:
    """[0, 1] as the nearest of 0 to 255, as images of confidence hold it."""
    nearest = np.rint(confidence * 255)
    levels: NDArray[np.uint8] = nearest.astype(np.uint8)
    return levels


def find_edges(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """(H, W): whether one of a pixel's four neighbours has another label."""
    edge = np.zeros(labels.shape, bool)
    down = labels[1:] != labels[:-1]
    across = labels[:, 1:] != labels[:, :-1]
    # a border is an edge for the pixels on either side
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    return edge


def reduce_window(
    values: NDArray[Number],
    reach: int,
    join: np.ufunc,
) -> NDArray[Number]:
    """`join` (maximum, minimum or bitwise_or) over the square of 2 `reach` + 1 pixels around each
    pixel of (H, W).

    Beyond the frame there is nothing. Windows of windows: the time grows with the logarithm of
    `reach`, a seventh of that of scipy.ndimage.maximum_filter, which takes one axis's pixels one by
    one (480 x 640, reach 16), and bits are joined as well.
    """
    side = 2 * reach + 1
    border = ((reach, reach), (0, 0))
    for axis in (0, 1):
        values = np.moveaxis(values, axis, 0)
        # an edge that stands twice changes no such join
        values = np.pad(values, border, mode="edge")
        # pixels that each value already stands for
        span = 1
        while span < side:
            # windows may overlap in the last round, as joining twice changes nothing
            step = min(span, side - span)
            values = join(values[:-step], values[step:])
            span = span + step
        values = np.moveaxis(values, 0, axis)
    return values


def read_labels(logits: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Labels and confidence (the label's softmax, in [0, 1]), both (H, W), from logits (C, H, W).

    Of equal logits the first class wins. Class by class, and some rows at a time that stay in the
    processor's cache: `argmax` over the first axis takes several times as long.
    """
    _, height, width = logits.shape
    labels = np.empty((height, width), np.uint8)
    confidence = np.empty((height, width), np.float32)
    for strip in _strips(height, width):
        scores = logits[:, strip]  # (C, rows, W)
        labels[strip], top = _highest(scores)
        total = np.zeros_like(top)
        for score in scores:
            # below 1, so that no power overflows
            total += np.exp(score - top)
        # the highest score's own power is 1
        confidence[strip] = 1 / total
    return labels, confidence


def top_labels(logits: NDArray[np.float32]) -> Labels:
    """The labels of `read_labels` alone, in half the time."""
    _, height, width = logits.shape
    labels = np.empty((height, width), np.uint8)
    for strip in _strips(height, width):
        scores = logits[:, strip]
        labels[strip], _ = _highest(scores)
    return labels


# Pixels of a class that are read at a time: 128 KiB of float32, which stay in a core's cache.
_STRIP_PIXELS = 2**15


def _strips(height: int, width: int) -> Iterator[slice]:
    rows = max(1, _STRIP_PIXELS // max(1, width))
    for first in range(0, height, rows):
        yield slice(first, first + rows)


def _highest(logits: NDArray[np.float32]) -> tuple[Labels, NDArray[np.float32]]:
    """The class of the highest logit, and that logit, both (H, W)."""
    top = logits[0].copy()
    labels = np.zeros(top.shape, np.uint8)
    for label, score in enumerate(logits[1:], 1):
        better = (score > top).view(np.uint8)
        candidates = better * np.uint8(label)
        # labels only grow: a maximum, which is faster than a masked assignment
        np.maximum(labels, candidates, out=labels)
        np.maximum(top, score, out=top)
    return labels, top


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities (C, H, W) of logits (C, H, W); in place, with one copy of the logits less than
    scipy.special.softmax.
    """
    top = logits.max(axis=0)  # (H, W)
    powers: NDArray[np.float32] = np.exp(logits - top)
    powers /= powers.sum(axis=0)
    return powers
