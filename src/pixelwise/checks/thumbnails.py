"""Small pictures of a finding's place: the image beside its mask, the pixel in question ringed."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.checks.findings import Hit
from pixelwise.checks.inspect_pairs import Look
from pixelwise.checks.repair_mask import read_mask
from pixelwise.datasets.mask_encoding import Encoding
from pixelwise.errors import PixelwiseError
from pixelwise.io.images import read_rgb
from pixelwise.reports.overlays import colourise

_HEIGHT = 150
_WIDEST = 300
_GAP = 4
_RING = 7
_MARK = (255, 0, 170)


def thumbnail(hit: Hit, looks: dict[Path, Look], encoding: Encoding) -> bytes | None:
    """A JPEG of image and mask side by side, 150 pixels high; None where neither can be shown.

    `looks` are those of the set by the path of their mask.
    """
    panels: list[Image.Image] = []
    for path, look in ((hit.image, None), (hit.mask, looks.get(hit.mask) if hit.mask else None)):
        found = _panel(path, look, encoding) if path else None
        if found is not None:
            panels.append(
                _mark(found, hit.position if path == hit.file and path == hit.mask else None)
            )
    if not panels:
        return None
    width = sum(panel.width for panel in panels) + _GAP * (len(panels) - 1)
    canvas = Image.new("RGB", (width, _HEIGHT), (255, 255, 255))
    left = 0
    for panel in panels:
        canvas.paste(panel, (left, 0))
        left += panel.width + _GAP
    target = io.BytesIO()
    canvas.save(target, format="JPEG", quality=80)
    return target.getvalue()


def _panel(
    path: Path, look: Look | None, encoding: Encoding
) -> tuple[Image.Image, tuple[int, int]] | None:
    """A picture at its own size, with that size (H, W)."""
    try:
        if look is not None and look.mask is not None:
            pixels = colourise(
                read_mask(look.couple, look.mask, encoding)[0], encoding.classes.palette
            )
        else:
            pixels = read_rgb(path)
    except (PixelwiseError, OSError):
        return None
    return Image.fromarray(np.ascontiguousarray(pixels)), (pixels.shape[0], pixels.shape[1])


def _mark(
    panel: tuple[Image.Image, tuple[int, int]], position: tuple[int, int] | None
) -> Image.Image:
    image, (height, width) = panel
    scale = min(_HEIGHT / height, _WIDEST / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = image.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST)
    canvas = Image.new("RGB", (size[0], _HEIGHT), (240, 240, 240))
    canvas.paste(small, (0, 0))
    if position is not None:
        y = (position[0] + 0.5) * scale
        x = (position[1] + 0.5) * scale
        ImageDraw.Draw(canvas).ellipse(
            (x - _RING, y - _RING, x + _RING, y + _RING), outline=_MARK, width=2
        )
    return canvas
