"""A page of tables and of samples, and the pictures of a sample side by side in one file."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pixelwise.io.images import Array, encode_image
from pixelwise.reports.fonts import legible, load_font
from pixelwise.reports.overlays import Palette, fit_into, paint
from pixelwise.reports.render import write_page
from pixelwise.reports.samples import Gallery, Panels

# Heading, names of the columns, rows.
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]

_GAP = 6
_FONT_SIZE = 14
_PAPER = (255, 255, 255)
_INK = (32, 32, 36)
_RING = (255, 0, 170)


def write_gallery(
    path: Path,
    *,
    title: str,
    lead: Sequence[str],
    verdicts: Sequence[str] = (),
    charts: Sequence[tuple[str, Markup]] = (),
    facts: Sequence[tuple[str, str]] = (),
    tables: Sequence[Table] = (),
    gallery: Gallery,
) -> None:
    """Write the page at `path`: verdicts, charts under their headings, samples, tables, then facts
    and the paragraphs of `lead`.

    Any text is allowed anywhere; it is shown, never read as HTML.
    """
    write_page(
        path,
        "gallery.html.j2",
        title=title,
        lead=lead,
        verdicts=verdicts,
        charts=charts,
        facts=facts,
        tables=tables,
        gallery=gallery,
    )


def draw_panels(
    rgb: Array,
    masks: Sequence[tuple[str, Array]],
    palette: Palette,
    side: int,
    ring: NDArray[np.bool_] | None = None,
) -> Panels:
    """The image (H, W, 3) and its overlay with each of the masks (H, W), under their captions;
    the longer side has `side` pixels. Pixels of `ring` (H, W) stand out in all of them.
    """
    marked = np.zeros(rgb.shape[:2], np.uint8) if ring is None else ring.astype(np.uint8)
    labels = [mask for _, mask in masks]
    rgb, (marked, *labels) = fit_into((side, side), rgb, [marked, *labels])
    pictures = [rgb.copy(), *(paint(rgb, mask, palette) for mask in labels)]
    captions = ["image", *(caption for caption, _ in masks)]
    panels = []
    for caption, picture in zip(captions, pictures, strict=True):
        picture[marked > 0] = _RING
        panels.append((caption, encode_image(picture, "JPEG")))
    return tuple(panels)


def join_panels(panels: Panels) -> bytes:
    """One JPEG of panels of one size side by side, each under its caption."""
    pictures = [Image.open(io.BytesIO(jpeg)) for _, jpeg in panels]
    top = 2 * _FONT_SIZE
    width, height = pictures[0].size
    captions = [legible(caption) for caption, _ in panels]
    fonts = [load_font(caption, _FONT_SIZE) for caption in captions]
    # A caption may be wider than its picture: columns are as wide as the widest of both.
    lettering = list(zip(captions, fonts, strict=True))
    caption_widths = [round(font.getlength(caption)) for caption, font in lettering]
    step = max(width, *caption_widths) + _GAP
    canvas = Image.new("RGB", (len(panels) * step, top + height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    left = 0
    for (caption, font), picture in zip(lettering, pictures, strict=True):
        draw.text((left, _FONT_SIZE), caption, _INK, font, anchor="lm")
        canvas.paste(picture, (left, top))
        left += step
    return encode_image(np.asarray(canvas), "JPEG")
