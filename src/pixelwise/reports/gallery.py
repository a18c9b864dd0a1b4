"""A page of tables and of samples, and the pictures of a sample side by side in one file."""

import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pixelwise.io.atomic import write_text
from pixelwise.io.images import Array, encode_image
from pixelwise.reports.page import facts_table, head, pictured
from pixelwise.reports.samples import Gallery, Panels
from pixelwise.reports.tables import headed, row, table

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Heading, names of the columns, rows."""

_GAP = 6
_TEXT = 14
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
    body = [
        f"<h1>{escape(title)}</h1>",
        *(f"<p>{escape(line)}</p>" for line in lead),
        *facts_table(facts),
    ]
    for heading, columns, rows in tables:
        lines = [
            row(name, *(f"<td>{escape(cell)}</td>" for cell in cells)) for name, *cells in rows
        ]
        body += [f"<h2>{escape(heading)}</h2>", *table("rows", [headed(*columns), *lines])]
    body += pictured(gallery)
    write_text(path, "\n".join([*head(title), *body, "</body>", "</html>", ""]))


def panel(pixels: Array, side: int) -> bytes:
    """A picture (H, W, 3) as a JPEG whose longer side has `side` pixels."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    return encode_image(
        np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, way)), "JPEG"
    )


def side_by_side(panels: Panels) -> bytes:
    """One JPEG of panels of one size, each under its caption."""
    pictures = [Image.open(io.BytesIO(data)) for _, data in panels]
    font = ImageFont.load_default(size=_TEXT)
    top = 2 * _TEXT
    width, height = pictures[0].size
    step = max(width, *(round(font.getlength(caption)) for caption, _ in panels)) + _GAP
    canvas = Image.new("RGB", (len(panels) * step, top + height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for column, ((caption, _), picture) in enumerate(zip(panels, pictures, strict=True)):
        draw.text((column * step, _TEXT), caption, _INK, font, anchor="lm")
        canvas.paste(picture, (column * step, top))
    return encode_image(np.asarray(canvas), "JPEG")
