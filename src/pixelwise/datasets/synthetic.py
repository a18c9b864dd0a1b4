"""A generated data set: circles, squares and triangles on textured ground, with exact masks.

Colours are drawn alike for ground and shapes, so only form tells the classes apart.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pixelwise.classes import Classes
from pixelwise.io.atomic import atomic, write_text
from pixelwise.io.images import Array, write_labels

CLASSES = Classes.named(("background", "circle", "square", "triangle"))
# Of the classes with corners: squares and triangles.
_CORNERS = {2: 4, 3: 3}
# Radii as shares of the reach: areas from a fortieth to a fifth of the picture.
_RADII = (0.09, 0.26)
# A polygon within its circle is smaller than the disc; longer radii make up for it.
_POLYGON_FACTOR = 1.2
# High: the masks are exact, and borders should be as well.
_JPEG_QUALITY = 95

Floats = NDArray[np.float64]


def write_shapes(
    folder: Path,
    *,
    train: int = 96,
    val: int = 24,
    test: int = 24,
    size: tuple[int, int] = (128, 160),
    seed: int = 0,
) -> None:
    """Write images/SPLIT/NNN.jpg, masks/SPLIT/NNN.png (palette of class ids) and classes.txt; the
    seed fixes all.

    `size` is (height, width). Raises OutputError when the folder cannot be written to.
    """
    rng = np.random.default_rng(seed)
    for split, count in (("train", train), ("val", val), ("test", test)):
        for index in range(count):
            shapes = int(rng.integers(3, 8))
            rgb, labels = draw_scene(rng, size, shapes)
            image_path = folder / "images" / split / f"{index:03}.jpg"
            mask_path = folder / "masks" / split / f"{index:03}.png"
            with atomic(image_path) as draft:
                Image.fromarray(rgb).save(draft, format="JPEG", quality=_JPEG_QUALITY)
            write_labels(mask_path, labels, CLASSES.palette)
    names = "\n".join(CLASSES.names)
    write_text(folder / "classes.txt", f"{names}\n")


def draw_scene(
    rng: np.random.Generator,
    size: tuple[int, int],
    count: int,
    *,
    reach: int | None = None,
) -> tuple[Array, Array]:
    """`count` shapes, later ones over earlier: rgb (H, W, 3) uint8 and labels (H, W) uint8, `size`
    (height, width).

    Shapes measure a tenth to a half of `reach` pixels, by default the shorter side.
    """
    # The order in which numbers are drawn is part of the set: the seed fixes every byte.
    ground = _surface(rng, size)
    canvas = _draw_lines(rng, ground)  # (H, W, 3)
    labels = np.zeros(size, np.uint8)
    for _ in range(count):
        label = int(rng.integers(1, len(CLASSES)))
        inside = _outline(rng, size, label, reach or min(size))  # (H, W)
        canvas = np.where(inside[:, :, None], _surface(rng, size), canvas)
        labels[inside] = label
    deviation = rng.uniform(2, 8)
    noisy = canvas + rng.normal(0, deviation, (*size, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8), labels


def _surface(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """(H, W, 3) a smooth gradient between two colours with waves of a random direction and
    length.
    """
    height, width = size
    y, x = _grid(size)
    start, end = rng.uniform(30, 225, (2, 3))
    angle, direction, phase = rng.uniform(0, 2 * np.pi, 3)
    along = (x * np.cos(angle) / width + y * np.sin(angle) / height + 1.5) / 3
    frequency = rng.uniform(0.1, 0.9)
    strength = rng.uniform(0, 18)
    distance = x * np.cos(direction) + y * np.sin(direction)
    waves = strength * np.sin(frequency * distance + phase)
    gradient = start + (end - start) * along[:, :, None]
    mixed: Floats = gradient + waves[:, :, None]
    return mixed


def _draw_lines(rng: np.random.Generator, canvas: Floats) -> Floats:
    """Thin strokes on the ground, so that an edge alone is no shape."""
    height, width = canvas.shape[:2]
    image = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 7))):
        ends = rng.uniform(0, 1, 4) * (width, height, width, height)
        red, green, blue = rng.integers(30, 226, 3).tolist()
        thickness = int(rng.integers(1, 4))
        pen.line(ends.tolist(), fill=(red, green, blue), width=thickness)
    return np.asarray(image).astype(np.float64)


def _outline(
    rng: np.random.Generator,
    size: tuple[int, int],
    label: int,
    reach: int,
) -> NDArray[np.bool_]:
    """(H, W) where a shape of random place, size and rotation lies; its centre is in the
    picture.
    """
    height, width = size
    radius = rng.uniform(*_RADII) * reach
    x, y = rng.uniform(0.05, 0.95, 2) * (width, height)
    rotation = rng.uniform(0, 2 * np.pi)
    image = Image.new("L", (width, height))
    pen = ImageDraw.Draw(image)
    if label == 1:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    else:
        corners = _CORNERS[label]
        angles = rotation + np.arange(corners) * 2 * np.pi / corners
        xs = x + radius * _POLYGON_FACTOR * np.cos(angles)
        ys = y + radius * _POLYGON_FACTOR * np.sin(angles)
        pen.polygon(list(zip(xs.tolist(), ys.tolist(), strict=True)), fill=1)
    return np.asarray(image).astype(bool)


def _grid(size: tuple[int, int]) -> tuple[Floats, Floats]:
    height, width = size
    y, x = np.mgrid[:height, :width]
    return y.astype(np.float64), x.astype(np.float64)
