"""Rows and cells of a page's tables, as HTML."""

from collections.abc import Iterator, Sequence
from html import escape


def table(kind: str, parts: Sequence[str]) -> Iterator[str]:
    """A table of class `kind` that scrolls by itself on a narrow screen; `parts` are HTML."""
    yield f'<div class="scroll"><table class="{kind}">{"".join(parts)}</table></div>'


def headed(*titles: str) -> str:
    """The head of a table."""
    cells = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    return f"<thead><tr>{cells}</tr></thead>"


def row(name: str, *cells: str) -> str:
    """A row that begins with `name`, any text; `cells` are HTML."""
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'


def cell(text: str) -> str:
    """A cell of one figure or range."""
    return f'<td class="number">{escape(text)}</td>'


def bar(value: float | None) -> str:
    """A figure in [0, 1] as per cent over a bar of that length; a dash where there is none."""
    if value is None:
        return "<td>&ndash;</td>"
    return f'<td class="figure" style="--share: {value:.1%}">{value:.1%}</td>'


def number(value: float | None) -> str:
    """A figure in [0, 1] as per cent; a dash where there is none."""
    return "-" if value is None else f"{value:.1%}"
