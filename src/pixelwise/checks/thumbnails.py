"""Small pictures of a finding's place: the image beside its mask, the pixel in question ringed."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.pair_stats import MaskSource, PairStats
from pixelwise.datasets.strays import read_nearest
from pixelwise.errors import PixelwiseError
from pixelwise.io.images import read_rgb
from pixelwise.reports.overlays import colourise

_HEIGHT = 150
_WIDEST = 300
_GAP = 4
_RING = 7
_MARK = (255, 0, 170)


def thumbnail(
    issue: Issue, pairs: dict[Path, PairStats], encoding: MaskEncoding, source: MaskSource
) -> bytes | None:
    """A JPEG of image and mask side by side, 150 pixels high; None where neither can be shown.

    `pairs` are those of the set by the path of their mask.
    """
    panels: list[Image.Image] = []
    mask_stats = pairs.get(issue.mask) if issue.mask else None
    for path, stats in ((issue.image, None), (issue.mask, mask_stats)):
        picture = _panel(path, stats, encoding, source) if path else None
        if picture is not None:
            marked = path == issue.file and path == issue.mask
            panels.append(_mark(picture, issue.position if marked else None))
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
    path: Path, stats: PairStats | None, encoding: MaskEncoding, source: MaskSource
) -> tuple[Image.Image, tuple[int, int]] | None:
    """A picture at its own size, with that size (H, W)."""
    try:
        if stats is not None and stats.mask is not None:
            labels, _ = read_nearest(stats.pair, stats.mask, encoding, source)
            pixels = colourise(labels, encoding.classes.palette)
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
