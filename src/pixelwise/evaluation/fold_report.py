"""The page of a cross-validation: out-of-fold scores, by class and by fold, and labels that may be
wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.datasets.types import ALL, DataSet
from pixelwise.evaluation.label_issue_list import LabelIssueList
from pixelwise.evaluation.layer_result import LayerEvaluation
from pixelwise.evaluation.report import make_gallery
from pixelwise.evaluation.result import Evaluation
from pixelwise.inference.predictor import Predictor
from pixelwise.metrics.bootstrap import scores_from_counts
from pixelwise.metrics.confusion import json_number
from pixelwise.reports.gallery import Table
from pixelwise.reports.render import format_percent
from pixelwise.reports.report_page import Picture, write_report

# Regions whose labels may be wrong: rows of the table, and pictures.
_ROWS = 20
_PICTURES = 6

SCORE_NOTE = (
    "Each image is scored by the model that was not trained on it, and all images together, "
    "pooled over their pixels. The 95 % intervals are by bootstrap over images: what other images "
    "of the same source would give, not what other seeds would."
)


@dataclass(frozen=True)
class FoldScore:
    """How the model of one fold does on the images that it held out; IoU by class, NaN for absent
    ones.
    """

    name: str
    images: int
    mean_iou: float
    iou: tuple[float, ...]

    def as_dict(self, classes: Sequence[str]) -> dict[str, object]:
        """JSON values."""
        by_class = dict(zip(classes, map(json_number, self.iou), strict=True))
        return {"mean_iou": json_number(self.mean_iou), "iou": by_class}


def score_folds(
    evaluation: Evaluation | LayerEvaluation, folds: Mapping[str, Sequence[str]]
) -> list[FoldScore]:
    """The scores of each fold, from those of the images; `folds` names the images of each."""
    rows = []
    for name, images in folds.items():
        counts = sum(evaluation.counts[image] for image in images)
        figures = scores_from_counts(np.asarray(counts))
        rows.append(FoldScore(name, len(images), float(figures[0]), tuple(figures[1:].tolist())))
    return rows


def write_fold_page(
    path: Path,
    evaluation: Evaluation | LayerEvaluation,
    folds: Sequence[FoldScore],
    issues: LabelIssueList | None,
    *,
    predictor: Predictor,
    dataset: DataSet,
    notes: Sequence[str] = (),
) -> None:
    """Write the page at `path`, beside the folder `suspects` of the `issues`, if these were sought;
    `dataset` holds the images of all folds and no others.
    """
    pairs = dataset.pairs(ALL)
    crops = sorted((path.parent / "suspects" / "crops").glob("*.jpg"))
    low, high = evaluation.mean_iou_interval
    write_report(
        path,
        title=f"Cross-validation: {len(folds)} folds",
        facts=[
            (
                "Out-of-fold mean IoU",
                f"{evaluation.scores.mean_iou:.4f} (95 %: {low:.4f} to {high:.4f})",
            ),
            *((fold.name, f"{fold.mean_iou:.4f} on {fold.images:,} images") for fold in folds),
            ("Data", f"{dataset.root} ({dataset.format}); {len(pairs)} images"),
            *_list_issues(issues),
        ],
        scores=evaluation.summary(),
        pictures=[
            Picture(f"Label that may be wrong: {crop.stem}", crop) for crop in crops[:_PICTURES]
        ],
        gallery=make_gallery(evaluation, predictor, dataset, pairs),
        tables=[_fold_table(folds, evaluation.classes.names), *_issue_tables(issues)],
        notes=[SCORE_NOTE, *notes, *(issues.notes if issues else ())],
    )


def _list_issues(issues: LabelIssueList | None) -> list[tuple[str, str]]:
    if issues is None:
        return []
    regions = f"{len(issues.issues):,} regions in suspects/suspects.csv"
    return [("Labels that may be wrong", f"{regions}, with pictures in suspects/suspects.html")]


def _fold_table(folds: Sequence[FoldScore], classes: Sequence[str]) -> Table:
    rows = [
        (
            fold.name,
            f"{fold.images:,}",
            format_percent(fold.mean_iou),
            *map(format_percent, fold.iou),
        )
        for fold in folds
    ]
    return "By fold: IoU on the images that it held out", ("fold", "images", "mean", *classes), rows


def _issue_tables(issues: LabelIssueList | None) -> list[Table]:
    if issues is None:
        return []
    rows = []
    for row in issues.rows()[:_ROWS]:
        rank, image, split, *_, area, label, looks_like, _confidence, score = row
        rows.append(tuple(map(str, (rank, f"{split}/{image}", label, looks_like, area, score))))
    heading = "Labels that may be wrong, by models that have not seen them"
    return [(heading, ("rank", "image", "labelled as", "looks like", "pixels", "score"), rows)]
