"""Several models on the same images: which is better, and whether the difference is more than chance of the images."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pixelwise.data.build import open_dataset
from pixelwise.data.sample import DataOptions, DataSet, first
from pixelwise.errors import ConfigError, DataError, ImageError
from pixelwise.files import write_text
from pixelwise.images import Array, read_rgb
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.jobs.evaluate import PER_IMAGE, match
from pixelwise.monitor import Monitor
from pixelwise.reports.gallery import side_by_side, write_gallery
from pixelwise.reports.overlays import paint
from pixelwise.tasks.differences import Difference, paired
from pixelwise.tasks.intervals import PerImage, iou_of
from pixelwise.tasks.labels import Classes
from pixelwise.tasks.metrics import ConfusionMatrix, Counts, Figures

_Counted = tuple[tuple[str, ...], str, tuple[str, ...], Counts]
"""Classes, split, images, counts (M, N, 3, C)."""

FEW = 30
PICTURES, SIDE = 8, 380
MEANING = (
    "95 % intervals by paired bootstrap: images are drawn anew 4000 times, the same for all models. They tell of other "
    "images of the same source, not of another training; frames of one video resemble each other, and the intervals "
    "are then too narrow."
)


@dataclass(frozen=True)
class Comparison:
    """What `compare` found. counts (M, N, 3, C): of each model and image the pixels right, true and predicted.

    `best` is the model of the highest mean IoU; `behind` holds, for every other, the best's lead in mean IoU and in
    each class's IoU.
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
        found = iou_of(self.counts.sum(1).astype(np.float64))
        return [[float(np.nanmean(row)), *row.tolist()] for row in found]

    def verdicts(self) -> list[str]:
        """One line for each model behind the best."""
        return [self._verdict(model, lead) for model, (lead, _) in self.behind.items()]

    def _verdict(self, model: int, lead: Difference) -> str:
        best, other = self.models[self.best], self.models[model]
        if math.isnan(lead.low):
            return f"{best} and {other}: one image says nothing of others"
        how = f"95 % interval {100 * lead.low:.1f} to {100 * lead.high:.1f}, {lead.flips:.1%} of the draws do not agree"
        if lead.shown:
            return f"{best} is better than {other} by {100 * lead.value:.1f} points of mean IoU, {how}: real"
        return f"{best} is {100 * lead.value:.1f} points of mean IoU above {other}, {how}: not shown"

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows of text: by class the best's IoU, and every other's with how far it is behind, in points."""
        columns = ["", self.models[self.best], *(f"{self.models[model]} (points, 95 %)" for model in self.behind)]
        scores, rows = self.iou(), []
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
        """JSON values; differences are the best's figure minus the other's, null where there is none."""
        scores = [[_number(value) for value in row] for row in self.iou()]
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


def compare(
    models: Sequence[str | Path | Predictor],
    data: str | Path | None = None,
    *,
    split: str | None = None,
    options: DataOptions | None = None,
    report: str | Path | None = None,
    monitor: Monitor | None = None,
) -> Comparison:
    """Score two or more models on the same images of `data` and say which differences are real.

    `split` is test where there is one, val otherwise. Classes are those that all models and the data have by name;
    pixels of others are void in the truth and wrong in a prediction. `models` may all be JSON files of `evaluate`
    instead; then `data` is not needed. `report` is a folder for a page with the images on which the models differ
    most. Raises ConfigError for fewer than two models, ModelError where no class is shared, DataError for score files
    that do not fit together.
    """
    monitor = monitor or Monitor()
    if len(models) < 2:
        raise ConfigError("one model alone cannot be compared: give two or more run folders or model files")
    files = [Path(m) for m in models if not isinstance(m, Predictor) and Path(m).suffix == ".json"]
    if files:
        if len(files) < len(models):
            raise ConfigError(
                "score files and models are mixed: give all as models, or all as files of evaluate --json"
            )
        if report is not None:
            raise ConfigError("a report shows pictures, which score files do not hold: give the models and --data")
        return _compared(_names(models), *_read(files))
    if data is None:
        raise ConfigError("on which images? give --data, the folder of images and masks")
    race = _Race(
        [m if isinstance(m, Predictor) else load(m) for m in models], open_dataset(data, options or DataOptions())
    )
    split = split or ("test" if "test" in race.dataset.splits else "val")
    found = _compared(_names(models), *race.run(split, monitor))
    if report is not None:
        _write_page(Path(report), found, race)
    return found


class _Race:
    """Models and a data set, with the classes that all share."""

    def __init__(self, predictors: Sequence[Predictor], dataset: DataSet) -> None:
        self.dataset, self._predictors = dataset, predictors
        self.classes = dataset.classes
        for predictor in predictors:
            self.classes = match(predictor.classes, self.classes).classes
        self._truth = match(self.classes, dataset.classes).from_data
        self._tables = [match(predictor.classes, self.classes).from_model for predictor in predictors]

    def run(self, split: str, monitor: Monitor) -> _Counted:
        """Label every image with every model."""
        pairs = self.dataset.pairs(split)
        monitor.line(f"scoring {len(self._predictors)} models on the {len(pairs)} images of {split}")
        images = [PerImage(len(self.classes)) for _ in self._predictors]
        for at in monitor.track(range(len(pairs)), what=f"comparing on {split}", total=len(pairs)):
            _, truth, found = self.look(split, at)
            for counts, labels in zip(images, found, strict=True):
                matrix = ConfusionMatrix(len(self.classes))
                counts.add(matrix.update(torch.from_numpy(truth), torch.from_numpy(labels)))
        names = tuple(pair.name for pair in pairs)
        return self.classes.names, split, names, np.stack([counts.counts() for counts in images])

    def look(self, split: str, at: int) -> tuple[Path, Array, list[Array]]:
        """An image's path, truth and what each model says, in the shared classes."""
        pair = self.dataset.pairs(split)[at]
        truth = self._truth[self.dataset.read_labels(pair.mask)]
        found = [t[p.predict(pair.image).labels] for p, t in zip(self._predictors, self._tables, strict=True)]
        if truth.shape != found[0].shape:
            raise ImageError(f"{pair.image}: {found[0].shape} pixels, but its mask has {truth.shape} (height, width)")
        return pair.image, truth, found


def _compared(
    models: tuple[str, ...], classes: tuple[str, ...], split: str, images: tuple[str, ...], counts: Counts
) -> Comparison:
    if not counts[:, :, 1].any():
        raise DataError(f"every pixel of {split} is void: there is nothing to compare")
    means = np.nanmean(iou_of(counts.sum(1).astype(np.float64)), axis=1)
    best = int(means.argmax())
    others = [model for model in np.argsort(-means, kind="stable").tolist() if model != best]
    behind = {model: paired(counts[[best, model]], comparisons=len(others)) for model in others}
    notes = [MEANING]
    if len(others) > 1:
        notes.append(
            f"{len(others)} models against the best: the intervals of mean IoU are so wide that all hold together in "
            "95 % of cases (Bonferroni). The best was picked on these images, which flatters it: confirm it on others."
        )
    notes.append(
        f"The intervals of the {len(classes)} classes are 95 % each: of twenty classes without a difference, about one "
        "seems to have one."
    )
    if len(images) < FEW:
        notes.append(f"{len(images)} images are few: such intervals tend to be too narrow below about {FEW}.")
    return Comparison(models, classes, split, images, counts, best, behind, tuple(notes))


def _names(models: Sequence[str | Path | Predictor]) -> tuple[str, ...]:
    """A short name for each: the last part of its path, or as much of it as tells it from the others."""
    paths = [f"model {at}" if isinstance(m, Predictor) else str(m) for at, m in enumerate(models, 1)]
    short = [Path(path).name for path in paths]
    return tuple(paths if len(set(short)) < len(short) else short)


def _read(files: Sequence[Path]) -> _Counted:
    """What `_Race.run` gives, from JSON files of `evaluate`."""
    read = [_parsed(path) for path in files]
    classes, split, rows = read[0]
    images = tuple(sorted(rows))
    for path, (names, _, others) in zip(files, read, strict=True):
        both = f"{files[0]} and {path}"
        if names != classes:
            raise DataError(f"{both} score different classes: give the models and --data instead")
        if odd := rows.keys() ^ others.keys():
            raise DataError(f"{both} score different images ({first(sorted(odd))}): evaluate both on one split")
        if odd := {name for name in images if (rows[name][1] != others[name][1]).any()}:
            raise DataError(f"{both} differ in the truth of {first(sorted(odd))}: evaluate both on the same masks")
    return classes, split, images, np.array([[others[name] for name in images] for _, _, others in read])


def _parsed(path: Path) -> tuple[tuple[str, ...], str, dict[str, Counts]]:
    """Classes, split and by image the counts (3, C) of one file."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        by_image = {
            row["image"]: np.array([row[key] for key in PER_IMAGE], np.int64) for row in raw["mean_iou_by_image"]
        }
        if not by_image or any(counts.shape != (3, len(raw["classes"])) for counts in by_image.values()):
            raise ValueError("not three numbers a class")
        return tuple(raw["classes"]), str(raw["split"]), by_image
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; give a file of evaluate --json") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: does not hold the counts of every image ({type(error).__name__}: {error}); write it anew with "
            "evaluate --json, or give the models and --data"
        ) from error


def _write_page(folder: Path, found: Comparison, race: _Race) -> None:
    """compare.json and compare.html, with the images on which the models' own mean IoU lies furthest apart."""
    found.write_json(folder / "compare.json")
    own = np.array([[_mean(row) for row in iou_of(counts.astype(np.float64))] for counts in found.counts])  # (M, N)
    spread = np.nan_to_num(own.max(0) - own.min(0))
    pictures = []
    for at in np.argsort(-spread, kind="stable")[:PICTURES].tolist():
        path, truth, labels = race.look(found.split, at)
        rgb = read_rgb(path)
        painted = [paint(rgb, part, race.classes.palette, 0.7) for part in (truth, *labels)]
        figures = [f"{name} {value:.3f}" for name, value in zip(found.models, own[:, at], strict=True)]
        panels = list(zip(("image", "truth", *figures), (rgb, *painted), strict=True))
        present = np.unique([truth, *labels]).tolist()
        pictures.append(
            (
                f"{found.images[at]}: mean IoU {', '.join(figures)}",
                side_by_side(panels, race.classes, present, side=SIDE),
            )
        )
    write_gallery(
        folder / "compare.html",
        title=f"{', '.join(found.models)} on {found.split}",
        lead=[*found.verdicts(), *found.notes],
        facts=[
            ("Data", f"{race.dataset.root} ({race.dataset.format})"),
            ("Images", f"{len(found.images)} of {found.split}"),
        ],
        tables=[
            ("Mean IoU and IoU by class", *found.table()),
        ],
        pictures=pictures,
    )


def _mean(values: Figures) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else math.nan


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _behind(lead: Difference) -> str:
    if math.isnan(lead.low):
        return ""
    sure = "" if lead.shown else " not shown"
    return f", {-100 * lead.value:+.1f} ({-100 * lead.high:+.1f} to {-100 * lead.low:+.1f}){sure}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)


def _as_dict(lead: Difference) -> dict[str, object]:
    return {
        "difference": _number(lead.value),
        "interval_95": [_number(lead.low), _number(lead.high)],
        "draws_of_other_sign": _number(lead.flips),
        "real": lead.shown,
    }
