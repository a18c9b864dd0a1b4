"""A photo that is larger or smaller by far than those of a model's training, at their size, and its
labels at its own; with numpy and Pillow alone.
"""

import math

import numpy as np
from PIL import Image
from read_picture import read_rgb


def read_photo(path: str, training: dict) -> tuple[np.ndarray, tuple[int, int]]:
    """(3, h, w) as the model sees it, and the photo's own (height, width); `training` as the header
    has it.
    """
    rgb = read_rgb(path, training.get("reading", {}).get("common_bits", 0))
    seen = at_training_size(rgb, path, training.get("sizes"))
    return seen.transpose(2, 0, 1), rgb.shape[:2]


def at_training_size(rgb: np.ndarray, path: str, sizes: dict | None) -> np.ndarray:
    """(H, W, 3) as the model sees it; `sizes` as `training` of the header has them."""
    if not sizes:
        return rgb
    with Image.open(path) as image:
        is_photo = image.format not in ("TIFF", "JPEG2000")
    framed = is_photo if sizes["framed"] is None else sizes["framed"]
    height, width, _ = rgb.shape
    side = math.sqrt(height * width)
    if not framed or sizes["smallest"] <= side <= sizes["largest"]:
        return rgb
    factor = sizes["side"] / side
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    resized = Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.asarray(resized)


def labels_at(logits: np.ndarray, height: int, width: int) -> np.ndarray:
    """Labels (height, width) of logits (C, h, w), interpolated between the centres of pixels."""
    if logits.shape[1:] == (height, width):
        return logits.argmax(0).astype(np.uint8)
    above, below, down = samples(logits.shape[1], height)
    left, right, across = samples(logits.shape[2], width)
    labels = np.empty((height, width), np.uint8)
    for row in range(height):
        line = logits[:, above[row]] * (1 - down[row]) + logits[:, below[row]] * down[row]
        line = line[:, left] * (1 - across) + line[:, right] * across
        labels[row] = line.argmax(0)
    return labels


def samples(length: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of `count` pixels those of `length` before and after it, and the latter's share."""
    places = ((np.arange(count) + 0.5) * length / count - 0.5).clip(0, length - 1)
    before = places.astype(int)
    after = np.minimum(before + 1, length - 1)
    return before, after, (places - before).astype(np.float32)
