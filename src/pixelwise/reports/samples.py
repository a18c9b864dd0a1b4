"""Some images beside their truth and prediction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixelwise.classes import VOID, VOID_COLOUR, Classes, Colour
from pixelwise.io.atomic import atomic
from pixelwise.io.images import Array, encode_image
from pixelwise.reports.overlays import legend, paint

COLUMN = 360
"""Width of a picture in the grid, in pixels; larger images are made smaller, smaller ones
larger.
"""

_TALLEST = 480
_GAP = 12
_TEXT = 15
_PAPER = (255, 255, 255)
_INK = (32, 32, 36)
_GREY = (100, 104, 112)
_WRONG = (220, 38, 38)
_COLUMNS = ("image", "truth", "prediction", "errors (red)")


Panels = tuple[tuple[str, bytes], ...]
"""JPEG files under their captions."""


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
        known = [
            _entry(name, colour)
            for name, colour in zip(classes.names, classes.palette, strict=True)
        ]
        return cls(dict([*known, ("void", VOID_COLOUR)]), samples)


def draw_sample(
    title: str,
    picture: tuple[Array, Array, Array],
    confidence: NDArray[np.float32],
    classes: Classes,
) -> Sample:
    """Image, truth, prediction, errors and confidence side by side.

    `picture` is rgb (H, W, 3) and true and predicted class ids (H, W), uint8, void 255; confidence
    (H, W) in [0, 1].
    """
    sure = np.rint(confidence * 255).astype(np.uint8)
    rgb, truth, labels = _fit(*picture)
    shown = colormaps["magma"](_fit(picture[0], sure, sure)[1], bytes=True)[..., :3]
    cells = (
        rgb,
        *(_mask(rgb, ids, classes) for ids in (truth, labels)),
        _errors(rgb, truth, labels),
        shown,
    )
    jpegs = [encode_image(cell, "JPEG") for cell in cells]
    return Sample(title, tuple(zip((*_COLUMNS, "confidence (bright: sure)"), jpegs, strict=True)))


def draw_samples(
    rows: Sequence[tuple[Array, Array, Array]],
    path: Path,
    classes: Classes,
    titles: Sequence[str] = (),
) -> None:
    """Write a PNG grid with one line a sample: image, truth, prediction and errors, and a legend of
    the colours below.

    A row is rgb (H, W, 3) and true and predicted class ids (H, W), all uint8, void 255. `titles`
    stand above the rows, in order; rows beyond them have none. Raises OutputError when `path`
    cannot be written.
    """
    lines = [_line(*_fit(*row), classes) for row in rows]
    titles = [*titles, *[""] * len(lines)][: len(lines)]
    heads = [_text(title, _GREY) if title else None for title in titles]
    parts = [
        _header(),
        *(part for pair in zip(heads, lines, strict=True) for part in pair if part is not None),
    ]
    parts.append(legend(_entries(rows, classes), _width() - 2 * _GAP, _TEXT))
    canvas = Image.new(
        "RGB",
        (max(_width(), parts[-1].width), sum(part.height + _GAP for part in parts) + _GAP),
        _PAPER,
    )
    top = _GAP
    for part in parts:
        canvas.paste(part, (_GAP, top))
        top += part.height + _GAP
    with atomic(path) as draft:
        canvas.save(draft, format="PNG")


def _width() -> int:
    return len(_COLUMNS) * (COLUMN + _GAP) + _GAP


def _fit(rgb: Array, truth: Array, labels: Array) -> tuple[Array, Array, Array]:
    """All three at the size of a cell; labels are sampled, never mixed."""
    height, width = rgb.shape[:2]
    scale = min(COLUMN / width, _TALLEST / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = Image.fromarray(np.ascontiguousarray(rgb)).resize(size, Image.Resampling.LANCZOS)
    ids = [
        Image.fromarray(np.ascontiguousarray(part)).resize(size, Image.Resampling.NEAREST)
        for part in (truth, labels)
    ]
    return np.asarray(picture), np.asarray(ids[0]), np.asarray(ids[1])


def _line(rgb: Array, truth: Array, labels: Array, classes: Classes) -> Image.Image:
    masks = [_mask(rgb, ids, classes) for ids in (truth, labels)]
    cells = [rgb, *masks, _errors(rgb, truth, labels)]
    line = Image.new("RGB", (_width() - 2 * _GAP, rgb.shape[0]), _PAPER)
    for index, cell in enumerate(cells):
        line.paste(
            Image.fromarray(cell), (index * (COLUMN + _GAP) + (COLUMN - rgb.shape[1]) // 2, 0)
        )
    return line


def _mask(rgb: Array, labels: Array, classes: Classes) -> Array:
    painted = paint(_faded(rgb), labels, classes.palette, 0.75)
    painted[labels == VOID] = VOID_COLOUR
    return painted


def _errors(rgb: Array, truth: Array, labels: Array) -> Array:
    shown = _faded(rgb)
    shown[truth != labels] = _WRONG
    shown[truth == VOID] = VOID_COLOUR  # after the errors: what is said of void is none
    return shown


def _faded(rgb: Array) -> Array:
    """The image in grey, a little paler, so that colours on it can only mean classes."""
    grey = np.asarray(Image.fromarray(rgb).convert("L")).astype(np.float32)
    return np.repeat((grey * 0.75 + 45).astype(np.uint8)[:, :, None], 3, axis=2)


def _entries(
    rows: Sequence[tuple[Array, Array, Array]], classes: Classes
) -> list[tuple[str, tuple[int, int, int]]]:
    present = sorted({int(label) for row in rows for ids in row[1:] for label in np.unique(ids)})
    known = [
        _entry(classes.names[label], classes.palette[label])
        for label in present
        if label < len(classes)
    ]
    return [*known, ("void", VOID_COLOUR)] if present and present[-1] >= len(classes) else known


def _entry(name: str, colour: Colour) -> tuple[str, Colour]:
    return (name, colour) if any(colour) else (f"{name} (untinted)", _PAPER)


def _header() -> Image.Image:
    header = _text("", _INK)
    draw = ImageDraw.Draw(header)
    font = ImageFont.load_default(size=_TEXT + 2)
    for index, name in enumerate(_COLUMNS):
        draw.text(
            (index * (COLUMN + _GAP) + COLUMN // 2, header.height // 2),
            name,
            _INK,
            font,
            anchor="mm",
        )
    return header


def _text(text: str, colour: tuple[int, int, int]) -> Image.Image:
    line = Image.new("RGB", (_width() - 2 * _GAP, round(_TEXT * 1.5)), _PAPER)
    draw = ImageDraw.Draw(line)
    font = ImageFont.load_default(size=_TEXT)
    draw.text((0, line.height // 2), text, colour, font, anchor="lm")
    return line
