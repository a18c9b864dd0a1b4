"""Differences with their intervals as an SVG in the page's own colours."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pixelwise.reports.render import render_template

# Lengths in pixels.
_LEFT = 160
_PLOT_WIDTH = 460
_RIGHT = 70
_ROW_HEIGHT = 26
_TOP = 26
# A scale that is narrower would make differences of a hundredth of a point look large.
_LEAST_REACH = 0.01


@dataclass(frozen=True)
class Interval:
    """A difference in [-1, 1] and its interval; `clear` where that leaves out 0."""

    name: str
    value: float
    low: float
    high: float
    clear: bool


@dataclass(frozen=True)
class _Row:
    name: str
    middle: int
    low: str
    length: str
    value: str
    text: str
    clear: bool


@dataclass(frozen=True)
class _IntervalChart:
    rows: Sequence[_Row]
    ticks: Sequence[tuple[str, str]]
    zero: str
    top: int
    left: int
    width: int
    height: int


def render_intervals(intervals: Sequence[Interval]) -> Markup:
    """A line for each interval, in points (hundredths), with 0 marked; clear differences are
    strong.
    """
    ends = [abs(end) for interval in intervals for end in (interval.low, interval.high)]
    reach = max(_LEAST_REACH, *ends)

    def place(share: float) -> float:
        return _LEFT + _PLOT_WIDTH * (share + reach) / (2 * reach)

    rows = []
    for index, interval in enumerate(intervals):
        left = place(interval.low)
        row = _Row(
            name=interval.name,
            middle=_TOP + _ROW_HEIGHT * index + _ROW_HEIGHT // 2,
            low=f"{left:.1f}",
            length=f"{place(interval.high) - left:.1f}",
            value=f"{place(interval.value):.1f}",
            text=f"{100 * interval.value:+.1f}",
            clear=interval.clear,
        )
        rows.append(row)
    shares = (-reach, reach)
    chart = _IntervalChart(
        rows=rows,
        ticks=[(f"{place(share):.1f}", f"{100 * share:+.1f}") for share in shares],
        zero=f"{place(0):.1f}",
        top=_TOP,
        left=_LEFT,
        width=_LEFT + _PLOT_WIDTH + _RIGHT,
        height=_TOP + _ROW_HEIGHT * len(rows) + 6,
    )
    return render_template("intervals.svg.j2", chart=chart)
