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

Counted = tuple[tuple[str, ...], str, tuple[str, ...], Counts]
"""Classes, split, images, counts (M, N, 3, C)."""

FEW = 30
MEANING = (
    f"95 % intervals by paired bootstrap: images are drawn anew {ROUNDS} times, the same for "
    "all models. They tell of "
    "other images of the same source, not of another training; frames of one video resemble "
    "each other, and the "
    "intervals are then too narrow."
)


@dataclass(frozen=True)
class Comparison:
    """What `compare` found. counts (M, N, 3, C): of each model and image the pixels right, true and
    predicted.

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
        found: list[list[float]] = scores_from_counts(self.counts.sum(1)).tolist()
        return found

    def verdicts(self) -> list[str]:
        """One line for each model behind the best."""
        return [self._verdict(model, lead) for model, (lead, _) in self.behind.items()]

    def _verdict(self, model: int, lead: Difference) -> str:
        best = self.models[self.best]
        other = self.models[model]
        if math.isnan(lead.low):
            return f"{best} and {other}: one image says nothing of others"
        how = (
            f"95 % interval {100 * lead.low:.1f} to {100 * lead.high:.1f}, sign flips in "
            f"{lead.sign_flips:.1%} of draws"
        )
        is_better = "is better than {} by" if lead.significant else "is above {} by"
        verdict = "real" if lead.significant else "not shown"
        return (
            f"{best} {is_better.format(other)} {100 * lead.value:.1f} points of mean IoU, "
            f"{how}: {verdict}"
        )

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows of text: by class the best's IoU, and every other's with how far it is
        behind, in points.
        """
        best, *others = (self.models[model] for model in (self.best, *self.behind))
        columns = ["", best, *(f"{name} (difference in points, 95 %)" for name in others)]
        scores = self.iou()
        rows = []
        for at, name in enumerate(("mean IoU", *self.classes)):
            row = [name, _figure(scores[self.best][at])]
            for model, (lead, leads) in self.behind.items():
                row.append(f"{_figure(scores[model][at])}{_behind([lead, *leads][at])}")
            rows.append(row)
        return columns, rows

    def write_json(self, path: Path) -> None:
        """Write `as_dict` as a JSON file."""
        write_text(path, json.dumps(self.as_dict(), indent=2) + "\n")

    def as_dict(self) -> dict[str, object]:
        """JSON values; differences are the best's figure minus the other's, null where there is
        none.
        """
        scores = [[json_number(value) for value in row] for row in self.iou()]
        return {
            "split": self.split,
            "images": len(self.images),
            "classes": list(self.classes),
            "models": [
                {"name": name, "mean_iou": mean, "iou": dict(zip(self.classes, iou, strict=True))}
                for name, (mean, *iou) in zip(self.models, scores, strict=True)
            ],
            "best": self.models[self.best],
            "behind": [
                {
                    "model": self.models[model],
                    "mean_iou": _as_dict(lead),
                    "iou": dict(zip(self.classes, map(_as_dict, leads), strict=True)),
                }
                for model, (lead, leads) in self.behind.items()
            ],
            "verdicts": self.verdicts(),
            "notes": list(self.notes),
        }


def compared(models: tuple[str, ...], counted: Counted, said: Sequence[str] = ()) -> Comparison:
    """Rank the models by mean IoU and put the best beside each other; the notes end with what was
    `said` before.

    Raises DataError where every pixel is void.
    """
    classes, split, images, counts = counted
    if not counts[:, :, 1].any():
        raise DataError(f"every pixel of {split} is void: there is nothing to compare")
    means = scores_from_counts(counts.sum(1))[:, 0]
    best = int(means.argmax())
    others = [model for model in np.argsort(-means, kind="stable").tolist() if model != best]
    behind = {
        model: paired_bootstrap(counts[[best, model]], comparisons=len(others)) for model in others
    }
    notes = [MEANING]
    if len(others) > 1:
        notes.append(
            f"{len(others)} models against the best: the intervals of mean IoU are so wide "
            "that all hold together in "
            "95 % of cases (Bonferroni). The best was picked on these images, which flatters "
            "it: confirm it on others."
        )
    notes.append(
        f"The intervals of the {len(classes)} classes are 95 % each: of twenty classes "
        "without a difference, about one "
        "seems to have one."
    )
    if len(images) < FEW:
        notes.append(
            f"{len(images)} images are few: such intervals tend to be too narrow below about {FEW}."
        )
    return Comparison(models, classes, split, images, counts, best, behind, (*notes, *said))


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _behind(lead: Difference) -> str:
    if math.isnan(lead.low):
        return ""
    sure = "" if lead.significant else " not shown"
    return f", {-100 * lead.value:+.1f} ({-100 * lead.high:+.1f} to {-100 * lead.low:+.1f}){sure}"


def _as_dict(lead: Difference) -> dict[str, object]:
    return {
        "difference": json_number(lead.value),
        "interval_95": [json_number(lead.low), json_number(lead.high)],
        "draws_of_other_sign": json_number(lead.sign_flips),
        "real": lead.significant,
    }
