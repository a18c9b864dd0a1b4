"""A model against a data set: one pooled confusion matrix over whole images."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.registry import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.errors import DataError, ModelError
from pixelwise.evaluation.data_options import as_trained, readable
from pixelwise.evaluation.report import evaluation_page
from pixelwise.evaluation.result import Evaluation, Measures, Shared
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.io.images import Array
from pixelwise.metrics.bootstrap import bootstrap
from pixelwise.progress import Progress


def evaluate(
    model: str | Path | Predictor,
    data: str | Path,
    *,
    split: str | None = None,
    options: DataOptions | None = None,
    report: str | Path | None = None,
    temperature: float | None = None,
    scorer: Callable[..., Evaluation] | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> Evaluation:
    """Score a model on the split `split` of the folder `data` (test where there is one, val
    otherwise).

    The data is split and read as for the model's training, but for `reading`, fields of
    DataOptions, or as `options` has it. Classes are matched by
    name: the model is scored on those it knows, all other pixels are void, and the notes say so.
    With `report`, a folder, an HTML page with pictures is written. With `temperature` it is also
    measured how well calibrated the model is when its logits are divided by it (see
    `find_temperature`). `scorer` does the work in place of `score`. Raises ModelError where no
    class is shared.
    """
    progress = progress or Progress()
    predictor = model if isinstance(model, Predictor) else load(model)
    options = options or as_trained(predictor, **reading)
    dataset = open_dataset(data, options)
    for note in dataset.notes:
        progress.log(note)
    split = dataset.scored(split)
    dataset = readable(dataset, split, options, progress)
    pairs = dataset.pairs(split)
    result = (scorer or score)(
        predictor, dataset, pairs, split=split, temperature=temperature, progress=progress
    )
    if report is not None:
        result.write_json(Path(report) / "scores.json")
        evaluation_page(Path(report) / "report.html", result, predictor, dataset)
    return result


def score(
    predictor: Predictor,
    dataset: DataSet,
    pairs: Sequence[Pair],
    *,
    split: str,
    temperature: float | None = None,
    progress: Progress,
) -> Evaluation:
    """As `evaluate`, on `pairs` of an open data set, which are called `split`."""
    shared = announced(predictor.classes, dataset, pairs, split, progress)
    each = (measured(predictor, dataset.read_labels, shared, temperature, pair) for pair in pairs)
    return concluded(
        progress.track(each, what=f"evaluating {split}", total=len(pairs)),
        shared,
        split,
        [pair.name for pair in pairs],
    )


def announced(
    model: Classes, dataset: DataSet, pairs: Sequence[Pair], split: str, progress: Progress
) -> Shared:
    """The classes that count, said with what does not. Raises ModelError as `match`."""
    shared = match(model, dataset.classes)
    for note in (f"scoring the {len(pairs)} images of {split}", *shared.notes):
        progress.log(note)
    return shared


def measured(
    predictor: Predictor,
    read_labels: Callable[[Path], Array],
    shared: Shared,
    temperature: float | None,
    pair: Pair,
) -> Measures:
    """Of an image whose mask `read_labels` reads. Raises ImageError where one cannot be read or
    sizes differ.
    """
    found = predictor.predict(pair.image, scores=None if temperature is None else "logits")
    truth = shared.truth(read_labels, pair, found.labels.shape)
    measures = Measures.of(len(shared.classes), temperature)
    measures.add(truth, shared.from_model[found.labels], found)
    return measures


def concluded(
    each: Iterable[Measures], shared: Shared, split: str, names: Sequence[str]
) -> Evaluation:
    """The figures that follow from the measures of each of the images `names`, in their order.
    Raises DataError where all of them are void.
    """
    measures = None
    for one in each:
        if measures is None:
            measures = one
        else:
            measures.join(one)
    if measures is None or not measures.confusion.counts.sum():
        raise DataError(f"every pixel of {split} is void: there is nothing to score")
    mean, by_class = bootstrap(measures.images)
    rated = zip(names, measures.images.mean_iou().tolist(), strict=True)
    return Evaluation(
        measures.confusion.scores(),
        shared,
        split,
        measures,
        mean_iou_interval=(float(mean[0]), float(mean[1])),
        iou_intervals=tuple((float(low), float(high)) for low, high in by_class.T),
        by_image=tuple(sorted(rated, key=lambda pair: (math.isnan(pair[1]), pair[1]))),
        counts=dict(zip(names, measures.images.counts(), strict=True)),
    )


def match(model: Classes, data: Classes, *, called: str = "model") -> Shared:
    """The classes by name; all else is void. Raises ModelError where no name is in both."""
    names = tuple(name for name in data.names if name in model.names)
    if not names:
        raise ModelError(
            f"{called} and data share no class name: the model knows "
            f"{', '.join(model.names)}; the data has "
            f"{', '.join(data.names)}; rename them in the data's classes.txt"
        )
    unknown = [name for name in data.names if name not in names]
    extra = [name for name in model.names if name not in names]
    notes = []
    if unknown:
        notes.append(f"the model does not know {', '.join(unknown)}: their pixels are void")
    if extra:
        notes.append(
            f"the data has no {', '.join(extra)}: pixels predicted so are counted as wrong"
        )
    palette = tuple(data.palette[data.names.index(name)] for name in names)
    return Shared(
        Classes(names, palette),
        _lookup(data.names, names),
        _lookup(model.names, names),
        tuple(notes),
    )


def _lookup(names: tuple[str, ...], shared: tuple[str, ...]) -> Array:
    table = np.full(256, VOID, dtype=np.uint8)
    for label, name in enumerate(names):
        if name in shared:
            table[label] = shared.index(name)
    return table
