"""Labels as drawn shapes: which names mean what, shapes painted into labels, labels taken apart
into regions.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from pixelwise.classes import VOID, VOID_COLOUR, Classes, Colour, voc_colormap
from pixelwise.datasets.annotations.polygons import Patch, Points, fill, trace
from pixelwise.datasets.types import first
from pixelwise.errors import DataError
from pixelwise.io.images import Array

BACKGROUND_NAMES = frozenset({"background", "_background_"})
UNLABELLED_NAMES = frozenset({"unlabelled", "unlabeled"})
VOID_NAMES = frozenset({"void", "ignore", "__ignore__"}) | UNLABELLED_NAMES
BY_AREA = "where shapes overlap, the smaller covers the larger"
BY_ORDER = "where shapes overlap, the later covers the earlier"
# pixels by which a corner may lie outside the image: written with few decimals, it is still on
# the border
_OUTSIDE = 0.01


@dataclass(frozen=True)
class Legend:
    """What the names in a file mean: classes, label by name, the label of what no shape covers, and
    a line on it.
    """

    classes: Classes
    labels: dict[str, int]
    rest: int
    note: str


@dataclass(frozen=True)
class Shape:
    """Pixels of one label: `rings` filled together (with `union` each alone), or `bits`. Higher
    layers cover lower.
    """

    label: int
    rings: Sequence[Points] = ()
    bits: Patch | None = None
    union: bool = False
    layer: int = 0


@dataclass(frozen=True)
class Drawing:
    """Labels (H, W) of painted shapes; shapes cut at the border or without a pixel; pixels of two
    labels.
    """

    labels: Array
    clipped: int
    blank: int
    overlapped: int


@runtime_checkable
class Draws(Protocol):
    """A reader of labels that counts what becomes of shapes."""

    def drawing(self, path: Path, /) -> Drawing:
        """The labels of a file, and the counts."""


def drawing_of(read: Callable[[Path], Array], path: Path) -> Drawing:
    """The labels that `read` makes of a file; where it reads no shapes, nothing is cut."""
    return read.drawing(path) if isinstance(read, Draws) else Drawing(read(path), 0, 0, 0)


def legend(declared: Iterable[tuple[str, Colour | None]], where: object) -> Legend:
    """Classes in the order declared, void names apart. What no shape covers is the class called
    background, void where a class is called unlabelled, or else a class background that is put
    before the others.

    Raises DataError for names that stand twice, no class at all, and more than can be.
    """
    rows = list(declared)
    kept = [row for row in rows if row[0].lower() not in VOID_NAMES]
    background = next((name for name, _ in kept if name.lower() in BACKGROUND_NAMES), None)
    unlabelled = any(name.lower() in UNLABELLED_NAMES for name, _ in rows)
    if background is None and not unlabelled:
        background = "background"
        kept.insert(0, (background, (0, 0, 0)))
    names = tuple(name for name, _ in kept)
    try:
        spare = voc_colormap(min(len(names), 256))
        classes = Classes(
            names, tuple(colour or spare[at] for at, (_, colour) in enumerate(kept[:256]))
        )
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    rest = VOID if background is None else names.index(background)
    labels = dict.fromkeys((name for name, _ in rows), VOID) | {
        name: at for at, name in enumerate(names)
    }
    meaning = "void" if background is None else f"'{background}', class {rest}"
    return Legend(
        classes,
        labels,
        rest,
        f"{len(names)} classes: {first(names)}; what no shape covers is {meaning}",
    )


def declared(classes: Classes, *, void: bool) -> list[tuple[str, Colour, int]]:
    """Name, colour and label of each class that a file must name for `legend` to give back
    `classes`.

    Void needs a name where there is a background, and `void` pixels; without background it is what
    no shape covers.
    """
    rows = list(zip(classes.names, classes.palette, range(len(classes)), strict=True))
    if rest(classes) == VOID:
        return [*rows, ("unlabelled", VOID_COLOUR, VOID)]
    return rows[classes.names[0] == "background" :] + (
        [("void", VOID_COLOUR, VOID)] if void else []
    )


def rest(classes: Classes) -> int:
    """The label that needs no shape: that of the background, or else void."""
    found = [label for label, name in enumerate(classes.names) if name.lower() in BACKGROUND_NAMES]
    return found[0] if found else VOID


def regions(labels: Array, classes: Classes) -> Iterator[tuple[str, int, list[Points]]]:
    """Name, label and rings (outline, then holes) of every 4-connected region of labels (H, W) that
    needs a shape.
    """
    for label in np.flatnonzero(np.bincount(labels.ravel(), minlength=256)).tolist():
        if label == rest(classes):
            continue
        rows, columns = np.nonzero(labels == label)
        top = int(rows.min())
        left = int(columns.min())
        for rings in trace(labels[top : rows.max() + 1, left : columns.max() + 1] == label):
            yield name_of(label, classes), label, [ring + np.array((left, top)) for ring in rings]


def name_of(label: int, classes: Classes) -> str:
    """The name of a label, void's included."""
    return "void" if label == VOID else classes.names[label]


def draw(shapes: Iterable[Shape], size: tuple[int, int], *, rest: int, by_area: bool) -> Drawing:
    """Paint shapes on labels (H, W) full of `rest`, layer by layer: by area, the largest first, or
    in their order.
    """
    labels = np.full(size, rest, np.uint8)
    covered = np.zeros(size, bool)
    painted = []
    clipped = 0
    blank = 0
    overlapped = 0
    for shape in shapes:
        clipped += _leaves(shape, size)
        patches = _patches(shape, size)
        blank += not patches
        painted.append(
            (shape.layer, -sum(int(bits.sum()) for *_, bits in patches), patches, shape.label)
        )
    painted.sort(key=lambda row: row[: 1 + by_area])
    for *_, patches, label in painted:
        for top, left, bits in patches:
            window = np.s_[top : top + bits.shape[0], left : left + bits.shape[1]]
            overlapped += int((bits & covered[window] & (labels[window] != label)).sum())
            labels[window][bits] = label
            covered[window] |= bits
    return Drawing(labels, clipped, blank, overlapped)


def _patches(shape: Shape, size: tuple[int, int]) -> list[Patch]:
    if shape.bits is not None:
        return _cropped(shape.bits, size)
    groups = [[ring] for ring in shape.rings] if shape.union else [shape.rings]
    return [patch for group in groups if (patch := fill(group, size))]


def _cropped(patch: Patch, size: tuple[int, int]) -> list[Patch]:
    top, left, bits = patch
    inside = bits[max(0, -top) : max(0, size[0] - top), max(0, -left) : max(0, size[1] - left)]
    return [(max(0, top), max(0, left), inside)] if inside.any() else []


def _leaves(shape: Shape, size: tuple[int, int]) -> bool:
    if shape.bits is not None:
        top, left, bits = shape.bits
        return (
            top < 0 or left < 0 or top + bits.shape[0] > size[0] or left + bits.shape[1] > size[1]
        )
    ends = (size[1] + _OUTSIDE, size[0] + _OUTSIDE)
    return any(bool((ring < -_OUTSIDE).any() or (ring > ends).any()) for ring in shape.rings)
