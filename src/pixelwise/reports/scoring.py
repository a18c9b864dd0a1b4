"""The part of a page that holds scores: each figure with what it is, charts, where errors lie."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import cast

import numpy as np

from pixelwise.metrics.confusion import safe_divide
from pixelwise.reports.charts import confusion, reliability
from pixelwise.reports.tables import bar, cell, headed, number, row, table

Scores = Mapping[str, object]
ByClass = Mapping[str, float | None]
Rows = Sequence[Mapping[str, float | None]]

STYLE = """
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .7rem; margin: 1.2rem 0; }
.tiles div { background: var(--tile); border-radius: 8px; padding: .7rem .9rem; }
.tiles b { display: block; font-size: 1.7rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.charts { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: center; } .charts > * { flex: 1 1 18rem; }
.charts svg { max-width: 100%; height: auto; }
.key::before { content: ""; display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: 2px;
               background: var(--of); }
"""
_TOTALS = (
    ("mean_iou", "Mean IoU", "the mean over the classes of their IoU, pooled over all pixels"),
    ("pixel_accuracy", "Pixel accuracy", "pooled: the share of all pixels that are right"),
    (
        "mean_accuracy",
        "Mean accuracy",
        "the mean over the classes of the share of their pixels that are right (recall)",
    ),
    (
        "frequency_weighted_iou",
        "Frequency weighted IoU",
        "IoU weighted by how many pixels each class has",
    ),
    ("mean_boundary_iou", "Mean boundary IoU", "as mean IoU, of the pixels near outlines alone"),
    (
        "mean_boundary_f",
        "Mean boundary F",
        "the mean over the classes of how well outlines lie on each other",
    ),
)
_HOW = (
    "All figures are pooled over all pixels of all images, not averaged image by image, "
    "unless they say so. Void "
    "pixels count nowhere. A class that is neither in the truth nor in the predictions has no "
    "figure and is left out "
    "of every mean."
)
_COLUMNS = {
    "precision": "precision",
    "recall": "recall",
    "dice": "Dice",
    "boundary_iou": "boundary IoU",
    "boundary_f": "boundary F",
}
_WORST = 20
_SIZES = ("tiny", "small", "medium", "large")


def scoring(scores: Scores) -> Iterator[str]:
    """HTML of all that `scores` holds: what `Scores.as_dict` gives, or more, as of an
    evaluation.
    """
    yield from _totals(scores)
    yield from _by_class(scores)
    yield from _confusion(scores)
    yield from _calibration(scores)
    yield from _where(scores)


def tiles(scores: Scores) -> Iterator[str]:
    """The figures to see first."""
    low_high = cast("Sequence[float | None]", scores.get("mean_iou_95") or (None, None))
    error = cast("Mapping[str, float]", scores.get("calibration", {})).get(
        "expected_calibration_error"
    )
    found = [
        (
            "Mean IoU",
            scores["mean_iou"],
            "" if low_high[0] is None else f"95 %: {number(low_high[0])} to {number(low_high[1])}",
        ),
        ("Pixel accuracy", scores["pixel_accuracy"], "pooled over all pixels"),
        ("Boundary IoU", scores.get("mean_boundary_iou"), "mean over the classes"),
        ("Calibration error", error, "confidence is off by so much"),
    ]
    shown = [(name, cast(float, value), more) for name, value, more in found if value is not None]
    parts = (
        f"<div>{name}<b>{number(value)}</b><small>{more}</small></div>"
        for name, value, more in shown
    )
    yield f'<div class="tiles">{"".join(parts)}</div>'


def worst_images(scores: Scores) -> Iterator[str]:
    """The images with the lowest mean IoU of their own."""
    rated = cast("Sequence[Mapping[str, object]]", scores.get("mean_iou_by_image", ()))
    shown = [image for image in rated if image["mean_iou"] is not None][:_WORST]
    if shown:
        yield "<h2>Worst images</h2>"
        yield (
            "<p>Per image: mean IoU over the classes that the image shows or was given; its "
            "rarest class counts as "
        )
        yield f"much as any. The {len(shown)} lowest of {len(rated)}.</p>"
        rows = [row(str(image["image"]), bar(cast(float, image["mean_iou"]))) for image in shown]
        yield from table("worst", [headed("image", "mean IoU"), *rows])


def _totals(scores: Scores) -> Iterator[str]:
    yield "<h2>Scores</h2>"
    images = cast(int, scores.get("images", 0))
    void = cast(float, scores.get("void_fraction", 0.0))
    yield (
        f"<p>Measured on {images:,} image{'' if images == 1 else 's'}; {void:.1%} of the "
        f"pixels are void. {_HOW}</p>"
    )
    rows = [
        f'<tr><th scope="row">{name}<small>{escape(meaning)}</small></th>{bar(cast("float | None", scores[key]))}</tr>'
        for key, name, meaning in _TOTALS
        if key in scores
    ]
    yield from table("totals", [f"<tbody>{''.join(rows)}</tbody>"])


def _by_class(scores: Scores) -> Iterator[str]:
    names = cast(Sequence[str], scores.get("classes", ()))
    iou = cast(ByClass, scores.get("iou", {}))
    intervals = cast("Mapping[str, Sequence[float | None]]", scores.get("iou_95", {}))
    others = {title: cast(ByClass, scores[key]) for key, title in _COLUMNS.items() if key in scores}
    yield "<h2>By class</h2>"
    yield (
        "<p>Pooled over pixels. IoU: pixels right / (pixels of the class + pixels taken for "
        "it - right). Precision: of "
        "the pixels taken for it, the share that is it. Recall: of its pixels, the share "
        "found. Dice: 2 x pixels right "
        "/ (pixels of the class + pixels taken for it)."
    )
    if intervals:
        yield "95 %: what other images of the same source would give, by bootstrap over images."
    if "boundary_iou" in scores:
        near, far = (100 * cast(float, scores[f"boundary_{kind}_width"]) for kind in ("f", "iou"))
        yield f"Boundary IoU: IoU of the pixels within {far:.3g} % of the image's diagonal of "
        yield (
            "their class's outline. Boundary F: the outlines' precision and recall, put "
            "together, where an outline "
        )
        yield f"is met within {near:.3g} % of the diagonal."
    yield "</p>"
    rows = []
    for name in names:
        between = cell(" to ".join(map(number, intervals[name]))) if intervals else ""
        rows.append(
            row(
                name,
                bar(iou.get(name)),
                between,
                *(cell(number(of.get(name))) for of in others.values()),
            )
        )
    means = [cell(number(_mean(of))) for of in others.values()]
    gap = cell("") if intervals else ""
    rows.append(
        f'<tr class="mean"><th scope="row">mean</th>{bar(_mean(iou))}{gap}{"".join(means)}</tr>'
    )
    titles = ("class", "IoU", *(["95 %"] if intervals else []), *others)
    yield from table("classes", [headed(*titles), *rows])


def _confusion(scores: Scores) -> Iterator[str]:
    names = cast(Sequence[str], scores.get("classes", ()))
    counts = np.array(cast(Sequence[Sequence[int]], scores.get("confusion_matrix", ())), float)
    outside = np.array(
        cast(Sequence[int], scores.get("predicted_as_none_of_them", [0] * len(counts))), float
    )
    if not counts.sum():
        return
    counts = np.column_stack([counts, outside]) if outside.any() else counts
    yield "<h2>What is taken for what</h2>"
    shares = safe_divide(counts, np.repeat(counts.sum(1, keepdims=True), counts.shape[1], axis=1))
    columns = [*names, "none of them"][: counts.shape[1]]
    yield (
        "<figure><div "
        f'class="scroll">{confusion(shares, names, columns)}</div><figcaption>Confusion '
        "matrix. Rows "
    )
    yield (
        "are the truth, columns the prediction; each row in per cent of the true class's "
        "pixels.</figcaption>"
    )
    yield "</figure>"
    lost = cast("Sequence[Mapping[str, object]]", scores.get("most_confused", ()))
    if lost:
        yield "<h3>Most frequent errors</h3>"
        yield (
            "<p>The pairs that cost the most pixels, with the share of the true class's pixels "
            "that went there.</p>"
        )
        rows = [
            row(
                str(x["truth"]),
                f"<td>{escape(str(x['taken_for']))}</td>",
                bar(cast(float, x["share"])),
            )
            for x in lost
        ]
        yield from table("errors", [headed("truth", "taken for", "share"), *rows])


def _calibration(scores: Scores) -> Iterator[str]:
    before = cast("Mapping[str, object] | None", scores.get("calibration"))
    if before is None:
        return
    found = {"as it is": before}
    temperature = cast("float | None", scores.get("temperature"))
    if temperature is not None:
        found[f"at temperature {temperature:.2f}"] = cast(
            "Mapping[str, object]", scores["calibration_at_temperature"]
        )
    yield "<h2>Calibration</h2>"
    yield (
        f'<div class="charts"><figure>{reliability(found)}<figcaption>Of the pixels with a '
        "confidence, the "
    )
    yield (
        "share that is right; below, how the pixels are spread (root of their share). On the "
        "dashed line confidence "
    )
    yield "says what it means; below it the model is too sure of itself.</figcaption></figure><div>"
    for name, of, colour in zip(found, found.values(), ("bad", "good"), strict=False):
        error = number(cast(float, of["expected_calibration_error"]))
        yield (
            f'<p class="key" style="--of: var(--{colour})">{name}: expected calibration error '
            f"<b>{error}</b></p>"
        )
    yield (
        "<p>Pooled over pixels, void left out, in 15 equal bins: the mean distance between the "
        "confidence and the "
    )
    more = "" if temperature else "; evaluate --calibrate finds it"
    yield (
        "share right. A temperature that is fitted on the validation images divides the logits "
        "and changes no "
    )
    yield f"label{more}.</p>"
    yield "</div></div>"


def _where(scores: Scores) -> Iterator[str]:
    near, sizes = (
        cast(Rows, scores.get(key, ())) for key in ("errors_near_borders", "regions_by_size")
    )
    if not near:
        return
    yield "<h2>Where errors lie</h2>"
    yield (
        "<p>Pooled over pixels: how many of the wrong pixels, and of all, lie within some "
        "pixels of a border of the "
    )
    yield "truth (between two labels, void among them), and how many of those are wrong.</p>"
    rows = [
        row(
            f"{x['within']} pixel{'s' * (x['within'] != 1)}",
            bar(x["of_wrong"]),
            bar(x["of_all"]),
            bar(x["wrong"]),
        )
        for x in near
    ]
    yield from table(
        "near", [headed("within", "of the wrong pixels", "of all pixels", "wrong there"), *rows]
    )
    yield (
        "<p>By size of the connected regions of the truth: each region counts alike, whatever "
        "its class. Its IoU: "
    )
    yield (
        "pixels found / (its pixels + those wrongly taken for it). Missed: no pixel of it was "
        "found.</p>"
    )
    kinds = [
        row(
            f"{name}, {x['from'] or 1:,}+",
            cell(f"{x['regions']:,}"),
            bar(x["mean_iou"]),
            bar(x["missed"]),
        )
        for name, x in zip(_SIZES, sizes, strict=True)
    ]
    yield from table("sizes", [headed("size in pixels", "regions", "mean IoU", "missed"), *kinds])


def _mean(values: ByClass) -> float | None:
    known = [value for value in values.values() if value is not None]
    return sum(known) / len(known) if known else None
