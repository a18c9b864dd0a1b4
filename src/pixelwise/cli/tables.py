"""Results as tables and lines for the terminal."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

if TYPE_CHECKING:
    from pixelwise.evaluation.comparison import Comparison
    from pixelwise.evaluation.fold_report import FoldScore
    from pixelwise.evaluation.label_issue_list import LabelIssueList
    from pixelwise.evaluation.layer_result import LayerEvaluation
    from pixelwise.evaluation.result import Evaluation
    from pixelwise.evaluation.tune_inference import InferenceSetting
    from pixelwise.metrics.object_matching import ObjectScores

# Label issues that are printed; suspects.csv holds all of them.
ISSUES = 10


def evaluation_report(evaluation: "Evaluation") -> Iterator[Table | str]:
    """The figures of each class, those of all classes, and what to know about them."""
    yield _class_table(evaluation)
    yield _total_table(evaluation)
    yield from _notes(evaluation)
    if evaluation.metrics.objects is not None:
        yield from _objects(evaluation.metrics.objects, evaluation.classes.names)


def layer_report(evaluation: "LayerEvaluation") -> Iterator[Table | str]:
    """The figures of each of the classes that overlap, those of all, and what to know of them."""
    scores = evaluation.scores
    columns = ("class", "IoU", "95 %", "prec.", "recall", "Dice", "threshold")
    title = f"{evaluation.split}: {scores.images} images"
    table = Table(*columns, title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    figures = zip(scores.iou, scores.precision, scores.recall, scores.dice, strict=True)
    rows = zip(
        evaluation.classes.names,
        evaluation.iou_intervals,
        figures,
        evaluation.thresholds,
        strict=True,
    )
    for name, interval, (iou, *others), threshold in rows:
        cells = (_format(iou), _format_interval(interval), *map(_format, others))
        table.add_row(name, *cells, f"{threshold:.2f}")
    yield table
    interval_of_mean = _format_interval(evaluation.mean_iou_interval)
    yield (
        f"mean IoU {_format(scores.mean_iou)} over the classes; 95 %: {interval_of_mean}. Each "
        "class is scored by itself over all pixels, as a pixel may have several; void is ignored, "
        "absent classes (-) are left out of the mean. A pixel is of a class from its threshold on."
    )
    worst = ", ".join(f"{name} {_format(value)}" for name, value in evaluation.by_image[:3])
    yield f"Lowest mean IoU of single images: {worst}"


def ways_report(ways: "list[InferenceSetting]", split: str) -> Iterator[Table | str]:
    """The ways to predict, and how to read the table."""
    table = Table("work", "mean IoU", "gain, 95 %", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("options", no_wrap=True)
    for way in ways:
        gain = way.gain
        # No options have no gain over themselves, and a single image has no interval.
        has_gain = way.options and not math.isnan(gain.low)
        interval = ""
        if has_gain:
            interval = f"{gain.low:.3f} to {gain.high:.3f}"
        table.add_row(f"{way.work:.2f}", f"{way.mean_iou:.3f}", interval, way.options or "none")
    yield table
    yield (
        "Work and gain in mean IoU are relative to no options; work counts the pixels that the "
        "network sees. A more expensive way is listed where it beats every cheaper one. Chosen on "
        f"{split}, the best looks a little better than it is: score it on other images. predict "
        "takes the same options."
    )


def comparison_table(comparison: "Comparison") -> Table:
    """The figures of each model side by side."""
    columns, rows = comparison.table()
    table = Table(*columns, title=f"{comparison.split}: {len(comparison.images)} images")
    for row in rows:
        table.add_row(*row)
    return table


def fold_table(folds: "Sequence[FoldScore]") -> Table:
    """The mean IoU of each fold's model on the images that it held out."""
    table = Table("fold", "images", "mean IoU", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for fold in folds:
        table.add_row(fold.name, f"{fold.images:,}", _format(fold.mean_iou))
    return table


def label_issues_table(issues: "LabelIssueList", top: int) -> Table:
    """The regions whose labels are most likely wrong, at most ISSUES."""
    table = Table("", "image", "labelled as", "looks like", "pixels", "score")
    for row in issues.rows()[: min(top, ISSUES)]:
        rank, image, split, *_, area, label, predicted, _confidence, score = row
        cells = (rank, f"{split}/{image}", label, predicted, area, score)
        table.add_row(*map(str, cells))
    return table


def _class_table(evaluation: "Evaluation") -> Table:
    scores = evaluation.scores
    boundary = evaluation.metrics.boundary
    # Short names: eight columns must fit into 80 characters.
    columns = ("class", "IoU", "95 %", "prec.", "recall", "Dice", "b. IoU", "b. F")
    title = f"{evaluation.split}: {scores.images} images"
    table = Table(*columns, title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    overlaps = (scores.iou, scores.precision, scores.recall, scores.dice)
    figures = zip(*overlaps, boundary.iou, boundary.f, strict=True)
    classes = zip(evaluation.classes.names, evaluation.iou_intervals, figures, strict=True)
    for name, interval, (iou, *others) in classes:
        table.add_row(name, _format(iou), _format_interval(interval), *map(_format, others))
    parents = evaluation.parents
    if parents:
        table.add_section()
    for row in parents:
        own = (row.precision, row.recall, row.dice)
        table.add_row(row.name, _format(row.iou), "", *map(_format, own))
    return table


def _total_table(evaluation: "Evaluation") -> Table:
    from pixelwise.metrics.confusion import nan_mean  # imports PyTorch

    scores = evaluation.scores
    boundary = evaluation.metrics.boundary
    interval = _format_interval(evaluation.mean_iou_interval)
    rows = (
        ("mean IoU", scores.mean_iou, f"over the classes; 95 %: {interval}"),
        ("pixel accuracy", scores.pixel_accuracy, "over all pixels"),
        ("mean accuracy", scores.mean_accuracy, "over the classes, of their recall"),
        (
            "frequency weighted IoU",
            scores.frequency_weighted_iou,
            "over the classes, by their true pixels",
        ),
        ("mean boundary IoU", nan_mean(boundary.iou), "over the classes"),
        ("mean boundary F", nan_mean(boundary.f), "over the classes"),
        ("void fraction", scores.void_fraction, "of all pixels"),
    )
    table = Table(box=None, show_header=False)  # seven lines, with nothing to compare across
    for name, value, meaning in rows:
        table.add_row(name, _format(value), meaning)
    return table


def _objects(objects: "ObjectScores", names: tuple[str, ...]) -> Iterator[Table | str]:
    """A table of objects at each threshold, then how far their numbers are off."""
    for threshold, rows in objects.figures(names):
        title = f"objects, IoU above {threshold:g}"
        columns = ("class", "prec.", "recall", "F1", "PQ", "SQ", "RQ")
        table = Table(*columns, title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name, *values in rows:
            if not all(map(math.isnan, values)):
                table.add_row(name, *map(_format, values))
        yield table
    headings = ("class", "true", "predicted", "error", "95 %")
    table = Table(*headings, title="objects", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for row in objects.count_errors(names):
        if row.true or row.predicted:
            error = "-" if math.isnan(row.error) else f"{row.error:+.1%}"
            interval = "-" if math.isnan(row.low) else f"{row.low:+.1%} to {row.high:+.1%}"
            table.add_row(row.name, f"{row.true:,}", f"{row.predicted:,}", error, interval)
    yield table
    yield objects.describe()


def _notes(evaluation: "Evaluation") -> Iterator[str]:
    """What the tables do not hold, and what their figures are."""
    metrics = evaluation.metrics
    yield (
        "Figures of classes are pooled over all pixels; void is ignored; absent classes (-) are "
        "left out of means. The 95 % intervals are by bootstrap over images: what other images "
        "of the same source may give."
    )
    near = 100 * metrics.boundary.f_width
    far = 100 * metrics.boundary.iou_width
    yield (
        f"b. IoU is IoU of the pixels within {far:.3g} % of the image's diagonal of an outline; "
        f"b. F, of the outlines themselves, matched within {near:.3g} %; both pooled."
    )
    yield f"Confidence: {_calibration(evaluation)}"
    if metrics.alpha is not None:
        yield f"Alpha: mean absolute error {metrics.alpha.mean:.4f} of 0 to 1, over all pixels"
    # Shares are None where there is no border at all.
    border = {key: value or 0 for key, value in metrics.near_borders.rows()[1].items()}
    yield (
        f"Within {border['within']} pixels of a border of the truth lie "
        f"{border['of_wrong']:.1%} of the wrong pixels, and {border['of_all']:.1%} of all"
    )
    confused = evaluation.scores.most_confused(evaluation.classes.names, 3)
    pairs = [
        f"{pair['truth']} as {pair['taken_for']} ({pair['share']:.1%} of {pair['truth']})"
        for pair in confused
    ]
    yield f"What costs the most pixels: {', '.join(pairs) or 'nothing'}"
    worst = ", ".join(f"{name} {_format(value)}" for name, value in evaluation.by_image[:3])
    yield f"Lowest mean IoU of single images: {worst}"


def _calibration(evaluation: "Evaluation") -> str:
    metrics = evaluation.metrics
    error = _format(metrics.reliability.error)
    text = f"expected calibration error {error}, pooled over pixels"
    if metrics.temperature is None:
        return text
    calibrated = _format(metrics.calibrated.error)
    text += f"; {calibrated} at temperature {metrics.temperature:.3f}, fitted on val"
    if evaluation.split == "val":
        text += ", the images scored here"  # an optimistic figure
    return text


def _format_interval(interval: tuple[float, float]) -> str:
    low, high = interval
    return "-" if math.isnan(low) else f"{low:.3f}-{high:.3f}"


def _format(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
