"""The picture of the README: a photo, its overlay and the legend side by side.

python docs/pictures/overlay.py

The photo is the cat Chelsea by Stefan van der Walt, CC0 (public domain), as scikit-image ships it
(`skimage.data.chelsea`). The labels are those of the bundled model `animals`.
"""

from pathlib import Path

import numpy as np
from PIL import Image

import pixelwise
from pixelwise.datasets.sample_photos import sample_photos
from pixelwise.io.images import Array
from pixelwise.reports.overlays import class_shares, draw_legend, fit_into, paint

PANEL = (640, 426)  # width, height
TEXT = 54  # eleven pixels where a phone shows the picture 360 pixels wide
GAP = 16


def main() -> None:
    """Label the photo and write overlay.jpg beside this file."""
    result = pixelwise.load("animals").predict(sample_photos()["cat"])
    rgb, (labels,) = fit_into(PANEL, result.rgb, [result.labels])
    entries = [
        (result.classes[label], result.palette[label]) for label in class_shares(result.labels)
    ]
    painted = paint(rgb, labels, result.palette)
    picture = place(rgb, painted, np.asarray(draw_legend(entries, 1, TEXT)))
    path = Path(__file__).with_suffix(".jpg")
    Image.fromarray(picture).save(path, quality=82, optimize=True, progressive=True)


def place(*parts: Array) -> Array:
    """Pictures (H, W, 3) side by side on white, a gap between them, in the middle of the height."""
    height = max(part.shape[0] for part in parts)
    width = sum(part.shape[1] for part in parts) + GAP * (len(parts) - 1)
    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    left = 0
    for part in parts:
        top = (height - part.shape[0]) // 2
        canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
        left += part.shape[1] + GAP
    return canvas


if __name__ == "__main__":
    main()
