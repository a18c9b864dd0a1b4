"""Labels made visible: as colours, as a tint over the image, with a legend."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pixelwise.classes import VOID_COLOUR, Colour, find_edges
from pixelwise.io.images import Array
from pixelwise.reports.fonts import NO_FONT, legible, load_font, missing_letters

_PAPER = (255, 255, 255)
_INK = (32, 32, 36)
_RIM = (150, 150, 155)
_BLACK = (0, 0, 0)

# The tint is stronger where a class ends, so that its outline can be seen.
_OUTLINE_GAIN = 1.7

Palette = tuple[Colour, ...]


def colourise(labels: Array, palette: Palette) -> Array:
    """RGB (H, W, 3) of class ids (H, W); ids beyond the palette, void among them, are light
    grey.
    """
    table = np.full((256, 3), VOID_COLOUR, dtype=np.uint8)
    table[: len(palette)] = palette
    return table[labels]


def paint(rgb: Array, labels: Array, palette: Palette, opacity: float = 0.5) -> Array:
    """`rgb` (H, W, 3) tinted by class with `opacity` in [0, 1], stronger along the outlines.

    Void and classes whose colour is black (a background) keep the image's own colours.
    """
    strength = _tint_strength(labels, palette, opacity)  # (H, W)
    colours = colourise(labels, palette)
    painted = np.empty(rgb.shape, dtype=np.uint8)
    for channel in range(3):  # one at a time: floats of a large picture are four times its size
        below = rgb[:, :, channel].astype(np.float32)
        difference = colours[:, :, channel] - below
        blended = below + strength * difference
        painted[:, :, channel] = np.rint(blended)
    return painted


def class_shares(labels: Array) -> dict[int, float]:
    """The ids that occur in `labels`, void too, with their share of all pixels, largest first."""
    counts = np.bincount(labels.reshape(-1), minlength=256)
    order = np.argsort(-counts, kind="stable")
    shares = {}
    for label in order[: np.count_nonzero(counts)]:
        shares[int(label)] = float(counts[label] / labels.size)
    return shares


def add_legend(
    rgb: Array,
    names: tuple[str, ...],
    palette: Palette,
    present: Mapping[int, float] | Iterable[int],
) -> Image.Image:
    """`rgb` (H, W, 3) with a strip below it that names the colours of the class ids in `present`,
    in their order.

    `present` as a mapping gives each id's share of pixels (see `class_shares`), which is then shown
    too. The text grows with the picture; a picture narrower than the longest entry is padded on the
    right. Ids beyond `names` are called void; names in letters that no font here has are called
    by their ids, and a line says so.
    """
    height, width = rgb.shape[:2]
    size = max(height, width) // 36
    size = min(max(size, 13), 72)  # legible below small pictures, modest below large ones
    entries = _legend_entries(names, palette, present)
    shown = [names[label] for label in present if label < len(names)]
    note = NO_FONT if missing_letters(shown) else ""
    strip = draw_legend(entries, width, size, note)
    canvas = Image.new("RGB", (strip.width, height + strip.height), _PAPER)
    canvas.paste(Image.fromarray(np.ascontiguousarray(rgb)), (0, 0))
    canvas.paste(strip, (0, height))
    return canvas


def draw_legend(
    entries: list[tuple[str, Colour]], width: int, size: int, note: str = ""
) -> Image.Image:
    """A strip of colour swatches with names, in lines of at most `width` pixels (wider if one entry
    needs it), and below them a `note` in English.

    `size` is the height of the text in pixels. The names are `legible`.
    """
    gap = max(size // 2, 2)
    line_height = round(size * 1.6)
    widths = []
    for text, _ in entries:
        text_width = round(load_font(text, size).getlength(text))
        widths.append(size + gap + text_width + 2 * gap)
    if widths:
        width = max(width, max(widths) + gap)
    small = max(9, size * 3 // 4)
    if note:
        width = max(width, round(load_font(note, small).getlength(note)) + 2 * gap)
    positions, lines = _wrap_lines(widths, width - gap)
    lines += bool(note)
    height = lines * line_height + 2 * gap if entries else 0
    strip = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(strip)
    for (text, colour), (column, line) in zip(entries, positions, strict=True):
        left = column + gap
        middle = gap + line * line_height + line_height // 2
        _draw_swatch(draw, left, middle, size, colour)
        font = load_font(text, size)
        draw.text((left + size + gap, middle), text, fill=_INK, font=font, anchor="lm")
    if note:
        middle = height - gap - line_height // 2
        draw.text((gap, middle), note, fill=_INK, font=load_font(note, small), anchor="lm")
    return strip


def _draw_swatch(
    draw: ImageDraw.ImageDraw,
    left: int,
    middle: int,
    size: int,
    colour: Colour,
) -> None:
    top = middle - size // 2
    box = (left, top, left + size, top + size)
    # The rim shows a swatch in the colour of the paper.
    draw.rounded_rectangle(box, size // 5, fill=colour, outline=_RIM)


def _tint_strength(labels: Array, palette: Palette, opacity: float) -> NDArray[np.float32]:
    tinted = np.zeros(256, dtype=bool)
    tinted[: len(palette)] = [tuple(colour) != _BLACK for colour in palette]
    inside = np.float32(opacity)
    outline = np.float32(min(1.0, opacity * _OUTLINE_GAIN))
    strength = np.where(find_edges(labels), outline, inside)  # (H, W)
    return np.asarray(strength * tinted[labels], dtype=np.float32)


def _legend_entries(
    names: tuple[str, ...],
    palette: Palette,
    present: Mapping[int, float] | Iterable[int],
) -> list[tuple[str, Colour]]:
    entries = []
    for label in present:
        text = legible(names[label], f"class {label}") if label < len(names) else "void"
        if isinstance(present, Mapping):
            text += f" {_format_percent(present[label])}"
        colour = palette[label] if label < len(palette) else VOID_COLOUR
        entries.append((text, colour))
    return entries


def _format_percent(share: float) -> str:
    if share < 0.0005:
        return "<0.1%"
    if share < 0.0995:  # what is not rounded up to 10 %
        return f"{share:.1%}"
    return f"{share:.0%}"


def _wrap_lines(widths: list[int], width: int) -> tuple[list[tuple[int, int]], int]:
    """(left, line) of each entry when lines break at `width`, and the number of lines."""
    positions = []
    left = 0
    line = 0
    for entry in widths:
        if left and left + entry > width:
            left = 0
            line += 1
        positions.append((left, line))
        left += entry
    return positions, line + 1
