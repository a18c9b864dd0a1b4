"""The overlay of a raster: made smaller, from its mask, some rows at a time."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.inference.raster import open_raster
from pixelwise.io.channels import RGB, ReadingRule
from pixelwise.io.gdal import open_dataset
from pixelwise.io.images import write_image
from pixelwise.reports.overlays import add_legend, class_shares, paint

# The longer side of an overlay is at most this, which every viewer shows.
MAX_SIDE = 4096
# Pixels of the raster that are held at once, where a row of the overlay needs no more.
_HELD_PIXELS = 2**24


def write_raster_overlay(
    source: Path, mask: Path, classes: Classes, rule: ReadingRule = RGB
) -> Path:
    """Write STEM_overlay.jpg beside the mask STEM.tif of the raster `source`, with a legend.

    Of a raster larger than MAX_SIDE each pixel is the mean of a square of the source, with the
    label at the middle of the square. rule: as in `open_raster`. Raises ImageError for a
    file that cannot be read, OutputError where the overlay cannot be written.
    """
    path = mask.with_name(f"{mask.stem}_overlay.jpg")
    with open_raster(source, rule) as picture, open_dataset(mask) as target:
        height = picture.height
        width = picture.width
        step = math.ceil(max(height, width) / MAX_SIDE)
        rows = step * max(1, _HELD_PIXELS // (step * width))
        columns = _middles(width, step)
        colours = []
        labels = []
        with picture.cache_rows(rows):
            for top in range(0, height, rows):
                bottom = min(top + rows, height)
                rgb = picture.to_rgb(picture[top:bottom, 0:width])
                colours.append(np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).reduce(step)))
                strip = target.read(1, window=((top, bottom), (0, width)))
                labels.append(strip[_middles(bottom - top, step)][:, columns])
    small = np.concatenate(labels)
    painted = paint(np.concatenate(colours), small, classes.palette)
    overlay = add_legend(painted, classes.names, classes.palette, class_shares(small))
    write_image(path, np.asarray(overlay))
    return path


def _middles(length: int, step: int) -> np.ndarray:
    """The middle of each `step` pixels, of the last ones too where they are fewer."""
    return np.minimum(np.arange(0, length, step) + step // 2, length - 1)
