"""Pictures of a finding's place: the image, outlined by its mask, beside the mask, the pixel in
question ringed.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.classes import VOID
from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.pair_stats import MaskSource, PairStats
from pixelwise.datasets.strays import read_nearest
from pixelwise.errors import PixelwiseError
from pixelwise.io.channels import TO_SHOW
from pixelwise.io.images import Array, encode_image, read_rgb
from pixelwise.palette import BACKGROUND_COLOUR
from pixelwise.reports.overlays import colourise, fit_into, paint

# Width and height into which a panel is fitted: two of them fill a page's width.
_BOX = (520, 640)
# The radius of the ring around a pixel, and its colour: seldom one of photographs or palettes.
_RING = 7
_MARK = (255, 0, 170)

# JPEG files that stand beside each other: the image, and its mask.
Pictures = tuple[bytes, ...]


def thumbnail(
    issue: Issue,
    pairs: dict[Path, PairStats],
    encoding: MaskEncoding,
    source: MaskSource,
) -> Pictures:
    """The image, outlined by its mask where they are of one size, and the mask, as far as they can
    be shown.

    `pairs` are those of the set by the path of their mask.
    """
    rgb = _read_image(issue.image) if issue.image else None
    stats = pairs.get(issue.mask) if issue.mask else None
    labels = _read_labels(stats, encoding, source)
    # A position is one of the issue's file; it is drawn in the mask alone.
    position = issue.position if issue.file == issue.mask else None
    panels: list[Image.Image] = []
    if rgb is not None:
        panels.append(_draw_photo(rgb, labels))
    if labels is not None:
        panels.append(_draw_panel(colourise(labels, encoding.classes.palette), position))
    elif issue.mask and (stats is None or stats.mask is None):
        # What could not be measured is shown as the picture that it is.
        picture = _read_image(issue.mask)
        if picture is not None:
            panels.append(_draw_panel(picture, position))
    return _encode(panels)


def draw_pair(stats: PairStats, encoding: MaskEncoding, source: MaskSource) -> Pictures:
    """Both of a pair, as `thumbnail` draws them; none where one of them cannot be shown."""
    rgb = _read_image(stats.pair.image)
    labels = _read_labels(stats, encoding, source)
    if rgb is None or labels is None:
        return ()
    mask = _draw_panel(colourise(labels, encoding.classes.palette), None)
    return _encode([_draw_photo(rgb, labels), mask])


def _encode(panels: Sequence[Image.Image]) -> Pictures:
    return tuple(encode_image(np.asarray(panel), "JPEG") for panel in panels)


def _read_image(path: Path) -> Array | None:
    try:
        return read_rgb(path, TO_SHOW)
    except (PixelwiseError, OSError):
        return None


def _read_labels(
    stats: PairStats | None, encoding: MaskEncoding, source: MaskSource
) -> Array | None:
    """Class ids (H, W) of a mask that was measured."""
    if stats is None or stats.mask is None:
        return None
    try:
        labels, _ = read_nearest(stats.pair, stats.mask, encoding, source)
    except (PixelwiseError, OSError):
        return None
    return labels


def _draw_photo(rgb: Array, labels: Array | None) -> Image.Image:
    """(H, W, 3) made to fit, with the outlines of the labels (H, W) where these have its size."""
    if labels is None or labels.shape != rgb.shape[:2]:
        return _draw_panel(rgb, None)
    rgb, (labels,) = fit_into(_BOX, rgb, [labels])
    # Without a tint, as that would hide how far a border lies from the edge in the photo.
    untinted = (BACKGROUND_COLOUR,) * 256
    return Image.fromarray(paint(rgb, labels, untinted[:VOID]))


def _draw_panel(rgb: Array, position: tuple[int, int] | None) -> Image.Image:
    """(H, W, 3) made to fit, with a ring around the pixel at `position` (row, column)."""
    height, width = rgb.shape[:2]
    scale = min(_BOX[0] / width, _BOX[1] / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Small masks are shown by their very pixels, not smoothed.
    resampling = Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST
    panel = Image.fromarray(np.ascontiguousarray(rgb)).resize(size, resampling)
    if position is not None:
        _draw_ring(panel, position, scale)
    return panel


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
