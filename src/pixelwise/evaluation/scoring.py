"""A model against a data set: one pooled confusion matrix over whole images."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.alpha import ALPHA_LEVELS
from pixelwise.datasets.object_truth import read_objects
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.errors import ConfigError, DataError, ImageError
from pixelwise.evaluation.class_match import ClassMatch, match_classes
from pixelwise.evaluation.data_options import (
    describe_training_images,
    drop_broken_pairs,
    training_data_options,
)
from pixelwise.evaluation.object_rule import ObjectRule
from pixelwise.evaluation.out_of_fold import describe_ensemble, hold_out_images
from pixelwise.evaluation.report import write_evaluation_page
from pixelwise.evaluation.result import Evaluation, MetricAccumulator
from pixelwise.inference.cutouts import soft_alpha
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.io.images import Array, void_invalid
from pixelwise.metrics.bootstrap import PerImage, bootstrap
from pixelwise.metrics.confusion import ConfusionMatrix, Counts, Figures
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress


@dataclass(frozen=True)
class ScoringTask:
    """How the images of a split are scored, whoever does it."""

    split: str
    read_labels: Callable[[Path], Array]
    classes: ClassMatch
    temperature: float | None
    objects: ObjectRule | None = None
    read_alpha: Callable[[Path], Array] | None = None
    """Reads levels of alpha, of the last of the shared classes."""


class ScoringExecutor(Protocol):
    """Measures images: in this process or on a cluster."""

    def measure(
        self,
        predictor: Predictor,
        task: ScoringTask,
        pairs: Sequence[Pair],
        *,
        progress: Progress,
    ) -> Iterator[MetricAccumulator]:
        """The metrics of each pair, in the order of the pairs."""


class LocalExecutor:
    """One image after another in this process."""

    def measure(
        self,
        predictor: Predictor,
        task: ScoringTask,
        pairs: Sequence[Pair],
        *,
        progress: Progress,
    ) -> Iterator[MetricAccumulator]:
        """As `ScoringExecutor.measure`."""
        what = f"evaluating {task.split}"
        for pair in progress.track(pairs, what=what, total=len(pairs)):
            yield evaluate_image(predictor, task, pair)


def evaluate(  # noqa: PLR0913  `help` and completion list each
    model: str | Path | Predictor,
    data: str | Path,
    *,
    split: str | None = None,
    options: DataOptions | None = None,
    report: str | Path | None = None,
    temperature: float | None = None,
    objects: bool = False,
    split_touching: bool = False,
    executor: ScoringExecutor | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> Evaluation:
    """Score a model on the split `split` of the folder `data` (test where there is one, val
    otherwise; all for all of them together).

    The data is split and read as for the model's training, but for `reading`, fields of
    DataOptions, or as `options` has it. Classes are matched by
    name: the model is scored on those it knows, all other pixels are void, and the notes say so.
    With `report`, a folder, an HTML page with pictures is written. With `temperature` it is also
    measured how well calibrated the model is when its logits are divided by it (see
    `find_temperature`). With `objects` true and predicted ones are matched and counted, parted
    as `predict` does with `split_touching`. `executor` measures the images, by default in this
    process. Raises ModelError where no class is shared, ConfigError as `ObjectRule.of`.
    """
    if split_touching and not objects:
        raise ConfigError("split_touching is for objects: add objects, or leave it out")
    progress = progress or default_progress()
    predictor = model if isinstance(model, Predictor) else load(model)
    options = options or training_data_options(predictor, **reading)
    dataset = open_dataset(data, options)
    for note in dataset.notes:
        progress.log(note)
    split = dataset.scored(split)
    dataset = drop_broken_pairs(dataset, split, options, progress)
    predictor = hold_out_images(predictor, dataset)
    pairs = dataset.pairs(split)
    for note in (
        *describe_training_images(predictor, dataset, split),
        *describe_ensemble(predictor, pairs),
    ):
        progress.log(note)
    result = score(
        predictor,
        dataset,
        pairs,
        split=split,
        temperature=temperature,
        make_rule=partial(ObjectRule.of, split=split_touching) if objects else None,
        executor=executor,
        progress=progress,
    )
    if report is not None:
        # Beside the page, as `compare` reads what the page cannot hold.
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
    make_rule: Callable[[Classes], ObjectRule] | None = None,
    executor: ScoringExecutor | None = None,
    progress: Progress,
) -> Evaluation:
    """As `evaluate`, on `pairs` of an open data set, which are called `split`; `make_rule` says
    which of the shared classes are of objects.
    """
    classes = log_class_match(predictor.classes, dataset, pairs, split, progress)
    rule = make_rule and make_rule(classes.classes)
    task = ScoringTask(split, dataset.read_labels, classes, temperature, rule, dataset.read_alpha)
    executor = executor or LocalExecutor()
    measures = executor.measure(predictor, task, pairs, progress=progress)
    names = [pair.name for pair in pairs]
    result = summarize(measures, classes, split, names)
    for note in result.notes[len(classes.notes) :]:
        progress.log(note)
    reading = result.metrics.reading.line()
    if reading:
        progress.log(reading)
    return result


def log_class_match(
    model: Classes,
    dataset: DataSet,
    pairs: Sequence[Pair],
    split: str,
    progress: Progress,
) -> ClassMatch:
    """The classes that count, logged with those that do not. Raises ModelError as
    `match_classes`.
    """
    classes = match_classes(model, dataset.classes, by_tree=True)
    progress.log(f"scoring the {len(pairs)} images of {split}")
    for note in classes.notes:
        progress.log(note)
    return classes


def evaluate_image(predictor: Predictor, task: ScoringTask, pair: Pair) -> MetricAccumulator:
    """The metrics of one image, whose mask the task's `read_labels` reads. Raises ImageError where
    one cannot be read or sizes differ.
    """
    classes = task.classes
    # Logits take 2 bytes a class and pixel: they are only asked for where they are used.
    scores = "probabilities" if task.read_alpha is not None else None
    if task.temperature is not None:
        scores = "logits"
    prediction = predictor.predict(pair.image, scores=scores)
    truth = classes.truth(task.read_labels, pair, prediction.labels.shape, prediction.valid)
    labels = classes.from_model[prediction.labels]
    metrics = MetricAccumulator.create(
        len(classes.classes),
        task.temperature,
        objects=task.objects is not None,
        alpha=task.read_alpha is not None,
    )
    metrics.update(truth, labels, prediction)
    if task.read_alpha is not None and metrics.alpha is not None:
        person = classes.from_model == len(classes.classes) - 1
        true_alpha = task.read_alpha(pair.mask) / ALPHA_LEVELS
        metrics.alpha.update(true_alpha, soft_alpha(prediction, person), truth != VOID)
    if task.objects is not None and metrics.objects is not None:
        ids = read_objects(task.read_labels, pair.mask)
        if ids is not None and ids.shape != truth.shape:
            raise ImageError(
                f"{pair.mask}: {truth.shape} pixels, but its objects have {ids.shape} (height, "
                "width); save both at one size"
            )
        task.objects.count(metrics.objects, ids, truth, labels)
    return metrics


def count_by_image(
    predictor: Predictor,
    dataset: DataSet,
    pairs: Sequence[Pair],
    progress: Progress,
    what: str = "evaluating val",
) -> Counts:
    """(N, 3, C) pixels right, true and predicted of each of `pairs`, as in PerImage, of a model
    whose classes are those of the data.
    """
    images = PerImage(len(dataset.classes))
    for pair in progress.track(pairs, what=what, total=len(pairs)):
        result = predictor.predict(pair.image)
        truth = void_invalid(dataset.read_labels(pair.mask), result.valid)
        matrix = ConfusionMatrix(len(dataset.classes))
        images.add(matrix.update(torch.from_numpy(truth), torch.from_numpy(result.labels)))
    return images.counts()


def summarize(
    results: Iterable[MetricAccumulator],
    classes: ClassMatch,
    split: str,
    names: Sequence[str],
) -> Evaluation:
    """The figures that follow from the metrics of each of the images `names`, in their order.
    Raises DataError where all of them are void.
    """
    # Merged in order, whoever measured: sums of floats depend on it in their last bits.
    metrics = _merge_all(results)
    if metrics is None or not metrics.confusion.counts.sum():
        raise DataError(f"every pixel of {split} is void: there is nothing to score")
    present = [
        name
        for name, pixels in zip(classes.classes.names, metrics.confusion.counts.sum(1), strict=True)
        if pixels
    ]
    if len(present) == 1:
        alone = f"only {present[0]} is in the masks of {split}: the mean says nothing of the others"
        classes = replace(classes, notes=(*classes.notes, alone))
    mean_interval, class_intervals = bootstrap(metrics.images)
    by_image = zip(names, metrics.images.mean_iou().tolist(), strict=True)
    worst_first = sorted(by_image, key=_rank_image)
    low, high = mean_interval
    return Evaluation(
        metrics.confusion.scores(),
        classes,
        split,
        metrics,
        mean_iou_interval=(float(low), float(high)),
        iou_intervals=_as_pairs(class_intervals),
        by_image=tuple(worst_first),
        counts=dict(zip(names, metrics.images.counts(), strict=True)),
    )


def _as_pairs(intervals: Figures) -> tuple[tuple[float, float], ...]:
    """Low and high by class, of (2, C)."""
    return tuple((float(low), float(high)) for low, high in intervals.T)


def _rank_image(image: tuple[str, float]) -> tuple[bool, float]:
    """By mean IoU; images without any, all void, come last."""
    _, mean_iou = image
    return math.isnan(mean_iou), mean_iou


def _merge_all(results: Iterable[MetricAccumulator]) -> MetricAccumulator | None:
    """One after another into the first, so that one set of counts lives at a time."""
    merged = None
    for result in results:
        if merged is None:
            merged = result
        else:
            merged.merge(result)
    return merged
