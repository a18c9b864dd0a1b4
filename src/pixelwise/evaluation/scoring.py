"""A model against a data set: one pooled confusion matrix over whole images."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pixelwise.classes import Classes
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.errors import DataError
from pixelwise.evaluation.class_match import ClassMatch, match_classes
from pixelwise.evaluation.data_options import drop_broken_pairs, training_data_options
from pixelwise.evaluation.report import write_evaluation_page
from pixelwise.evaluation.result import Evaluation, MetricAccumulator
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
    options = options or training_data_options(predictor, **reading)
    dataset = open_dataset(data, options)
    for note in dataset.notes:
        progress.log(note)
    split = dataset.scored(split)
    dataset = drop_broken_pairs(dataset, split, options, progress)
    pairs = dataset.pairs(split)
    result = (scorer or score)(
        predictor, dataset, pairs, split=split, temperature=temperature, progress=progress
    )
    if report is not None:
        result.write_json(Path(report) / "scores.json")
        write_evaluation_page(Path(report) / "report.html", result, predictor, dataset)
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
    classes = log_class_match(predictor.classes, dataset, pairs, split, progress)
    results = (
        evaluate_image(predictor, dataset.read_labels, classes, temperature, pair) for pair in pairs
    )
    tracked = progress.track(results, what=f"evaluating {split}", total=len(pairs))
    return summarize(tracked, classes, split, [pair.name for pair in pairs])


def log_class_match(
    model: Classes, dataset: DataSet, pairs: Sequence[Pair], split: str, progress: Progress
) -> ClassMatch:
    """The classes that count, logged with those that do not. Raises ModelError as
    `match_classes`.
    """
    classes = match_classes(model, dataset.classes)
    progress.log(f"scoring the {len(pairs)} images of {split}")
    for note in classes.notes:
        progress.log(note)
    return classes


def evaluate_image(
    predictor: Predictor,
    read_labels: Callable[[Path], Array],
    classes: ClassMatch,
    temperature: float | None,
    pair: Pair,
) -> MetricAccumulator:
    """The metrics of one image, whose mask `read_labels` reads. Raises ImageError where one cannot
    be read or sizes differ.
    """
    prediction = predictor.predict(pair.image, scores=None if temperature is None else "logits")
    truth = classes.truth(read_labels, pair, prediction.labels.shape)
    metrics = MetricAccumulator.create(len(classes.classes), temperature)
    metrics.update(truth, classes.from_model[prediction.labels], prediction)
    return metrics


def summarize(
    results: Iterable[MetricAccumulator], classes: ClassMatch, split: str, names: Sequence[str]
) -> Evaluation:
    """The figures that follow from the metrics of each of the images `names`, in their order.
    Raises DataError where all of them are void.
    """
    metrics = _merge_all(results)
    if metrics is None or not metrics.confusion.counts.sum():
        raise DataError(f"every pixel of {split} is void: there is nothing to score")
    mean_interval, class_intervals = bootstrap(metrics.images)
    by_image = zip(names, metrics.images.mean_iou().tolist(), strict=True)
    return Evaluation(
        metrics.confusion.scores(),
        classes,
        split,
        metrics,
        mean_iou_interval=(float(mean_interval[0]), float(mean_interval[1])),
        iou_intervals=tuple((float(low), float(high)) for low, high in class_intervals.T),
        by_image=tuple(sorted(by_image, key=lambda image: (math.isnan(image[1]), image[1]))),
        counts=dict(zip(names, metrics.images.counts(), strict=True)),
    )


def _merge_all(results: Iterable[MetricAccumulator]) -> MetricAccumulator | None:
    """One after another into the first, so that one set of counts lives at a time."""
    merged = None
    for result in results:
        if merged is None:
            merged = result
        else:
            merged.merge(result)
    return merged
