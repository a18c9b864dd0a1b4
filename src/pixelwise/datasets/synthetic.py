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
_CORNERS = {2: 4, 3: 3}
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
            rgb, labels = draw_scene(rng, size, int(rng.integers(3, 8)))
            with atomic(folder / "images" / split / f"{index:03}.jpg") as draft:
                Image.fromarray(rgb).save(draft, format="JPEG", quality=_JPEG_QUALITY)
            write_labels(folder / "masks" / split / f"{index:03}.png", labels, CLASSES.palette)
    write_text(folder / "classes.txt", "\n".join(CLASSES.names) + "\n")


def draw_scene(
    rng: np.random.Generator, size: tuple[int, int], count: int, *, reach: int | None = None
) -> tuple[Array, Array]:
    """`count` shapes, later ones over earlier: rgb (H, W, 3) uint8 and labels (H, W) uint8, `size`
    (height, width).

    Shapes measure a tenth to a half of `reach` pixels, by default the shorter side.
    """
    canvas = _lines(rng, _surface(rng, size))  # (H, W, 3)
    labels = np.zeros(size, np.uint8)
    for _ in range(count):
        label = int(rng.integers(1, len(CLASSES)))
        inside = _outline(rng, size, label, reach or min(size))  # (H, W)
        canvas = np.where(inside[:, :, None], _surface(rng, size), canvas)
        labels[inside] = label
    noisy = canvas + rng.normal(0, rng.uniform(2, 8), (*size, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8), labels


def _surface(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """(H, W, 3) a smooth gradient between two colours with waves of a random direction and
    length.
    """
    y, x = _grid(size)
    start, end = rng.uniform(30, 225, (2, 3))
    angle, wave, phase = rng.uniform(0, 2 * np.pi, 3)
    along = (x * np.cos(angle) / size[1] + y * np.sin(angle) / size[0] + 1.5) / 3
    frequency = rng.uniform(0.1, 0.9)
    waves = rng.uniform(0, 18) * np.sin(frequency * (x * np.cos(wave) + y * np.sin(wave)) + phase)
    mixed: Floats = start + (end - start) * along[:, :, None] + waves[:, :, None]
    return mixed


def _lines(rng: np.random.Generator, canvas: Floats) -> Floats:
    """Thin strokes on the ground, so that an edge alone is no shape."""
    height, width = canvas.shape[:2]
    image = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 7))):
        ends = rng.uniform(0, 1, 4) * (width, height, width, height)
        red, green, blue = (int(channel) for channel in rng.integers(30, 226, 3))
        pen.line(
            [float(end) for end in ends], fill=(red, green, blue), width=int(rng.integers(1, 4))
        )
    return np.asarray(image).astype(np.float64)


def _outline(
    rng: np.random.Generator, size: tuple[int, int], label: int, reach: int
) -> NDArray[np.bool_]:
    """(H, W) where a shape of random place, size and rotation lies; its centre is in the
    picture.
    """
    height, width = size
    radius = rng.uniform(0.09, 0.26) * reach
    across, down = rng.uniform(0.05, 0.95, 2) * (width, height)
    turn = rng.uniform(0, 2 * np.pi)
    image = Image.new("L", (width, height))
    pen = ImageDraw.Draw(image)
    if label == 1:
        pen.ellipse((across - radius, down - radius, across + radius, down + radius), fill=1)
    else:
        angles = turn + np.arange(_CORNERS[label]) * 2 * np.pi / _CORNERS[label]
        points = np.stack(
            [across + radius * 1.2 * np.cos(angles), down + radius * 1.2 * np.sin(angles)], axis=1
        )
        pen.polygon([(float(px), float(py)) for px, py in points], fill=1)
    return np.asarray(image).astype(bool)


def _grid(size: tuple[int, int]) -> tuple[Floats, Floats]:
    y, x = np.mgrid[: size[0], : size[1]]
    return y.astype(np.float64), x.astype(np.float64)
