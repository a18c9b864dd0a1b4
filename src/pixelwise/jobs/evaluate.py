"""A model against a data set: one pooled confusion matrix over whole images."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from pixelwise.data.build import open_dataset
from pixelwise.data.sample import DataOptions, DataSet
from pixelwise.errors import DataError, ImageError, ModelError
from pixelwise.files import write_text
from pixelwise.images import Array, read_rgb
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.monitor import Monitor
from pixelwise.reports.page import write_report
from pixelwise.reports.samples import draw_samples
from pixelwise.tasks.intervals import PerImage, bootstrap
from pixelwise.tasks.labels import VOID, Classes
from pixelwise.tasks.metrics import ConfusionMatrix, Counts, Scores

SAMPLES = 8
PER_IMAGE = ("right", "true", "predicted")
"""Pixels by class that the JSON file holds of each image, for `compare`."""


@dataclass(frozen=True)
class Evaluation:
    """Scores over the classes that model and data set share, and what was evaluated."""

    scores: Scores
    classes: Classes
    split: str
    notes: tuple[str, ...]
    mean_iou_interval: tuple[float, float] = (float("nan"), float("nan"))
    iou_intervals: tuple[tuple[float, float], ...] = ()
    by_image: tuple[tuple[str, float], ...] = ()
    counts: Mapping[str, Counts] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """JSON values: those of Scores, with 95 % intervals, each image's mean IoU (worst first), split and notes."""
        bounds = zip(self.classes.names, self.iou_intervals, strict=False)
        return {
            **self.scores.as_dict(self.classes.names),
            "mean_iou_95": _numbers(self.mean_iou_interval),
            "iou_95": {name: _numbers(pair) for name, pair in bounds},
            "mean_iou_by_image": [
                {"image": name, "mean_iou": _numbers((value,)), **dict(zip(PER_IMAGE, counts, strict=True))}
                for name, value in self.by_image
                for counts in [self.counts[name].tolist()]
            ],
            "split": self.split,
            "notes": list(self.notes),
        }

    def write_json(self, path: Path) -> None:
        """Write `as_dict` as a JSON file, each list of whole numbers on one line."""
        text = json.dumps(self.as_dict(), indent=2)
        write_text(path, re.sub(r"\[[\s\d,]+\]", lambda found: "".join(found[0].split()), text) + "\n")


def _numbers(values: tuple[float, ...]) -> list[float | None] | float | None:
    """Rounded for JSON, null for NaN; a single figure stands alone."""
    rounded = [None if math.isnan(value) else round(value, 6) for value in values]
    return rounded if len(rounded) > 1 else rounded[0]


@dataclass(frozen=True)
class Shared:
    """The classes that model and data set have by the same name, and how each side's ids become ids of these."""

    classes: Classes
    from_data: Array
    from_model: Array
    notes: tuple[str, ...]


def evaluate(
    model: str | Path | Predictor,
    data: str | Path,
    *,
    split: str | None = None,
    options: DataOptions | None = None,
    report: str | Path | None = None,
    monitor: Monitor | None = None,
) -> Evaluation:
    """Score a model on the split `split` of the folder `data` (test where there is one, val otherwise).

    Classes are matched by name: the model is scored on those it knows, all other pixels are void, and the notes say so.
    With `report`, a folder, an HTML page with pictures is written. Raises ModelError where no class is shared.
    """
    monitor = monitor or Monitor()
    predictor = model if isinstance(model, Predictor) else load(model)
    dataset = open_dataset(data, options or DataOptions())
    split = split or ("test" if "test" in dataset.splits else "val")
    shared = match(predictor.classes, dataset.classes)
    pairs = dataset.pairs(split)
    for note in (*dataset.notes, f"scoring the {len(pairs)} images of {split}", *shared.notes):
        monitor.line(note)
    confusion, images = ConfusionMatrix(len(shared.classes)), PerImage(len(shared.classes))
    for pair in monitor.track(pairs, what=f"evaluating {split}", total=len(pairs)):
        truth = shared.from_data[dataset.read_labels(pair.mask)]
        labels = shared.from_model[predictor.predict(pair.image).labels]
        if truth.shape != labels.shape:
            raise ImageError(f"{pair.image}: {labels.shape} pixels, but its mask has {truth.shape} (height, width)")
        images.add(confusion.update(torch.from_numpy(truth), torch.from_numpy(labels)))
    if not confusion.counts.sum():
        raise DataError(f"every pixel of {split} is void: there is nothing to score")
    result = _result(confusion, images, shared, split, [pair.name for pair in pairs])
    if report is not None:
        _write_report(Path(report), result, predictor, dataset, shared)
    return result


def _result(confusion: ConfusionMatrix, images: PerImage, shared: Shared, split: str, names: list[str]) -> Evaluation:
    mean, by_class = bootstrap(images)
    rated = zip(names, images.mean_iou().tolist(), strict=True)
    return Evaluation(
        confusion.scores(),
        shared.classes,
        split,
        shared.notes,
        mean_iou_interval=(float(mean[0]), float(mean[1])),
        iou_intervals=tuple((float(low), float(high)) for low, high in by_class.T),
        by_image=tuple(sorted(rated, key=lambda pair: (math.isnan(pair[1]), pair[1]))),
        counts=dict(zip(names, images.counts(), strict=True)),
    )


def match(model: Classes, data: Classes) -> Shared:
    """The classes by name; all else is void. Raises ModelError where no name is in both."""
    names = tuple(name for name in data.names if name in model.names)
    if not names:
        raise ModelError(
            f"model and data share no class name: the model knows {', '.join(model.names)}; the data has "
            f"{', '.join(data.names)}; rename them in the data's classes.txt"
        )
    unknown = [name for name in data.names if name not in names]
    extra = [name for name in model.names if name not in names]
    notes = []
    if unknown:
        notes.append(f"the model does not know {', '.join(unknown)}: their pixels are void")
    if extra:
        notes.append(f"the data has no {', '.join(extra)}: pixels predicted so are counted as wrong")
    palette = tuple(data.palette[data.names.index(name)] for name in names)
    return Shared(Classes(names, palette), _lookup(data.names, names), _lookup(model.names, names), tuple(notes))


def _lookup(names: tuple[str, ...], shared: tuple[str, ...]) -> Array:
    table = np.full(256, VOID, dtype=np.uint8)
    for label, name in enumerate(names):
        if name in shared:
            table[label] = shared.index(name)
    return table


def _write_report(folder: Path, result: Evaluation, predictor: Predictor, dataset: DataSet, shared: Shared) -> None:
    pairs = {pair.name: pair for pair in dataset.pairs(result.split)}
    rated = [(name, value) for name, value in result.by_image if not math.isnan(value)]
    picked = dict([*rated[: SAMPLES // 2], *rated[-(SAMPLES // 2) :]])
    shown = [pairs[name] for name in picked]
    rows = [
        (
            read_rgb(pair.image),
            shared.from_data[dataset.read_labels(pair.mask)],
            shared.from_model[predictor.predict(pair.image).labels],
        )
        for pair in shown
    ]
    draw_samples(
        rows,
        folder / "samples.png",
        shared.classes,
        [f"{name}: mean IoU {value:.3f}" for name, value in picked.items()],
    )
    result.write_json(folder / "scores.json")
    facts = [("Data", f"{dataset.root} ({dataset.format})"), ("Split", f"{result.split}, {len(pairs)} images")]
    low, high = result.mean_iou_interval
    facts.append(
        ("Mean IoU", f"{result.scores.mean_iou:.4f}; 95 % interval {low:.4f} to {high:.4f}, by bootstrap over images")
    )
    pictures = [("The images of the lowest, then of the highest mean IoU of their own", folder / "samples.png")]
    scores = result.scores.as_dict(shared.classes.names)
    title = f"Evaluation on {result.split}"
    write_report(folder / "report.html", title=title, facts=facts, scores=scores, pictures=pictures, notes=result.notes)
