"""A page of tables and of pictures side by side, each a JPEG inside the HTML file."""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pixelwise.files import write_text
from pixelwise.images import Array
from pixelwise.reports.overlays import VOID_COLOUR, legend
from pixelwise.reports.page import facts_table, head
from pixelwise.reports.tables import table
from pixelwise.tasks.labels import Classes

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Heading, names of the columns, rows."""

_GAP, _TEXT = 6, 14
_STYLE = "@media (max-width: 40rem) { figure img { max-width: none; } .facts th { width: 6rem; } }"
_PAPER, _INK = (255, 255, 255), (32, 32, 36)


def write_gallery(
    path: Path,
    *,
    title: str,
    lead: Sequence[str],
    facts: Sequence[tuple[str, str]] = (),
    tables: Sequence[Table] = (),
    pictures: Sequence[tuple[str, bytes]] = (),
) -> None:
    """Write the page at `path`: paragraphs, facts, tables, then JPEGs over their captions.

    Any text is allowed anywhere; it is shown, never read as HTML.
    """
    body = [f"<h1>{escape(title)}</h1>", *(f"<p>{escape(line)}</p>" for line in lead), *facts_table(facts)]
    for heading, columns, rows in tables:
        top = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
        cells = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
        body.append(f"<h2>{escape(heading)}</h2>")
        lines = "".join(f"<tr>{line}</tr>" for line in cells)
        body += table("rows", [f"<thead><tr>{top}</tr></thead>", f"<tbody>{lines}</tbody>"])
    for caption, picture in pictures:
        text, data = escape(caption), base64.b64encode(picture).decode("ascii")
        image = f'<img src="data:image/jpeg;base64,{data}" alt="{text}">'
        body.append(f'<figure><div class="scroll">{image}</div><figcaption>{text}</figcaption></figure>')
    write_text(path, "\n".join([*head(title, _STYLE), *body, "</body>", "</html>", ""]))


def side_by_side(panels: Sequence[tuple[str, Array]], classes: Classes, present: Sequence[int], *, side: int) -> bytes:
    """A JPEG of pictures (H, W, 3) of one size, their longer side `side` pixels, under their names.

    Below stand the colours of the class ids in `present`; ids beyond `classes` are called void.
    """
    height, width = panels[0][1].shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    font, top = ImageFont.load_default(size=_TEXT), 2 * _TEXT
    step = max(size[0], *(round(font.getlength(name)) for name, _ in panels)) + _GAP
    strip = legend(_entries(classes, present), len(panels) * step, _TEXT)
    canvas = Image.new("RGB", (max(strip.width, len(panels) * step), top + size[1] + strip.height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for column, (name, pixels) in enumerate(panels):
        draw.text((column * step, _TEXT), name, _INK, font, anchor="lm")
        way = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
        canvas.paste(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, way), (column * step, top))
    canvas.paste(strip, (0, top + size[1]))
    target = io.BytesIO()
    canvas.save(target, format="JPEG", quality=88)
    return target.getvalue()


def _entries(classes: Classes, present: Sequence[int]) -> list[tuple[str, tuple[int, int, int]]]:
    known = [(classes.names[label], classes.palette[label]) for label in present if label < len(classes)]
    return known if len(known) == len(present) else [*known, ("void", VOID_COLOUR)]
