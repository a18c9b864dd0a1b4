"""A page of tables and of samples, and the pictures of a sample side by side in one file."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.io.images import Array, encode_image
from pixelwise.reports.fonts import legible, load_font
from pixelwise.reports.render import write_page
from pixelwise.reports.samples import Gallery, Panels

# Heading, names of the columns, rows.
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]

_GAP = 6
_FONT_SIZE = 14
_PAPER = (255, 255, 255)
_INK = (32, 32, 36)


def write_gallery(
    path: Path,
    *,
    title: str,
    lead: Sequence[str],
    facts: Sequence[tuple[str, str]] = (),
    tables: Sequence[Table] = (),
    gallery: Gallery,
) -> None:
    """Write the page at `path`: paragraphs, facts, tables, samples.

    Any text is allowed anywhere; it is shown, never read as HTML.
    """
    write_page(
        path,
        "gallery.html.j2",
        title=title,
        lead=lead,
        facts=facts,
        tables=tables,
        gallery=gallery,
    )


def encode_panel(pixels: Array, side: int) -> bytes:
    """A picture (H, W, 3) as a JPEG whose longer side has `side` pixels."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Lanczos rings where it enlarges: regions of few pixels are shown enlarged.
    resampling = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    picture = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, resampling)
    return encode_image(np.asarray(picture), "JPEG")


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
