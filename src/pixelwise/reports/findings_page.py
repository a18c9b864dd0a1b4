"""A data set's findings as one HTML page that needs nothing else, and its classes' shares as a
plot.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from pixelwise.reports.fonts import legible
from pixelwise.reports.plots import set_letters
from pixelwise.reports.render import write_page

_PIXELS_COLOUR = "#2f6fbb"
_IMAGES_COLOUR = "#7a8aa0"


@dataclass(frozen=True)
class Section:
    """One finding on the page: `lines` say where, `pictures` are captions, each
    with the JPEG files that stand beside each other."""

    severity: str
    id: str
    title: str
    places: int
    advice: str
    lines: Sequence[str] = ()
    pictures: Sequence[tuple[str, Sequence[bytes]]] = field(default=())


@dataclass(frozen=True)
class ClassShare:
    """A class's share of the pixels (0..1, void left out) and the number of images that show it, by
    split.
    """

    name: str
    pixels: float
    images: int
    by_split: dict[str, float]


def write_findings(
    path: Path,
    *,
    title: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    shares: Sequence[ClassShare],
    samples: Sequence[tuple[str, Sequence[bytes]]] = (),
) -> None:
    """Write the page at `path`: samples as (caption, JPEG files), findings in the order given,
    classes, facts. Any text is shown, never read as HTML.
    """
    write_page(
        path,
        "findings.html.j2",
        title=title,
        facts=facts,
        sections=sections,
        shares=shares,
        samples=samples,
        plot=draw_class_shares(shares) if shares else None,
    )


def draw_class_shares(shares: Sequence[ClassShare]) -> bytes:
    """A PNG with two bars a class: its share of the pixels and the images that show it, both from 0
    on.
    """
    figure = Figure(figsize=(9, 1.2 + 0.28 * max(2, len(shares))), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    rows = range(len(shares))
    left.barh(rows, [share.pixels * 100 for share in shares], color=_PIXELS_COLOUR)
    left.set_yticks(rows, [legible(share.name[:30]) for share in shares])
    for label in left.get_yticklabels():
        set_letters(label)
    left.invert_yaxis()
    left.set_title("share of the pixels, per cent", loc="left", fontsize=10)
    right.barh(rows, [share.images for share in shares], color=_IMAGES_COLOUR)
    right.set_title("images that show it", loc="left", fontsize=10)
    for axes in (left, right):
        axes.set_xlim(left=0)
        axes.grid(axis="x", color="#e3e6ea")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()
