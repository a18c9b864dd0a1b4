"""Which of several models is better on the same images, and whether that is more than chance of the
images.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.errors import DataError
from pixelwise.io.atomic import write_text
from pixelwise.metrics.bootstrap import ROUNDS, Difference, paired_bootstrap, scores_from_counts
from pixelwise.metrics.confusion import Counts, json_number

# Intervals from fewer images tend to be too narrow.
FEW_IMAGES = 30

INTERVAL_NOTE = (
    f"95 % intervals by paired bootstrap: images are drawn again {ROUNDS} times, the same for all "
    "models. They tell of other images of the same source, not of another training; frames of one "
    "video resemble each other, and the intervals are then too narrow."
)


@dataclass(frozen=True)
class ImageCounts:
    """counts (M, N, 3, C): of each model and image, the pixels right, true and predicted by
    class.
    """

    classes: tuple[str, ...]
    split: str
    images: tuple[str, ...]
    counts: Counts


@dataclass(frozen=True)
class Comparison:
    """The result of `compare`. counts (M, N, 3, C) as in ImageCounts.

    `best` is the model of the highest mean IoU; `behind` holds, for every other, the best's lead in
    mean IoU and in each class's IoU.
    """

    models: tuple[str, ...]
    classes: tuple[str, ...]
    split: str
    images: tuple[str, ...]
    counts: Counts
    best: int
    behind: dict[int, tuple[Difference, list[Difference]]]
    notes: tuple[str, ...]

    def iou(self) -> list[list[float]]:
        """(M, 1 + C) mean IoU and IoU by class, pooled over the images; NaN where there is none."""
        scores: list[list[float]] = scores_from_counts(self.counts.sum(1)).tolist()
        return scores

    def verdicts(self) -> list[str]:
        """One line for each model behind the best."""
        return [self._verdict(model, lead) for model, (lead, _) in self.behind.items()]

    def _verdict(self, model: int, lead: Difference) -> str:
        best = self.models[self.best]
        loser = self.models[model]
        if math.isnan(lead.low):
            return f"{best} and {loser}: one image says nothing of others"
        relation = "is better than" if lead.significant else "is above"
        verdict = "significant" if lead.significant else "not significant"
        return (
            f"{best} {relation} {loser} by {100 * lead.value:.1f} points of mean IoU, "
            f"95 % interval {100 * lead.low:.1f} to {100 * lead.high:.1f}, "
            f"sign flips in {lead.sign_flips:.1%} of draws: {verdict}"
        )

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows of text: by class the best's IoU, and every other's with how far it is
        behind, in points.
        """
        losers = [self.models[model] for model in self.behind]
        columns = [
            "",
            self.models[self.best],
            *(f"{name} (difference in points, 95 %)" for name in losers),
        ]
        scores = self.iou()
        rows = []
        for column, name in enumerate(("mean IoU", *self.classes)):
            row = [name, _format_score(scores[self.best][column])]
            for model, (lead, class_leads) in self.behind.items():
                difference = _format_difference([lead, *class_leads][column])
                row.append(f"{_format_score(scores[model][column])}{difference}")
            rows.append(row)
        return columns, rows

    def write_json(self, path: Path) -> None:
        """Write `as_dict` as a JSON file."""
        write_text(path, json.dumps(self.as_dict(), indent=2) + "\n")

    def as_dict(self) -> dict[str, object]:
        """JSON values; differences are the best's figure minus the other's, null where there is
        none.
        """
        return {
            "split": self.split,
            "images": len(self.images),
            "classes": list(self.classes),
            "models": [
                {"name": name, **self._by_class([json_number(value) for value in scores])}
                for name, scores in zip(self.models, self.iou(), strict=True)
            ],
            "best": self.models[self.best],
            "behind": [
                {"model": self.models[model], **self._by_class(_as_dicts([lead, *class_leads]))}
                for model, (lead, class_leads) in self.behind.items()
            ],
            "verdicts": self.verdicts(),
            "notes": list(self.notes),
        }

    def _by_class(self, values: Sequence[object]) -> dict[str, object]:
        """Of mean IoU, then of each class's IoU."""
        mean, *by_class = values
        return {"mean_iou": mean, "iou": dict(zip(self.classes, by_class, strict=True))}


def rank_models(
    models: tuple[str, ...],
    scored: ImageCounts,
    notes: Sequence[str] = (),
) -> Comparison:
    """Rank the models by mean IoU and compare each with the best; `notes` come after those on the
    intervals.

    Raises DataError where every pixel is void.
    """
    counts = scored.counts
    if not counts[:, :, 1].any():
        raise DataError(f"every pixel of {scored.split} is void: there is nothing to compare")
    pooled = counts.sum(1)  # (M, 3, C): mean IoU of all pixels, not the mean over images
    means = scores_from_counts(pooled)[:, 0]
    best = int(means.argmax())
    ranked = np.argsort(-means, kind="stable").tolist()
    losers = [model for model in ranked if model != best]
    # each against the best alone, not all pairs: fewer comparisons, narrower intervals
    behind = {
        model: paired_bootstrap(counts[[best, model]], comparisons=len(losers)) for model in losers
    }
    return Comparison(
        models,
        scored.classes,
        scored.split,
        scored.images,
        counts,
        best,
        behind,
        (*_interval_notes(scored, len(losers)), *notes),
    )


def _interval_notes(scored: ImageCounts, comparisons: int) -> list[str]:
    notes = [INTERVAL_NOTE]
    if comparisons > 1:
        notes.append(
            f"{comparisons} models against the best: the intervals of mean IoU are so wide that "
            "all hold together in 95 % of cases (Bonferroni). The best was picked on these images, "
            "which flatters it: confirm it on others."
        )
    notes.append(
        f"The intervals of the {len(scored.classes)} classes are 95 % each: of twenty classes "
        "without a difference, about one seems to have one."
    )
    images = len(scored.images)
    if images < FEW_IMAGES:
        notes.append(
            f"{images} images are few: such intervals tend to be too narrow below about "
            f"{FEW_IMAGES}."
        )
    return notes


def _format_score(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _format_difference(lead: Difference) -> str:
    """How far behind, in points, with the interval; empty where there is none."""
    if math.isnan(lead.low):
        return ""
    doubt = "" if lead.significant else " not significant"
    return f", {-100 * lead.value:+.1f} ({-100 * lead.high:+.1f} to {-100 * lead.low:+.1f}){doubt}"


def _as_dicts(leads: Sequence[Difference]) -> list[dict[str, object]]:
    return [
        {
            "difference": json_number(lead.value),
            "interval_95": [json_number(lead.low), json_number(lead.high)],
            "draws_of_other_sign": json_number(lead.sign_flips),
            "real": lead.significant,
        }
        for lead in leads
    ]
