"""Figures as SVG in the page's own colours: sharp at every size, and no file of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from pixelwise.metrics.calibration import Reliability
from pixelwise.metrics.confusion import Counts, Figures
from pixelwise.reports.render import render_template

# Pixels of a cell of the confusion matrix, for up to so many classes: 25 classes fit a screen, and
# more scroll.
_CELL_SIZES = ((12, 44), (25, 32), (60, 18), (256, 13))
_LONGEST_NAME = 20
# Smaller shares round to 0.0 per cent, and the matrix of 150 classes would be megabytes.
_SMALLEST_SHARE = 0.0005

# Bins of a smaller share of the pixels have no point: a handful of pixels would be a spike.
_SMALLEST_BIN = 0.001

_SIDE = 280
_LEFT = 44
_TOP = 8
_STRIP = 46
_CURVE_COLOURS = ("var(--bad)", "var(--good)")


@dataclass(frozen=True)
class _Cell:
    x: int
    y: int
    share: float
    title: str
    right: bool


@dataclass(frozen=True)
class _ConfusionChart:
    """Lengths in pixels; `columns` and `rows` are names with the middle of their cells."""

    width: int
    height: int
    left: int
    top: int
    cell_size: int
    font_size: int
    columns: Sequence[tuple[str, int]]
    rows: Sequence[tuple[str, int]]
    cells: Sequence[_Cell]

    @property
    def inner_width(self) -> int:
        return self.cell_size * len(self.columns)

    @property
    def inner_height(self) -> int:
        return self.cell_size * len(self.rows)

    @property
    def grid(self) -> str:
        """A path with a line after every fifth row and column, to follow with the eye."""
        tops = [self.top + self.cell_size * row for row in range(5, len(self.rows), 5)]
        lefts = [self.left + self.cell_size * column for column in range(5, len(self.columns), 5)]
        rows = [f"M{self.left} {top}h{self.inner_width}" for top in tops]
        columns = [f"M{left} {self.top}v{self.inner_height}" for left in lefts]
        return "".join(rows + columns)


def render_confusion_matrix(
    shares: Figures,
    names: Sequence[str],
    columns: Sequence[str],
) -> Markup:
    """The confusion matrix as an SVG: `shares` (C, K) of each true class's pixels (rows) by what
    they were taken for.

    Right pixels are blue, wrong ones orange, darker with their share; figures in per cent where
    there is room. The share and both names show when one points at a cell. A row of NaN, of a class
    without pixels, stays empty.
    """
    size = next(pixels for classes, pixels in _CELL_SIZES if len(columns) <= classes)
    font_size = min(13, size - 2)
    # a letter is about 0.6 of the font size wide
    longest = max(min(len(name), _LONGEST_NAME) for name in (*names, *columns))
    left = round(0.6 * font_size * longest) + 12
    top = round(left * 0.75) + 8  # names of columns lean to the right
    cells = []
    # Only cells that can be seen: the file of a hundred classes would be megabytes.
    visible = np.nan_to_num(shares) >= _SMALLEST_SHARE
    for row, column in np.argwhere(visible).tolist():
        share = float(shares[row, column])
        cell = _Cell(
            x=left + size * column,
            y=top + size * row,
            share=share,
            title=f"{names[row]} taken for {columns[column]}: {share:.1%}",
            right=row == column,
        )
        cells.append(cell)
    chart = _ConfusionChart(
        width=left + size * len(columns) + left // 2,
        height=top + size * len(names) + 4,
        left=left,
        top=top,
        cell_size=size,
        font_size=font_size,
        columns=[(name, left + size * k + size // 2) for k, name in enumerate(columns)],
        rows=[(name, top + size * k + size // 2) for k, name in enumerate(names)],
        cells=cells,
    )
    return render_template("confusion.svg.j2", chart=chart)


@dataclass(frozen=True)
class _Tick:
    offset: float
    label: str


@dataclass(frozen=True)
class _Point:
    x: str
    y: str

    def __str__(self) -> str:
        return f"{self.x},{self.y}"


@dataclass(frozen=True)
class _Curve:
    colour: str
    points: Sequence[_Point]


@dataclass(frozen=True)
class _Bar:
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True)
class _ReliabilityChart:
    ticks: Sequence[_Tick]
    curves: Sequence[_Curve]
    bars: Sequence[_Bar]
    side: int = _SIDE
    left: int = _LEFT
    top: int = _TOP
    width: int = _SIDE + _LEFT + 24
    height: int = _SIDE + _STRIP + 64


def render_reliability(calibrations: Mapping[str, Reliability]) -> Markup:
    """Confidence against the share right as an SVG: one line a calibration, by name, and the share
    of pixels below.

    On the diagonal confidence is what it says.
    """
    curves = [
        _Curve(colour, _place_bins(reliability))
        for colour, reliability in zip(_CURVE_COLOURS, calibrations.values(), strict=False)
    ]
    chart = _ReliabilityChart(
        ticks=[_Tick(_SIDE * step / 5, f"{20 * step} %") for step in range(6)],
        curves=curves,
        bars=_place_bars(next(iter(calibrations.values())).pixels),
    )
    return render_template("reliability.svg.j2", chart=chart)


def _place_bins(reliability: Reliability) -> list[_Point]:
    """A point for each bin that holds pixels enough."""
    known = reliability.pixels > _SMALLEST_BIN * reliability.pixels.sum()
    return [
        _Point(f"{_LEFT + _SIDE * confidence:.1f}", f"{_TOP + _SIDE * (1 - accuracy):.1f}")
        for confidence, accuracy in zip(
            reliability.confidence[known],
            reliability.accuracy[known],
            strict=True,
        )
    ]


def _place_bars(pixels: Counts) -> list[_Bar]:
    """Bars as high as the root of each bin's share of the pixels, so that rare ones can be seen."""
    step = _SIDE / len(pixels)
    heights = _STRIP * 0.8 * (pixels / max(1, pixels.sum())) ** 0.5
    return [
        _Bar(
            x=f"{_LEFT + step * index + 1:.1f}",
            y=f"{_SIDE + 14 + _STRIP * 0.8 - height:.1f}",
            width=f"{step - 2:.1f}",
            height=f"{height:.1f}",
        )
        for index, height in enumerate(heights.tolist())
    ]
