"""A data set's findings as one HTML page that needs nothing else, and its classes' shares as a
plot.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from pixelwise.io.atomic import write_text
from pixelwise.reports.page import facts_table, figure, head
from pixelwise.reports.tables import headed, row, table

_STYLE = """
.badge { display: inline-block; padding: 0 .55rem; border-radius: 1rem; font-size: .8rem; font-weight: 600;
         color: #fff; }
.error { background: #b42318; } .warning { background: #9a5b00; } .note { background: #4b5563; }
section { border-top: 1px solid var(--rule); padding-top: 1rem; margin-top: 1.5rem; }
section h2 { margin: 0 0 .4rem; } code { color: var(--soft); font-size: .9em; }
.advice { color: var(--ink); } .thumbs { display: flex; flex-wrap: wrap; gap: .8rem; }
.thumbs figure { margin: .4rem 0; max-width: 26rem; } .thumbs figcaption { font-size: .85rem; }
"""
_BAR = "#2f6fbb"


@dataclass(frozen=True)
class Section:
    """One finding on the page: `lines` say where, `pictures` are (caption, JPEG bytes)."""

    severity: str
    id: str
    title: str
    places: int
    advice: str
    lines: Sequence[str] = ()
    pictures: Sequence[tuple[str, bytes]] = field(default=())


@dataclass(frozen=True)
class ClassShare:
    """A class's share of the pixels (0..1, void left out) and the number of images that show it, by
    split.
    """

    name: str
    pixels: float
    images: int
    by_split: dict[str, float]


def write_checkup(
    path: Path,
    *,
    title: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    shares: Sequence[ClassShare],
) -> None:
    """Write the page at `path`: facts, findings in the order given, classes. Any text is shown,
    never read as HTML.
    """
    body = [f"<h1>{escape(title)}</h1>", *facts_table(facts)]
    if not sections:
        body.append("<p>Nothing was found.</p>")
    for section in sections:
        body += _section(section)
    body += _classes(shares)
    write_text(path, "\n".join([*head(title, _STYLE), *body, "</body>", "</html>", ""]))


def draw_shares(shares: Sequence[ClassShare]) -> bytes:
    """A PNG with two bars a class: its share of the pixels (logarithmic) and the images that show
    it.
    """
    plot = Figure(figsize=(9, 1.2 + 0.28 * max(2, len(shares))), dpi=110, layout="constrained")
    left, right = plot.subplots(1, 2, sharey=True)
    places = range(len(shares))
    left.barh(places, [share.pixels * 100 for share in shares], color=_BAR)
    left.set_yticks(places, [share.name[:30] for share in shares])
    left.invert_yaxis()
    if any(share.pixels > 0 for share in shares):
        left.set_xscale("log")
    left.set_title("share of the pixels, per cent", loc="left", fontsize=10)
    right.barh(places, [share.images for share in shares], color="#7a8aa0")
    right.set_title("images that show it", loc="left", fontsize=10)
    for axes in (left, right):
        axes.grid(axis="x", color="#e3e6ea")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    target = io.BytesIO()
    plot.savefig(target, format="png")
    return target.getvalue()


def _section(section: Section) -> Iterator[str]:
    yield f'<section id="{escape(section.id)}-{escape(section.severity)}">'
    yield (
        '<h2><span class="badge '
        f'{escape(section.severity)}">{escape(section.severity)}</span> {escape(section.title)} '
        f"({section.places:,}) <code>{escape(section.id)}</code></h2>"
    )
    yield f'<p class="advice">{escape(section.advice)}</p>'
    if section.lines:
        yield f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in section.lines)}</ul>"
    if section.pictures:
        yield '<div class="thumbs">'
        for caption, data in section.pictures:
            yield figure(data, "image/jpeg", caption)
        yield "</div>"
    yield "</section>"


def _classes(shares: Sequence[ClassShare]) -> Iterator[str]:
    if not shares:
        return
    splits = list(shares[0].by_split)
    yield "<section><h2>Classes</h2>"
    yield (
        "<p>Share of the pixels that are not void, and the number of images that show the "
        "class.</p>"
    )
    rows = []
    for share in shares:
        cells = [f"<td>{_percent(share.by_split[split])}</td>" for split in splits]
        bar = (
            f'<td class="figure" style="--share: {share.pixels:.1%}">{_percent(share.pixels)}</td>'
        )
        rows.append(row(share.name, bar, *cells, f"<td>{share.images:,}</td>"))
    yield from table("classes", [headed("class", "all", *splits, "images"), *rows])
    yield figure(draw_shares(shares), "image/png", "Shares of the pixels and images by class")
    yield "</section>"


def _percent(share: float) -> str:
    return "&ndash;" if share == 0 else "&lt;0.01%" if share < 0.0001 else f"{share:.2%}"
