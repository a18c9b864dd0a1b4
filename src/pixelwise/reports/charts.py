"""Figures as SVG in the page's own colours: sharp at every size, and no file of their own."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import cast

import numpy as np

from pixelwise.metrics.confusion import Figures

_CELL = ((12, 44), (25, 32), (60, 18), (256, 13))
"""Pixels of a cell of the confusion matrix, for up to so many classes."""

_LEAST = 0.0005
_SIDE = 280
_LEFT = 44
_STRIP = 46

Bins = Sequence[Mapping[str, float]]


def confusion(shares: Figures, names: Sequence[str], columns: Sequence[str]) -> str:
    """The confusion matrix as an SVG: `shares` (C, K) of each true class's pixels (rows) by what
    they were taken for.

    Right pixels are blue, wrong ones red, darker with their share; figures in per cent where there
    is room. The share and both names show when one points at a cell. A row of NaN, of a class
    without pixels, stays empty.
    """
    cell = next(size for most, size in _CELL if len(columns) <= most)
    text = min(13, cell - 2)
    left = round(0.6 * text * max(min(len(name), 20) for name in (*names, *columns))) + 12
    top = round(left * 0.75) + 8
    width = left + cell * len(columns) + left // 2
    height = top + cell * len(names) + 4
    parts = [
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-size="{text}" role="img">'
    ]
    parts.append("<title>Confusion matrix: rows are the truth, columns the prediction</title>")
    for at, name in enumerate(columns):
        x = left + cell * at + cell // 2
        parts.append(
            f'<text transform="translate({x},{top - 6}) rotate(-48)">{_short(name)}</text>'
        )
    for at, name in enumerate(names):
        y = top + cell * at + cell // 2
        parts.append(
            f'<text x="{left - 6}" y="{y}" text-anchor="end" '
            f'dominant-baseline="central">{_short(name)}</text>'
        )
    frame = f'x="{left}" y="{top}" width="{cell * len(columns)}" height="{cell * len(names)}"'
    lines = [f"M{left} {top + cell * at}h{cell * len(columns)}" for at in range(5, len(names), 5)]
    lines += [f"M{left + cell * at} {top}v{cell * len(names)}" for at in range(5, len(columns), 5)]
    parts.append(
        f'<path d="{"".join(lines)}" stroke="var(--rule)"/><rect {frame} fill="none" '
        'stroke="var(--rule)"/>'
    )
    for i, j in zip(*np.nonzero(np.nan_to_num(shares) >= _LEAST), strict=True):
        told = f"{names[i]} taken for {columns[j]}: {shares[i, j]:.1%}"
        parts += _cell(
            float(shares[i, j]),
            (left + cell * int(j), top + cell * int(i)),
            cell,
            told,
            right=bool(i == j),
        )
    return "".join([*parts, "</svg>"])


def _cell(
    share: float, place: tuple[int, int], cell: int, told: str, *, right: bool
) -> Iterator[str]:
    x, y = place
    colour = "var(--good)" if right else "var(--bad)"
    yield (
        f'<rect x="{x + 1}" y="{y + 1}" width="{cell - 2}" height="{cell - 2}" fill="{colour}" '
        f'fill-opacity="{share**0.6:.2f}"><title>{escape(told)}</title></rect>'
    )
    if cell >= 32 and share >= 0.005:
        ink = ' fill="#fff"' if share > 0.4 else ""
        place_of = (
            f'x="{x + cell // 2}" y="{y + cell // 2}" text-anchor="middle" '
            'dominant-baseline="central"'
        )
        yield f'<text {place_of}{ink} pointer-events="none">{100 * share:.0f}</text>'


def reliability(calibrations: Mapping[str, Mapping[str, object]]) -> str:
    """Confidence against the share right as an SVG: one line a calibration, by name, and the share
    of pixels below.

    A calibration is what `Reliability.as_dict` gives. On the diagonal confidence is what it says.
    """
    height = _SIDE + _STRIP + 64
    width = _SIDE + _LEFT + 24
    parts = [
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-size="12" role="img">'
    ]
    parts.append("<title>Reliability: the share of pixels that are right by confidence</title>")
    for step in range(6):
        at = _SIDE * step / 5
        label = f"{20 * step} %"
        parts.append(
            f'<path d="M{_LEFT} {8 + at}h{_SIDE}M{_LEFT + at} 8v{_SIDE}" stroke="var(--rule)"/>'
        )
        parts.append(
            f'<text x="{_LEFT - 6}" y="{12 + _SIDE - at}" text-anchor="end" '
            f'class="soft">{label}</text>'
        )
        parts.append(
            f'<text x="{_LEFT + at}" y="{height - 24}" text-anchor="middle" '
            f'class="soft">{label}</text>'
        )
    parts.append(
        f'<path d="M{_LEFT} {8 + _SIDE}L{_LEFT + _SIDE} 8" stroke="var(--soft)" '
        'stroke-dasharray="4 4"/>'
    )
    for colour, found in zip(("var(--bad)", "var(--good)"), calibrations.values(), strict=False):
        known = [bin_ for bin_ in cast(Bins, found["bins"]) if bin_["pixels"]]
        points = [(_LEFT + _SIDE * b["confidence"], 8 + _SIDE * (1 - b["accuracy"])) for b in known]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    parts += _strip(cast(Bins, next(iter(calibrations.values()))["bins"]))
    parts.append(
        f'<text x="{_LEFT + _SIDE / 2}" y="{height - 6}" text-anchor="middle" '
        'class="soft">confidence</text>'
    )
    return "".join([*parts, "</svg>"])


def _strip(bins: Bins) -> Iterator[str]:
    """Bars as high as the root of each bin's share of the pixels, so that rare ones can be seen."""
    total = sum(bin_["pixels"] for bin_ in bins) or 1
    for at, bin_ in enumerate(bins):
        high = _STRIP * 0.8 * (bin_["pixels"] / total) ** 0.5
        box = (
            f'x="{_LEFT + _SIDE * at / len(bins) + 1:.1f}" '
            f'y="{_SIDE + 14 + _STRIP * 0.8 - high:.1f}"'
        )
        yield (
            f'<rect {box} width="{_SIDE / len(bins) - 2:.1f}" height="{high:.1f}" '
            'fill="var(--soft)" opacity=".6"/>'
        )


def _short(name: str) -> str:
    return escape(name if len(name) <= 20 else f"{name[:19]}…")
