"""A data set's findings as one HTML page that needs nothing else, and its classes' shares as a
plot.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pixelwise.reports.fonts import legible
from pixelwise.reports.render import write_page


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
    # Matplotlib looks for all fonts on its first import: only where a page is written
    from pixelwise.reports.figure_style import (
        BLUE,
        MUTED,
        make_figure,
        png_bytes,
        set_letters,
        style_plot,
    )

    figure = make_figure(0.8 + 0.26 * max(2, len(shares)))
    left, right = figure.subplots(1, 2, sharey=True)
    rows = range(len(shares))
    left.barh(rows, [share.pixels * 100 for share in shares], color=BLUE)
    left.set_yticks(rows, [legible(share.name[:30]) for share in shares])
    for label in left.get_yticklabels():
        set_letters(label)
    left.invert_yaxis()
    right.barh(rows, [share.images for share in shares], color=MUTED)
    style_plot(left, title="pixels, per cent")
    style_plot(right, title="images that show it")
    for axes in (left, right):
        axes.set_xlim(left=0)
        axes.grid(visible=False, axis="y")
    return png_bytes(figure)
