"""Labels as shapes: names that mean classes, shapes made into labels, labels split into regions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, VOID_COLOUR, Classes, Colour
from pixelwise.datasets.annotations.polygons import Patch, Points, fill, trace
from pixelwise.datasets.types import first
from pixelwise.errors import DataError
from pixelwise.io.images import Array
from pixelwise.palette import BACKGROUND_NAMES, default_palette

UNLABELLED_NAMES = frozenset({"unlabelled", "unlabeled"})
VOID_NAMES = frozenset({"void", "ignore", "__ignore__"}) | UNLABELLED_NAMES
BY_AREA = "where shapes overlap, the smaller covers the larger"
BY_ORDER = "where shapes overlap, the later covers the earlier"
BY_LAYER = "where shapes overlap, the higher z_order covers the lower, and of one the later"
# Pixels by which a corner may lie outside the image: written with few decimals, it is still on the
# border.
_TOLERANCE = 0.01
CROWD = -1


@dataclass(frozen=True)
class ClassMapping:
    """What the names in a file mean."""

    classes: Classes
    """Names and colours of the labels."""

    labels: dict[str, int]
    """By name, those of void among them."""

    uncovered: int
    """The label of what no shape covers."""

    note: str
    """A line on it for the user."""


@dataclass(frozen=True)
class Shape:
    """Pixels of one label."""

    label: int

    rings: Sequence[Points] = ()
    """Polygons, filled together: a ring inside another is a hole."""

    bits: Patch | None = None
    """The pixels themselves, in place of rings."""

    union: bool = False
    """Whether each ring is filled alone."""

    layer: int = 0
    """Higher layers cover lower."""

    group: int | None = None
    """Shapes of one number are parts of one object; those without are objects of their own."""

    crowd: bool = False
    """Whether it covers several objects that nobody told apart."""


@dataclass(frozen=True)
class RasterizedMask:
    """Labels of rasterized shapes, and what became of these."""

    labels: Array
    """(H, W) uint8."""

    clipped: int
    """Shapes cut at the image's border."""

    blank: int
    """Shapes without a pixel."""

    overlapped: int
    """Pixels in shapes of two labels."""

    objects: NDArray[np.int32] | None = None
    """(H, W): which object covers a pixel, from 1 on; 0 for none, CROWD for several."""


@runtime_checkable
class Rasterizes(Protocol):
    """A reader of labels that counts what becomes of shapes."""

    def rasterize(self, path: Path, /) -> RasterizedMask:
        """The labels of a file, and the counts."""


def read_rasterized(read: Callable[[Path], Array], path: Path) -> RasterizedMask:
    """The labels that `read` makes of a file; where it reads no shapes, nothing is cut."""
    if isinstance(read, Rasterizes):
        return read.rasterize(path)
    return RasterizedMask(read(path), clipped=0, blank=0, overlapped=0)


def map_classes(declared: Iterable[tuple[str, Colour | None]], where: object) -> ClassMapping:
    """Classes in the order declared, void names apart. What no shape covers is the class called
    background, void where a class is called unlabelled, or else a class background that is put
    before the others.

    Raises DataError, with `where`, for repeated names, no class at all, and more than can be.
    """
    rows = list(declared)
    class_rows = [row for row in rows if row[0].lower() not in VOID_NAMES]
    background = next((name for name, _ in class_rows if name.lower() in BACKGROUND_NAMES), None)
    unlabelled = any(name.lower() in UNLABELLED_NAMES for name, _ in rows)
    if background is None and not unlabelled:
        background = "background"
        class_rows.insert(0, (background, (0, 0, 0)))
    names = tuple(name for name, _ in class_rows)
    classes = _name_classes(names, [colour for _, colour in class_rows], where)
    labels = dict.fromkeys((name for name, _ in rows), VOID)
    labels |= {name: label for label, name in enumerate(names)}
    uncovered = VOID if background is None else names.index(background)
    meaning = "void" if background is None else f"'{background}', class {uncovered}"
    note = f"{len(names)} classes: {first(names)}; what no shape covers is {meaning}"
    return ClassMapping(classes, labels, uncovered, note)


def _name_classes(
    names: tuple[str, ...], colours: Sequence[Colour | None], where: object
) -> Classes:
    """Classes in their colours, those without one in the usual one."""
    defaults = default_palette(names)[:256]
    pairs = zip(colours[:256], defaults, strict=True)
    palette = tuple(colour or default for colour, default in pairs)
    try:
        return Classes(names, palette)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def classes_to_declare(classes: Classes, *, void: bool) -> list[tuple[str, Colour, int]]:
    """Name, colour and label of each class that a file must name for `map_classes` to give back
    `classes`.

    Void needs a name where there is a background, and `void` pixels; without background it is what
    no shape covers.
    """
    rows = list(zip(classes.names, classes.palette, range(len(classes)), strict=True))
    if uncovered_label(classes) == VOID:
        return [*rows, ("unlabelled", VOID_COLOUR, VOID)]
    if classes.names[0] == "background":  # map_classes adds it
        rows = rows[1:]
    return [*rows, ("void", VOID_COLOUR, VOID)] if void else rows


def uncovered_label(classes: Classes) -> int:
    """The label that needs no shape: that of the background, or else void."""
    for label, name in enumerate(classes.names):
        if name.lower() in BACKGROUND_NAMES:
            return label
    return VOID


def find_regions(labels: Array, classes: Classes) -> Iterator[tuple[str, int, list[Points]]]:
    """Name, label and rings (outline, then holes) of every 4-connected region of labels (H, W) that
    needs a shape.
    """
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=256)).tolist()
    for label in present:
        if label == uncovered_label(classes):
            continue
        name = "void" if label == VOID else classes.names[label]
        rows, columns = np.nonzero(labels == label)
        top = int(rows.min())
        left = int(columns.min())
        window = labels[top : rows.max() + 1, left : columns.max() + 1] == label
        for rings in trace(window):
            yield name, label, [ring + np.array((left, top)) for ring in rings]


def rasterize_shapes(
    shapes: Iterable[Shape],
    size: tuple[int, int],
    *,
    uncovered: int,
    by_area: bool,
    objects: bool = False,
) -> RasterizedMask:
    """Fill shapes into labels (H, W) full of `uncovered`, layer by layer: by area, the largest
    first, or in their order. With `objects` it is kept too which of them covers a pixel.
    """
    shapes = list(shapes)
    clipped = sum(_is_clipped(shape, size) for shape in shapes)
    filled = fill_shapes(shapes, size, by_area=by_area)
    blank = sum(not patches for *_, patches in filled)
    numbers: dict[int, int] = {}
    for number, shape in enumerate(shapes, 1):
        if shape.group is not None:
            numbers.setdefault(shape.group, number)

    labels = np.full(size, uncovered, np.uint8)
    covered = np.zeros(size, bool)
    ids = np.zeros(size, np.int32) if objects else None
    overlapped = 0
    for number, shape, patches in filled:
        label = shape.label
        own = number if shape.group is None else numbers[shape.group]
        for top, left, bits in patches:
            window = np.s_[top : top + bits.shape[0], left : left + bits.shape[1]]
            overlapped += int((bits & covered[window] & (labels[window] != label)).sum())
            labels[window][bits] = label
            covered[window] |= bits
            if ids is not None:
                ids[window][bits] = CROWD if shape.crowd else own
    return RasterizedMask(labels, clipped, blank, overlapped, ids)


def fill_shapes(
    shapes: Iterable[Shape], size: tuple[int, int], *, by_area: bool
) -> list[tuple[int, Shape, list[Patch]]]:
    """The number from 1 of each shape, and its pixels within the image, the lowest first: by layer,
    and in these by area, the largest first, or in their order.
    """
    filled = []
    for number, shape in enumerate(shapes, 1):
        patches = _fill_shape(shape, size)
        area = sum(int(bits.sum()) for *_, bits in patches)
        filled.append(((shape.layer, -area), (number, shape, patches)))
    filled.sort(key=lambda row: row[0] if by_area else row[0][:1])  # stable: else in their order
    return [row for _, row in filled]


def _fill_shape(shape: Shape, size: tuple[int, int]) -> list[Patch]:
    """The shape's pixels within the image."""
    if shape.bits is not None:
        return _crop_patch(shape.bits, size)
    groups = [[ring] for ring in shape.rings] if shape.union else [shape.rings]
    patches = [fill(group, size) for group in groups]
    return [patch for patch in patches if patch is not None]


def _crop_patch(patch: Patch, size: tuple[int, int]) -> list[Patch]:
    top, left, bits = patch
    height, width = size
    inside = bits[max(0, -top) : max(0, height - top), max(0, -left) : max(0, width - left)]
    return [(max(0, top), max(0, left), inside)] if inside.any() else []


def _is_clipped(shape: Shape, size: tuple[int, int]) -> bool:
    """Whether a shape reaches over the image's border."""
    height, width = size
    if shape.bits is not None:
        top, left, bits = shape.bits
        bottom = top + bits.shape[0]
        right = left + bits.shape[1]
        return top < 0 or left < 0 or bottom > height or right > width
    limits = (width + _TOLERANCE, height + _TOLERANCE)
    return any(bool((ring < -_TOLERANCE).any() or (ring > limits).any()) for ring in shape.rings)
