"""Small pictures of a finding's place: the image beside its mask, the pixel in question ringed."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.pair_stats import MaskSource, PairStats
from pixelwise.datasets.strays import read_nearest
from pixelwise.errors import PixelwiseError
from pixelwise.io.images import Array, read_rgb
from pixelwise.reports.overlays import colourise

_HEIGHT = 150
# Panoramas are made smaller than _HEIGHT, so that two panels fit beside each other on a page.
_WIDEST = 300
_GAP = 4
# The radius of the ring around a pixel, and its colour: seldom one of photographs or palettes.
_RING = 7
_MARK = (255, 0, 170)
_BEHIND = (240, 240, 240)
# A page of many pictures is one file: 80 keeps a thumbnail at a few KB.
_JPEG_QUALITY = 80


def thumbnail(
    issue: Issue,
    pairs: dict[Path, PairStats],
    encoding: MaskEncoding,
    source: MaskSource,
) -> bytes | None:
    """A JPEG of image and mask side by side, 150 pixels high; None where neither can be shown.

    `pairs` are those of the set by the path of their mask.
    """
    panels: list[Image.Image] = []
    if issue.image:
        rgb = _read_image(issue.image)
        if rgb is not None:
            panels.append(_draw_panel(rgb, None))
    if issue.mask:
        rgb = _read_mask(issue.mask, pairs.get(issue.mask), encoding, source)
        # A position is one of the issue's file; it is drawn in the mask alone.
        position = issue.position if issue.file == issue.mask else None
        if rgb is not None:
            panels.append(_draw_panel(rgb, position))
    return _join(panels) if panels else None


def _join(panels: Sequence[Image.Image]) -> bytes:
    width = sum(panel.width for panel in panels) + _GAP * (len(panels) - 1)
    canvas = Image.new("RGB", (width, _HEIGHT), (255, 255, 255))
    left = 0
    for panel in panels:
        canvas.paste(panel, (left, 0))
        left += panel.width + _GAP
    buffer = io.BytesIO()
    canvas.save(buffer, format="JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _read_image(path: Path) -> Array | None:
    try:
        return read_rgb(path)
    except (PixelwiseError, OSError):
        return None


def _read_mask(
    path: Path, stats: PairStats | None, encoding: MaskEncoding, source: MaskSource
) -> Array | None:
    """A mask in the colours of its classes; as the picture it is where it could not be measured."""
    if stats is None or stats.mask is None:
        return _read_image(path)
    try:
        labels, _ = read_nearest(stats.pair, stats.mask, encoding, source)
    except (PixelwiseError, OSError):
        return None
    return colourise(labels, encoding.classes.palette)


def _draw_panel(rgb: Array, position: tuple[int, int] | None) -> Image.Image:
    """(H, W, 3) made small, with a ring around the pixel at `position` (row, column)."""
    height, width = rgb.shape[:2]
    scale = min(_HEIGHT / height, _WIDEST / width)
    small_width = max(1, round(width * scale))
    small_height = max(1, round(height * scale))
    # Small masks are shown by their very pixels, not smoothed.
    resampling = Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    small = picture.resize((small_width, small_height), resampling)
    canvas = Image.new("RGB", (small_width, _HEIGHT), _BEHIND)
    canvas.paste(small, (0, 0))
    if position is not None:
        _draw_ring(canvas, position, scale)
    return canvas


def _draw_ring(
    canvas: Image.Image,
    position: tuple[int, int],
    scale: float,
) -> None:
    row, column = position
    # Half a pixel: a position names a pixel's corner, the ring lies around its centre.
    y = (row + 0.5) * scale
    x = (column + 0.5) * scale
    box = (x - _RING, y - _RING, x + _RING, y + _RING)
    ImageDraw.Draw(canvas).ellipse(box, outline=_MARK, width=2)
