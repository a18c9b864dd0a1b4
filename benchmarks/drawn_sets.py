"""Small data sets drawn for defaults.py: what photos of people who try it out have, made hard on
purpose.

texture  22 photos of 256 x 256: regions that differ from the ground by a fine pattern alone
things   150 photos of 64 to 800 pixels a side, the same things on all of them
texture512, things1300  the same, larger
blobs    209 pictures of 120 x 120: blobs of two kinds that touch, on ground
blobs10  ten of those
lines    82 photos of 224 x 224 with cracks one to three pixels wide

Each has a test split of its own; validation is held out of the training photos.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Array = np.ndarray
Drawing = tuple[Array, Array]  # RGB (H, W, 3) and labels (H, W), uint8


@dataclass(frozen=True)
class Drawn:
    """How a set is drawn, and of how many photos."""

    draw: Callable[[np.random.Generator], Drawing]
    classes: tuple[str, ...]
    train: int
    test: int


def write_set(name: str, folder: Path, *, seed: int = 7) -> Path:
    """Draw the set into `folder`/name, unless it is there; returns that."""
    drawn = SETS[name]
    root = folder / name
    if (root / "classes.txt").exists():
        return root
    for split, count, first in (("train", drawn.train, 0), ("test", drawn.test, 10_000)):
        for part in ("images", "masks"):
            (root / part / split).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            rgb, labels = drawn.draw(np.random.default_rng((seed, first + index)))
            Image.fromarray(rgb).save(root / "images" / split / f"{index:04}.jpg", quality=92)
            Image.fromarray(labels).save(root / "masks" / split / f"{index:04}.png")
    (root / "classes.txt").write_text("\n".join(drawn.classes) + "\n")
    return root


def clouds(rng: np.random.Generator, height: int, width: int, coarsest: int = 4) -> Array:
    """Noise of several sizes, (H, W) from 0 to 1: the ground of a photo."""
    total = np.zeros((height, width))
    weight = 1.0
    cells = coarsest
    while cells < max(height, width) and weight > 0.05:
        small = rng.random((cells, cells)).astype(np.float32)
        layer = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
        total += weight * np.asarray(layer)
        weight *= 0.6
        cells *= 2
    low, high = total.min(), total.max()
    return (total - low) / (high - low)


def coloured(rng: np.random.Generator, grey: Array, spread: float = 60) -> Array:
    """(H, W, 3) floats: two colours, mixed by `grey`."""
    middle = rng.uniform(70, 180, 3)
    change = rng.uniform(-spread, spread, 3)
    return middle + change * (grey[..., None] - 0.5) * 2


def finished(rng: np.random.Generator, rgb: Array) -> Array:
    """Light from one side and the camera's noise; uint8."""
    height, width = rgb.shape[:2]
    slope = rng.uniform(-0.25, 0.25, 2)
    rows = np.linspace(-1, 1, height)[:, None]
    columns = np.linspace(-1, 1, width)[None]
    light = 1 + slope[0] * rows + slope[1] * columns
    noise = rng.normal(0, rng.uniform(2, 7), rgb.shape)
    return np.clip(rgb * light[..., None] + noise, 0, 255).round().astype(np.uint8)


def region(rng: np.random.Generator, height: int, width: int, share: float) -> Array:
    """A cloudy region of that share of the picture, (H, W) bool."""
    field = clouds(rng, height, width, 3)
    field = np.asarray(
        Image.fromarray((field * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(6))
    )
    return field > np.quantile(field, 1 - share)


def draw_texture(rng: np.random.Generator, side: int = 256) -> Drawing:
    """Hatched and dotted regions; the patterns repeat every 5 to 8 pixels."""
    rows, columns = np.mgrid[:side, :side]
    rgb = coloured(rng, clouds(rng, side, side))
    labels = np.zeros((side, side), np.uint8)
    for label in (1, 2):
        period = rng.uniform(5, 8)
        angle = rng.uniform(0, np.pi)
        along = rows * np.cos(angle) + columns * np.sin(angle)
        across = columns * np.cos(angle) - rows * np.sin(angle)
        hatch = np.cos(2 * np.pi * along / period) > 0.5
        dots = (np.cos(2 * np.pi * along / period) + np.cos(2 * np.pi * across / period)) > 0.9
        pattern = (hatch if label == 1 else dots) * rng.choice([-1, 1]) * rng.uniform(25, 50)
        inside = region(rng, side, side, rng.uniform(0.12, 0.3)) & (labels == 0)
        labels[inside] = label
        rgb[inside] += pattern[inside][:, None]
    # Grain as strong as the patterns, where there is none.
    grain = clouds(rng, side, side, 64) - 0.5
    rgb += (grain * rng.uniform(40, 90))[..., None]
    return finished(rng, rgb), labels


def draw_things(rng: np.random.Generator, largest: int = 800) -> Drawing:
    """Discs, squares and stars, each speckled or striped, on one photo of any size."""
    longest = float(np.exp(rng.uniform(np.log(70), np.log(largest))))
    height, width = (max(64, round(longest * rng.uniform(0.65, 1))) for _ in range(2))
    rgb = coloured(rng, clouds(rng, height, width))
    labels = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(2, 6)):
        label = int(rng.integers(1, 4))
        radius = rng.uniform(0.07, 0.22) * min(height, width)
        place = (rng.uniform(0, width), rng.uniform(0, height))
        shape = Image.new("1", (width, height))
        ImageDraw.Draw(shape).polygon(outline(rng, label, radius, place), fill=1)
        inside = np.asarray(shape)
        surface = coloured(rng, clouds(rng, height, width, 8), 90)
        rgb = np.where(inside[..., None], surface, rgb)
        labels[inside] = label
    return finished(rng, rgb), labels


def outline(
    rng: np.random.Generator, label: int, radius: float, place: tuple[float, float]
) -> list[tuple[float, float]]:
    """Corners of a disc (1), a square (2) or a star of five (3)."""
    corners = {1: 40, 2: 4, 3: 10}[label]
    angles = rng.uniform(0, 2 * np.pi) + np.arange(corners) * 2 * np.pi / corners
    radii = np.full(corners, radius)
    if label == 3:
        radii[1::2] *= 0.42
    return [
        (place[0] + r * np.cos(a), place[1] + r * np.sin(a))
        for r, a in zip(radii, angles, strict=True)
    ]


def draw_blobs(rng: np.random.Generator) -> Drawing:
    """Blobs with a fine grain or none, some of which touch, on ground like them."""
    side = 120
    rgb = coloured(rng, clouds(rng, side, side), 30)
    labels = np.zeros((side, side), np.uint8)
    rows, columns = np.mgrid[:side, :side]
    base = rng.uniform(60, 190, 3)
    for _ in range(rng.integers(5, 13)):
        label = int(rng.integers(1, 3))
        row, column = rng.uniform(0, side, 2)
        angle = np.arctan2(rows - row, columns - column)
        waves = sum(
            rng.uniform(0, 0.18) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 5)
        )
        radius = rng.uniform(7, 17) * (1 + waves)
        inside = np.hypot(rows - row, columns - column) < radius
        grain = rng.normal(0, 1, (side, side)) * (22 if label == 2 else 6)
        surface = base + rng.uniform(-18, 18, 3) + grain[..., None]
        rgb = np.where(inside[..., None], surface, rgb)
        labels[inside] = label
    blurred = Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(0.7)
    )
    return finished(rng, np.asarray(blurred, np.float64)), labels


def draw_lines(rng: np.random.Generator) -> Drawing:
    """Cracks that wander, and soft stains and edges that are none."""
    side = 224
    rgb = coloured(rng, clouds(rng, side, side, 8), 35)
    stains = Image.new("L", (side, side))
    draw = ImageDraw.Draw(stains)
    for _ in range(rng.integers(2, 5)):
        draw.line([tuple(rng.uniform(0, side, 2)) for _ in range(2)], fill=255, width=6)
    soft = np.asarray(stains.filter(ImageFilter.GaussianBlur(3))) / 255
    rgb -= (soft * rng.uniform(10, 40))[..., None]
    cracks = Image.new("L", (side, side))
    draw = ImageDraw.Draw(cracks)
    for _ in range(rng.integers(1, 4)):
        point = rng.uniform(0, side, 2)
        heading = rng.uniform(0, 2 * np.pi)
        for _ in range(rng.integers(15, 45)):
            heading += rng.normal(0, 0.35)
            following = point + rng.uniform(3, 8) * np.array([np.cos(heading), np.sin(heading)])
            draw.line([tuple(point), tuple(following)], fill=255, width=int(rng.integers(1, 4)))
            point = following
    labels = (np.asarray(cracks) > 0).astype(np.uint8)
    rgb -= labels[..., None] * rng.uniform(25, 60)
    return finished(rng, rgb), labels


THREE = ("ground", "smooth", "grained")
SETS = {
    "texture": Drawn(draw_texture, ("ground", "hatched", "dotted"), 22, 12),
    "things": Drawn(draw_things, ("ground", "disc", "square", "star"), 150, 40),
    "texture512": Drawn(partial(draw_texture, side=512), ("ground", "hatched", "dotted"), 22, 12),
    "things1300": Drawn(
        partial(draw_things, largest=1300), ("ground", "disc", "square", "star"), 150, 40
    ),
    "blobs": Drawn(draw_blobs, THREE, 209, 60),
    "blobs10": Drawn(draw_blobs, THREE, 10, 60),
    "lines": Drawn(draw_lines, ("ground", "crack"), 82, 30),
}
