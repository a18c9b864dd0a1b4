"""Some images beside their truth and prediction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pixelwise.classes import VOID, VOID_COLOUR, Classes, Colour, quantize_confidence
from pixelwise.io.atomic import atomic
from pixelwise.io.images import Array, encode_image
from pixelwise.palette import BACKGROUND_COLOUR
from pixelwise.reports.figure_style import COLOUR_MAP
from pixelwise.reports.fonts import NO_FONT, legible, load_font, missing_letters
from pixelwise.reports.layer_overlays import paint_layers
from pixelwise.reports.overlays import draw_legend, fit_into, paint

# Width of a picture in the grid, in pixels; every image is resized to it.
COLUMN = 360

_MAX_HEIGHT = 480
_GAP = 12
_FONT_SIZE = 26
# The longer side of a picture on a page, where a click shows it at its size.
_PAGE_SIDE = 720
_CONFIDENCE = "confidence"
_PAPER = (255, 255, 255)
_INK = (32, 32, 36)
_GREY = (100, 104, 112)
_WRONG = (220, 38, 38)
_COLUMNS = ("image", "truth", "prediction", "errors (red)")
_WIDTH = len(_COLUMNS) * (COLUMN + _GAP) + _GAP

# JPEG files under their captions.
Panels = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Sample:
    """One image on a page: its title, and pictures of it."""

    title: str
    panels: Panels


@dataclass(frozen=True)
class Gallery:
    """Samples, and the colours of their classes by name."""

    legend: Mapping[str, Colour]
    samples: Sequence[Sample]

    @classmethod
    def of(cls, classes: Classes, samples: Sequence[Sample]) -> "Gallery":
        """With the colours of all classes and of void."""
        legend = dict(zip(classes.names, classes.palette, strict=True))
        legend["void"] = VOID_COLOUR
        return cls(legend, samples)

    @property
    def shows_confidence(self) -> bool:
        """Whether its scale must be explained."""
        captions = {caption for sample in self.samples for caption, _ in sample.panels}
        return _CONFIDENCE in captions


def draw_sample(
    title: str,
    picture: tuple[Array, Array, Array],
    confidence: NDArray[np.float32] | None,
    classes: Classes,
) -> Sample:
    """Image, truth, prediction, errors and, where there is one, confidence side by side.

    `picture` is rgb (H, W, 3) and true and predicted class ids (H, W), or layers (C, H, W), uint8,
    void 255; confidence (H, W) in [0, 1].
    """
    rgb, *masks = picture
    box = (_PAGE_SIDE, _PAGE_SIDE)
    levels = [] if confidence is None else [quantize_confidence(confidence)]
    rgb, masks = fit_into(box, rgb, [*masks, *levels])
    truth, labels, *levels = masks
    cells = dict(zip(_COLUMNS, _paint_cells(rgb, truth, labels, classes), strict=True))
    for level in levels:
        cells[_CONFIDENCE] = paint_confidence(level)
    panels = []
    for caption, cell in cells.items():
        panels.append((caption, encode_image(cell, "JPEG")))
    return Sample(title, tuple(panels))


def paint_confidence(levels: Array) -> Array:
    """RGB (H, W, 3) of confidence (H, W), 255 = sure: cividis, from blue to yellow, which
    colour-blind people see alike (Nunez et al. 2018).
    """
    shown: Array = colormaps[COLOUR_MAP](levels, bytes=True)[..., :3]
    return shown


def draw_samples(
    rows: Sequence[tuple[Array, Array, Array]],
    path: Path,
    classes: Classes,
    titles: Sequence[str] = (),
) -> None:
    """Write a PNG grid with one line a sample: image, truth, prediction and errors, and a legend of
    the colours below.

    A row is rgb (H, W, 3) and true and predicted class ids (H, W), or layers (C, H, W), all uint8,
    void 255. `titles`
    stand above the rows, in order; rows beyond them have none. Raises OutputError when `path`
    cannot be written.
    """
    parts = [_draw_header()]
    for index, row in enumerate(rows):
        if index < len(titles) and titles[index]:
            parts.append(_draw_text(titles[index], _GREY))
        parts.append(_draw_row(row, classes))
    entries = _present_classes(rows, classes)
    note = NO_FONT if missing_letters([*classes.names, *titles]) else ""
    legend = draw_legend(entries, _WIDTH - 2 * _GAP, _FONT_SIZE, note)
    parts.append(legend)
    canvas = _stack(parts, max(_WIDTH, legend.width))
    with atomic(path) as draft:
        canvas.save(draft, format="PNG")


def _stack(parts: Sequence[Image.Image], width: int) -> Image.Image:
    """The parts below each other, with gaps."""
    height = sum(part.height + _GAP for part in parts) + _GAP
    canvas = Image.new("RGB", (width, height), _PAPER)
    top = _GAP
    for part in parts:
        canvas.paste(part, (_GAP, top))
        top += part.height + _GAP
    return canvas


def _draw_row(sample: tuple[Array, Array, Array], classes: Classes) -> Image.Image:
    rgb, *masks = sample
    rgb, (truth, labels) = fit_into((COLUMN, _MAX_HEIGHT), rgb, masks)
    height, width = rgb.shape[:2]
    row = Image.new("RGB", (_WIDTH - 2 * _GAP, height), _PAPER)
    for index, cell in enumerate(_paint_cells(rgb, truth, labels, classes)):
        left = index * (COLUMN + _GAP) + (COLUMN - width) // 2
        row.paste(Image.fromarray(cell), (left, 0))
    return row


def _paint_cells(
    rgb: Array, truth: Array, labels: Array, classes: Classes
) -> tuple[Array, Array, Array, Array]:
    """A picture for each of _COLUMNS."""
    tint = paint if truth.ndim == 2 else paint_layers
    return (
        rgb,
        tint(rgb, truth, classes.palette),
        tint(rgb, labels, classes.palette),
        _paint_errors(rgb, truth, labels),
    )


def _paint_errors(rgb: Array, truth: Array, labels: Array) -> Array:
    """Wrong pixels on the faded image, of layers those wrong in any; a prediction for void is no
    error.
    """
    void = truth == VOID
    differs = (truth != labels) & ~void
    if truth.ndim == 3:
        void = void.all(0)
        differs = differs.any(0)
    wrong = differs.astype(np.uint8)
    wrong[void] = VOID
    return paint(_fade(rgb), wrong, (BACKGROUND_COLOUR, _WRONG), 1)


def _fade(rgb: Array) -> Array:
    """The image in grey, a little paler, so that colours on it can only mean errors."""
    grey = np.asarray(Image.fromarray(rgb).convert("L")).astype(np.float32)
    pale = (grey * 0.75 + 45).astype(np.uint8)  # (H, W)
    return np.repeat(pale[:, :, None], 3, axis=2)


def _present_classes(
    rows: Sequence[tuple[Array, Array, Array]], classes: Classes
) -> list[tuple[str, Colour]]:
    """Name and colour of the classes in truth or predictions, void last."""
    present = set[int]()
    for _, *masks in rows:
        for ids in masks:
            if ids.ndim == 3:
                present.update(np.flatnonzero((ids == 1).any((1, 2))).tolist())
                continue
            present.update(np.unique(ids).tolist())
    entries = []
    colours = zip(classes.names, classes.palette, strict=True)
    for label, (name, colour) in enumerate(colours):
        if label in present:
            entries.append((legible(name, f"class {label}"), colour))
    if any(label >= len(classes) for label in present):
        entries.append(("void", VOID_COLOUR))
    return entries


def _draw_header() -> Image.Image:
    header = _draw_text("", _INK)
    draw = ImageDraw.Draw(header)
    font = load_font("", _FONT_SIZE + 2)
    for index, name in enumerate(_COLUMNS):
        middle = (index * (COLUMN + _GAP) + COLUMN // 2, header.height // 2)
        draw.text(middle, name, _INK, font, anchor="mm")
    return header


def _draw_text(text: str, colour: Colour) -> Image.Image:
    line = Image.new("RGB", (_WIDTH - 2 * _GAP, round(_FONT_SIZE * 1.5)), _PAPER)
    draw = ImageDraw.Draw(line)
    text = legible(text)
    font = load_font(text, _FONT_SIZE)
    draw.text((0, line.height // 2), text, colour, font, anchor="lm")
    return line
