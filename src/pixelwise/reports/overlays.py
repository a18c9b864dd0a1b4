"""Labels made visible: as colours, as a tint over the image, with a legend."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pixelwise.classes import VOID_COLOUR, Colour, reduce_window
from pixelwise.io.images import Array
from pixelwise.palette import BACKGROUND_COLOUR
from pixelwise.reports.fonts import NO_FONT, legible, load_font, missing_letters

_PAPER = (255, 255, 255)
_INK = (32, 32, 36)
_RIM = (150, 150, 155)

# A light and a dark line side by side: one of them shows on any photo and on any colour.
_LIGHT = (255, 255, 255)
_DARK = (20, 22, 28)
# Outlines are stronger than the tint, and as wide as this share of the picture's longer side.
_OUTLINE_GAIN = 1.7
_OUTLINE_WIDTH = 1 / 800
# Void is hatched: stripes of as many times the width of an outline.
_STRIPE = 3

Palette = tuple[Colour, ...]


def colourise(labels: Array, palette: Palette) -> Array:
    """RGB (H, W, 3) of class ids (H, W); ids beyond the palette, void among them, are light
    grey.
    """
    table = np.full((256, 3), VOID_COLOUR, dtype=np.uint8)
    table[: len(palette)] = palette
    return table[labels]


def paint(rgb: Array, labels: Array, palette: Palette, opacity: float = 0.5) -> Array:
    """`rgb` (H, W, 3) tinted by class with `opacity` in [0, 1], a light and a dark line between
    regions.

    A background (a class that is black) keeps the image's own colours; void is hatched.
    """
    dark, light = _find_outlines(labels, len(palette))
    strength = _tint_strength(labels, palette, opacity)  # (H, W)
    strength[dark | light] = min(1.0, opacity * _OUTLINE_GAIN)
    colours = colourise(labels, palette)
    colours[dark] = _DARK
    colours[light] = _LIGHT
    painted = np.empty(rgb.shape, dtype=np.uint8)
    for channel in range(3):  # one at a time: floats of a large picture are four times its size
        below = rgb[:, :, channel].astype(np.float32)
        difference = colours[:, :, channel] - below
        blended = below + strength * difference
        painted[:, :, channel] = np.rint(blended)
    return painted


def fit_into(box: tuple[int, int], rgb: Array, masks: Sequence[Array]) -> tuple[Array, list[Array]]:
    """`rgb` (H, W, 3) and masks (H, W) or (C, H, W) as large as a box (width, height) can hold;
    masks are sampled, never mixed.

    To be done before `paint`: an outline that is made smaller is none.
    """
    height, width = rgb.shape[:2]
    scale = min(box[0] / width, box[1] / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Lanczos rings where it enlarges: regions of few pixels are shown enlarged.
    smooth = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC

    def resize(pixels: Array, resampling: Image.Resampling) -> Array:
        if pixels.ndim == 3 and pixels is not rgb:
            return np.stack([resize(layer, resampling) for layer in pixels])
        image = Image.fromarray(np.ascontiguousarray(pixels))
        return np.asarray(image.resize(size, resampling))

    return resize(rgb, smooth), [resize(mask, Image.Resampling.NEAREST) for mask in masks]


def outline_width(labels: Array) -> int:
    """Pixels of each of the two lines of an outline in a picture of this size."""
    longer = int(max(labels.shape))
    return max(1, round(longer * _OUTLINE_WIDTH))


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
    if tuple(colour) == BACKGROUND_COLOUR:
        # crossed out, as drawing programs show that nothing is painted
        draw.rounded_rectangle(box, size // 5, fill=_PAPER, outline=_RIM)
        draw.line((left + 2, top + size - 2, left + size - 2, top + 2), fill=_RIM, width=2)
        return
    # The rim shows a swatch in the colour of the paper.
    draw.rounded_rectangle(box, size // 5, fill=colour, outline=_RIM)
    if tuple(colour) == VOID_COLOUR:
        for shift in (size // 3, size - size // 3):  # hatched, as void is in pictures
            draw.line((left, top + shift, left + shift, top), fill=_RIM)
            draw.line((left + shift, top + size, left + size, top + shift), fill=_RIM)


def _find_outlines(labels: Array, classes: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(H, W) twice: pixels beside a class of a higher id, and others beside one of a lower.

    None along void: that is often a narrow band around each object, an outline itself.
    """
    width = outline_width(labels)
    known = labels < classes
    highest = reduce_window(labels * known, width, np.maximum)
    lowest = reduce_window(labels, width, np.minimum)
    dark = (labels < highest) & known
    light = (labels > lowest) & known & ~dark
    return dark, light


def _tint_strength(labels: Array, palette: Palette, opacity: float) -> NDArray[np.float32]:
    """(H, W): how much of a pixel is its class's colour."""
    by_label = np.full(256, opacity, np.float32)
    by_label[: len(palette)] *= [tuple(colour) != BACKGROUND_COLOUR for colour in palette]
    strength = by_label[labels]
    void = labels >= len(palette)
    if void.any():
        rows, columns = np.nonzero(void)
        stripe = (rows + columns) // (_STRIPE * outline_width(labels))
        strength[rows, columns] *= stripe % 2
    return strength


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
