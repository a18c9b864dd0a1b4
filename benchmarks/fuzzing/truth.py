"""A drawn set whose true labels are known: rectangles of classes on pictures whose brightness says
the class.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.uint8]

VOID = 255
COLOURS = ((0, 0, 0), (200, 30, 40), (30, 170, 60), (240, 210, 20))
NAMES = ("background", "leaf", "stem", "root")

# Brightness varies by so much within a class; classes are further apart than twice this.
_GRAIN = 8


@dataclass(frozen=True)
class Rectangle:
    """Pixels of one class; bottom and right are one beyond the last."""

    label: int
    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class Scene:
    """One picture: rgb (H, W, 3), labels (H, W) and the rectangles that they were drawn from."""

    name: str
    rgb: Array
    labels: Array
    rectangles: tuple[Rectangle, ...]


@dataclass(frozen=True)
class Truth:
    """All scenes of a set by split, and its classes; the first is what no rectangle covers."""

    names: tuple[str, ...]
    splits: dict[str, tuple[Scene, ...]]

    @property
    def scenes(self) -> tuple[Scene, ...]:
        return tuple(scene for scenes in self.splits.values() for scene in scenes)

    @property
    def levels(self) -> tuple[int, ...]:
        """The brightness of each class."""
        return class_levels(len(self.names))


def class_levels(classes: int) -> tuple[int, ...]:
    """Brightnesses from 30 to 240 at equal steps; the last class is nearly white."""
    return tuple(int(level) for level in np.linspace(30, 240, classes).round())


def draw(
    rng: np.random.Generator,
    *,
    classes: int,
    stems: list[str],
    splits: tuple[str, ...],
    void: bool,
    absent: int = 0,
    single: bool = False,
) -> Truth:
    """A set of the pictures `stems`, dealt over `splits`; with `void` each has a void patch. The
    `absent` classes after the background occur nowhere. With `single` each picture shows one class
    on the background.
    """
    height = int(rng.integers(24, 40)) * 2
    width = height + int(rng.integers(3, 20)) * 2
    by_split: dict[str, list[Scene]] = {split: [] for split in splits}
    for index, stem in enumerate(stems):
        shown = list(range(1 + absent, classes))
        if single:
            shown = [shown[index % len(shown)]]
        shown += [VOID] * void
        scene = _draw_scene(rng, stem, (height, width), classes, shown)
        by_split[splits[index % len(splits)]].append(scene)
    return Truth(
        NAMES[:classes], {split: tuple(scenes) for split, scenes in by_split.items() if scenes}
    )


def _draw_scene(
    rng: np.random.Generator,
    stem: str,
    size: tuple[int, int],
    classes: int,
    shown: list[int],
) -> Scene:
    height, width = size
    labels = np.zeros(size, np.uint8)
    rectangles = []
    # Each rectangle has a column of its own, so that none overlaps another.
    columns = np.array_split(np.arange(2, width - 2), len(shown))
    for label, column in zip(shown, columns, strict=True):
        top = int(rng.integers(2, height // 3))
        bottom = int(rng.integers(height // 2, height - 3))
        left = int(column[0]) + int(rng.integers(0, 3))
        right = int(column[-1]) - int(rng.integers(0, 2))
        labels[top:bottom, left:right] = label
        rectangles.append(Rectangle(label, top, left, bottom, right))
    levels = np.zeros(256, np.int64)
    levels[:classes] = class_levels(classes)
    levels[VOID] = 128
    grain = rng.integers(-_GRAIN, _GRAIN + 1, (*size, 3))
    rgb = np.clip(levels[labels][..., None] + grain, 0, 255).astype(np.uint8)
    return Scene(stem, rgb, labels, tuple(rectangles))
