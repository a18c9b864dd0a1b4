"""A report as one HTML file that needs nothing else: no network, no script, pictures inside."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from pixelwise.errors import ImageError
from pixelwise.io.atomic import write_text
from pixelwise.reports.samples import Gallery
from pixelwise.reports.scoring import STYLE, scoring, tiles, worst_images
from pixelwise.reports.tables import headed, row, table

_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
}
_SHOWN = (
    "Those of the lowest, then of the highest mean IoU of their own. Errors are red; void "
    "counts nowhere."
)
_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1e22; --soft: #62666f; --rule: #e2e4e8; --bar: #2f6fbb33;
        --tile: #f4f5f7; --good: #2f6fbb; --bad: #d1495b; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181c; --ink: #e8e9ec; --soft: #9fa4ae; --rule: #33373e; --bar: #6ea8f055; --tile: #1f2228;
          --good: #5b96df; --bad: #e0697a; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 66rem; background: var(--paper); color: var(--ink);
       font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
p, figcaption, li, small { color: var(--soft); } p, figcaption { max-width: 46rem; } figure { margin: 1.2rem 0; }
figcaption, small { font-size: .85rem; }
img { display: block; max-width: 100%; height: auto; border-radius: 4px; background: #fff; }
.scroll { overflow-x: auto; } .wide img { min-width: 44rem; }
table { border-collapse: collapse; width: 100%; overflow-wrap: normal; font-size: .95rem; }
th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid var(--rule); vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; } tbody th { font-weight: 500; }
.facts th { width: 12rem; color: var(--soft); } .facts td, .settings td { overflow-wrap: anywhere; }
.figure, .number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.figure { min-width: 6.5rem; width: 9rem; vertical-align: middle;
          background: linear-gradient(var(--bar), var(--bar)) 0 50% / var(--share) 1.5rem no-repeat; }
.near th, .sizes th { white-space: nowrap; } .settings td { min-width: 8rem; }
tr.mean > * { font-weight: 700; border-top: 2px solid var(--soft); } small { display: block; font-weight: 400; }
svg { display: block; } svg text { fill: var(--ink); } svg text.soft { fill: var(--soft); }
svg text[fill] { fill: #fff; }
.sample { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(11.5rem, 45%), 1fr)); gap: .6rem; }
.sample figure { margin: 0; }
.sample img { width: 100%; max-height: 24rem; object-fit: contain; object-position: left; background: none; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1rem; padding: 0; list-style: none; }
.legend i { display: inline-block; width: .9em; height: .9em; margin-right: .4em; border-radius: 3px;
            border: 1px solid var(--soft); vertical-align: -.1em; }
@media (max-width: 40rem) { .facts th { width: 7rem; } th, td { padding: .35rem .5rem; } }
"""

Setting = tuple[str, str, str]


def write_report(
    path: Path,
    *,
    title: str,
    facts: Sequence[tuple[str, str]],
    scores: Mapping[str, object] | None,
    pictures: Sequence[tuple[str, Path]],
    gallery: Gallery | None = None,
    settings: Sequence[Setting] = (),
    notes: Sequence[str] = (),
) -> None:
    """Write `path`, an HTML page: `facts`, scores, pictures under their captions, and the rest that
    is given.

    `scores` is what `Scores.as_dict` or an evaluation's gives, or None. A setting is its name,
    value and reason. Any text is allowed anywhere; it is shown, never read as HTML. Raises
    ImageError for a picture that cannot be read, OutputError when `path` cannot be written.
    """
    body = [f"<h1>{escape(title)}</h1>"]
    if scores is not None:
        body += tiles(scores)
    body += facts_table(facts)
    body += [line for caption, picture in pictures for line in _picture(caption, picture)]
    if scores is not None:
        body += scoring(scores)
    if gallery is not None:
        body += ["<h2>Images</h2>", f"<p>{_SHOWN}</p>"]
        body += pictured(gallery)
    if scores is not None:
        body += worst_images(scores)
    body += _settings(settings)
    if notes:
        body += ["<h2>Notes</h2>", "<ul>", *(f"<li>{escape(note)}</li>" for note in notes), "</ul>"]
    write_text(path, "\n".join([*head(title, STYLE), *body, "</body>", "</html>", ""]))


def head(title: str, style: str = "") -> Iterator[str]:
    """The lines before the body: title, size for phones, and the style with `style` after it."""
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield '<head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(title)}</title>"
    yield f"<style>{_STYLE}{style}</style></head>"
    yield "<body>"


def facts_table(facts: Sequence[tuple[str, str]]) -> Iterator[str]:
    """A table of names and values, nothing where there are none."""
    if facts:
        rows = [
            f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
            for name, value in facts
        ]
        yield from table("facts", [f"<tbody>{''.join(rows)}</tbody>"])


def _picture(caption: str, path: Path) -> Iterator[str]:
    kind = _TYPES.get(path.suffix.lower())
    if kind is None:
        raise ImageError(
            f"{path}: a page can show {', '.join(sorted(_TYPES))}; save the picture as one of these"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error
    yield f'<figure><div class="scroll wide">{_image(data, kind, caption)}</div>'
    yield f"<figcaption>{escape(caption)}</figcaption></figure>"


def pictured(gallery: Gallery) -> Iterator[str]:
    """The legend, and each sample's pictures: beside each other as far as there is room."""
    swatches = (
        f'<li><i style="background: rgb{colour}"></i>{escape(name)}</li>'
        for name, colour in gallery.legend.items()
    )
    yield f'<ul class="legend">{"".join(swatches)}</ul>'
    for sample in gallery.samples:
        yield f'<h3>{escape(sample.title)}</h3><div class="sample">'
        yield from (
            figure(data, "image/jpeg", caption, f"{sample.title}: {caption}")
            for caption, data in sample.panels
        )
        yield "</div>"


def figure(data: bytes, kind: str, caption: str, text: str = "") -> str:
    """A picture of that media type over its caption; `text` stands in its place where it cannot be
    seen.
    """
    return f"<figure>{_image(data, kind, text or caption)}<figcaption>{escape(caption)}</figcaption></figure>"


def _settings(settings: Sequence[Setting]) -> Iterator[str]:
    if settings:
        yield "<h2>Configuration</h2>"
        rows = [
            row(name, f"<td>{escape(value)}</td><td>{escape(why)}</td>")
            for name, value, why in settings
        ]
        yield from table("settings", [headed("setting", "value", "why"), *rows])


def _image(data: bytes, kind: str, text: str) -> str:
    return (
        f'<img src="data:{kind};base64,{base64.b64encode(data).decode("ascii")}" '
        f'alt="{escape(text)}">'
    )
