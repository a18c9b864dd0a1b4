"""A report as one HTML file that needs nothing else: no network, no script, pictures inside."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import cast

from pixelwise.errors import ImageError
from pixelwise.files import write_text

Figures = Mapping[str, float | None]

_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif"}
_TOTALS = (
    (
        "mean_iou",
        "Mean IoU",
        "the mean over the classes of: pixels right / (pixels of the class + pixels taken for it - right)",
    ),
    ("pixel_accuracy", "Pixel accuracy", "the share of all pixels that are right"),
    ("mean_accuracy", "Mean accuracy", "the mean over the classes of the share of their pixels that are right"),
    ("frequency_weighted_iou", "Frequency weighted IoU", "IoU weighted by how many pixels each class has"),
)
_HOW = (
    "All figures are pooled over all pixels of all images, not averaged image by image. Void pixels count nowhere. A "
    "class that is neither in the truth nor in the predictions has no figure and is left out of every mean."
)
_CONFUSIONS = 8
_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1e22; --soft: #62666f; --rule: #e2e4e8; --bar: #2f6fbb33; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181c; --ink: #e8e9ec; --soft: #9fa4ae; --rule: #33373e; --bar: #6ea8f055; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink);
       font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
p, figcaption, li, small { color: var(--soft); } figure { margin: 1.5rem 0; }
img { display: block; max-width: 100%; height: auto; border-radius: 4px; background: #fff; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; overflow-wrap: normal; }
th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid var(--rule); vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; } tbody th { font-weight: 500; }
.facts th { width: 12rem; color: var(--soft); } .facts td { overflow-wrap: anywhere; }
.figure { font-variant-numeric: tabular-nums; white-space: nowrap; min-width: 8rem;
          background: linear-gradient(var(--bar), var(--bar)) 0 50% / var(--share) 72% no-repeat; }
tr.mean > * { font-weight: 700; border-top: 2px solid var(--soft); } small { display: block; font-weight: 400; }
"""


def write_report(
    path: Path,
    *,
    title: str,
    facts: Sequence[tuple[str, str]],
    scores: Mapping[str, object] | None,
    pictures: Sequence[tuple[str, Path]],
    notes: Sequence[str] = (),
) -> None:
    """Write `path`, an HTML page with a table of `facts`, the scores, and pictures under their captions.

    `scores` is what `Scores.as_dict` gives, or None. Any text is allowed anywhere; it is shown, never read as HTML.
    Raises ImageError for a picture that cannot be read, OutputError when `path` cannot be written.
    """
    body = [f"<h1>{escape(title)}</h1>", *facts_table(facts)]
    if scores is not None:
        body += [*_totals(scores), *_by_class(scores), *_confusions(scores)]
    body += [line for caption, picture in pictures for line in _picture(caption, picture)]
    if notes:
        body += ["<h2>Notes</h2>", "<ul>", *(f"<li>{escape(note)}</li>" for note in notes), "</ul>"]
    write_text(path, "\n".join([*head(title), *body, "</body>", "</html>", ""]))


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
        rows = [f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in facts]
        yield from table("facts", [f"<tbody>{''.join(rows)}</tbody>"])


def _totals(scores: Mapping[str, object]) -> Iterator[str]:
    yield "<h2>Scores</h2>"
    images, void = cast(int, scores.get("images", 0)), cast(float, scores.get("void_fraction", 0.0))
    yield f"<p>Measured on {images:,} image{'' if images == 1 else 's'}; {void:.1%} of the pixels are void. {_HOW}</p>"
    known = cast(Figures, scores)
    rows = [
        f'<tr><th scope="row">{name}<small>{escape(meaning)}</small></th>{_cell(known.get(key))}</tr>'
        for key, name, meaning in _TOTALS
    ]
    yield from table("totals", [f"<tbody>{''.join(rows)}</tbody>"])


def _by_class(scores: Mapping[str, object]) -> Iterator[str]:
    iou, dice = cast(Figures, scores.get("iou", {})), cast(Figures, scores.get("dice", {}))
    rows = [
        f'<tr><th scope="row">{escape(name)}</th>{_cell(iou.get(name))}{_cell(dice.get(name))}</tr>'
        for name in cast(Sequence[str], scores.get("classes", ()))
    ]
    mean = f'<tr class="mean"><th scope="row">mean</th>{_cell(_mean(iou))}{_cell(_mean(dice))}</tr>'
    yield "<h2>By class</h2>"
    yield (
        "<p>IoU: pixels right / (pixels of the class + pixels taken for it - right). "
        "Dice: 2 x pixels right / (pixels of the class + pixels taken for it).</p>"
    )
    head = '<thead><tr><th scope="col">class</th><th scope="col">IoU</th><th scope="col">Dice</th></tr></thead>'
    yield from table("classes", [head, f"<tbody>{''.join(rows)}{mean}</tbody>"])


def _confusions(scores: Mapping[str, object]) -> Iterator[str]:
    """The pairs of classes that cost the most pixels."""
    names = cast(Sequence[str], scores.get("classes", ()))
    matrix = cast(Sequence[Sequence[int]], scores.get("confusion_matrix", ()))
    lost = [(count, i, j) for i, row in enumerate(matrix) for j, count in enumerate(row) if i != j and count]
    if not lost:
        return
    outside = cast(Sequence[int], scores.get("predicted_as_none_of_them", [0] * len(matrix)))
    rows = [
        f"<tr><td>{escape(names[i])}</td><td>{escape(names[j])}</td>{_cell(count / (sum(matrix[i]) + outside[i]))}</tr>"
        for count, i, j in sorted(lost, key=lambda pair: -pair[0])[:_CONFUSIONS]
    ]
    yield "<h2>Most frequent errors</h2>"
    yield "<p>The pairs that cost the most pixels, with the share of the true class's pixels that went there.</p>"
    head = '<thead><tr><th scope="col">truth</th><th scope="col">taken for</th><th scope="col">share</th></tr></thead>'
    yield from table("errors", [head, f"<tbody>{''.join(rows)}</tbody>"])


def _picture(caption: str, path: Path) -> Iterator[str]:
    kind = _TYPES.get(path.suffix.lower())
    if kind is None:
        raise ImageError(f"{path}: a page can show {', '.join(sorted(_TYPES))}; save the picture as one of these")
    try:
        data = base64.b64encode(path.read_bytes()).decode("ascii")
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error
    text = escape(caption)
    yield f'<figure><img src="data:{kind};base64,{data}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def table(kind: str, parts: Sequence[str]) -> Iterator[str]:
    """A table of class `kind` that scrolls by itself on a narrow screen; `parts` are HTML."""
    yield f'<div class="scroll"><table class="{kind}">{"".join(parts)}</table></div>'


def _cell(value: float | None) -> str:
    """A figure in [0, 1] as per cent over a bar of that length; a dash where there is none."""
    if value is None:
        return "<td>&ndash;</td>"
    return f'<td class="figure" style="--share: {value:.1%}">{value:.1%}</td>'


def _mean(values: Figures) -> float | None:
    known = [value for value in values.values() if value is not None]
    return sum(known) / len(known) if known else None
