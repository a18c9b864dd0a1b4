"""Pictures on which an export is compared and tested: a user's, a run's, or drawn ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.datasets.run_images import validation_pairs
from pixelwise.datasets.synthetic import draw_scene
from pixelwise.inference.sources import find_images
from pixelwise.io.channels import ReadingRule
from pixelwise.io.images import Array, read_pixels

# Images compared at most: each is run four times.
MAX_IMAGES = 5


def read_pictures(
    model: Path, images: Sequence[str | Path], rule: ReadingRule
) -> tuple[list[Array], str]:
    """Pictures to compare on, and a description of them."""
    if images:
        paths = find_images(images)[:MAX_IMAGES]
        return [read_pixels(path, rule) for path in paths], ", ".join(path.name for path in paths)
    pairs = validation_pairs(model)[:MAX_IMAGES]
    if pairs:
        return [read_pixels(pair.image, rule) for pair in pairs], "of the run's validation data"
    return [draw_picture(rule)], "a drawn scene, as there are no real ones; give some with --images"


def draw_picture(rule: ReadingRule) -> Array:
    """A scene of shapes, of as many bands as are read."""
    scene, _ = draw_scene(np.random.default_rng(0), (240, 320), 20, reach=96)
    if rule.channels is not None:  # any pixels will do
        scene = np.resize(scene, (*scene.shape[:2], len(rule.channels)))
    return scene


def cut_square(picture: Array, size: tuple[int, int]) -> Array:
    """The middle of a picture (H, W, channels), as much as is square, at `size`."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top = (height - side) // 2
    left = (width - side) // 2
    return resize(picture[top : top + side, left : left + side], size)


def resize(picture: Array, size: tuple[int, int]) -> Array:
    """(H, W, channels) at `size` (height, width)."""
    bands = [
        np.asarray(Image.fromarray(band).resize(size[::-1], Image.Resampling.BILINEAR))
        for band in np.ascontiguousarray(picture.transpose(2, 0, 1))
    ]
    return np.stack(bands, axis=2)
