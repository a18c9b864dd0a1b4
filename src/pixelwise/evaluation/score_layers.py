"""A model of overlapping classes against a data set: each class by itself, over all pixels."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from pixelwise.classes import Classes
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet, Pair, first
from pixelwise.errors import ConfigError, ImageError, ModelError
from pixelwise.evaluation.data_options import (
    describe_training_images,
    drop_broken_pairs,
    training_data_options,
)
from pixelwise.evaluation.layer_result import LayerEvaluation
from pixelwise.evaluation.out_of_fold import describe_ensemble, hold_out_images
from pixelwise.evaluation.report import write_evaluation_page
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.io.images import Array, void_invalid
from pixelwise.metrics.bootstrap import PerImage, bootstrap
from pixelwise.metrics.confusion import Counts
from pixelwise.metrics.layer_counts import LayerCounts
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress


def evaluate_layers(
    model: str | Path | Sequence[str | Path] | LayerPredictor,
    data: str | Path,
    *,
    split: str | None = None,
    options: DataOptions | None = None,
    report: str | Path | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> LayerEvaluation:
    """Score a model of overlapping classes on the split `split` of the folder `data`, as `evaluate`
    scores others.

    Each class is scored by itself over all pixels that are not void. Classes are matched by name.
    With `report`, a folder, an HTML page with pictures is written. Raises ModelError for a model of
    one class a pixel and where no class is shared.
    """
    progress = progress or default_progress()
    predictor = model if isinstance(model, LayerPredictor) else _load(model)
    options = options or training_data_options(predictor, **reading)
    dataset = open_dataset(data, options, layers=True)
    for note in dataset.notes:
        progress.log(note)
    split = dataset.scored(split)
    dataset = drop_broken_pairs(dataset, split, options, progress)
    predictor = _check_layers(hold_out_images(predictor, dataset), model)
    for note in (
        *describe_training_images(predictor, dataset, split),
        *describe_ensemble(predictor, dataset.pairs(split)),
    ):
        progress.log(note)
    result = score_layers(predictor, dataset, dataset.pairs(split), split=split, progress=progress)
    if report is not None:
        result.write_json(Path(report) / "scores.json")
        write_evaluation_page(Path(report) / "report.html", result, predictor, dataset)
    return result


def _load(model: str | Path | Sequence[str | Path]) -> LayerPredictor:
    return _check_layers(load(model, layers=True), model)


def _check_layers(predictor: Predictor, model: object) -> LayerPredictor:
    if not isinstance(predictor, LayerPredictor):
        raise ModelError(f"model {model}: has one class a pixel; score it with `evaluate`")
    return predictor


def score_layers(
    predictor: LayerPredictor,
    dataset: DataSet,
    pairs: Sequence[Pair],
    *,
    split: str,
    progress: Progress,
) -> LayerEvaluation:
    """As `evaluate_layers`, on `pairs` of an open data set, which are called `split`."""
    shared, notes = _match(predictor.classes, dataset)
    progress.log(f"scoring the {len(pairs)} images of {split}")
    for note in notes:
        progress.log(note)
    ours = [predictor.classes.names.index(name) for name in shared.names]
    theirs = [dataset.classes.names.index(name) for name in shared.names]
    counts = LayerCounts(len(shared))
    images = PerImage(len(shared))
    for pair in progress.track(pairs, what=f"evaluating {split}", total=len(pairs)):
        added = count_layers(predictor, dataset.read_labels, pair, ours=ours, theirs=theirs)
        images.add_row(added.counts[:3])
        counts.merge(added)
    mean_interval, class_intervals = bootstrap(images)
    names = [pair.name for pair in pairs]
    by_image = zip(names, images.mean_iou().tolist(), strict=True)
    low, high = mean_interval
    return LayerEvaluation(
        counts.scores(),
        shared,
        split,
        tuple(predictor.thresholds[number] for number in ours),
        notes,
        mean_iou_interval=(float(low), float(high)),
        iou_intervals=tuple((float(low), float(high)) for low, high in class_intervals.T),
        by_image=tuple(sorted(by_image, key=lambda row: (row[1] != row[1], row[1]))),
        counts=dict(zip(names, images.counts(), strict=True)),
    )


def count_layers(
    predictor: LayerPredictor,
    read_layers: Callable[[Path], Array],
    pair: Pair,
    *,
    ours: Sequence[int] | slice = slice(None),
    theirs: Sequence[int] | slice = slice(None),
) -> LayerCounts:
    """The counts of one image: of the model's classes `ours`, which are the data's `theirs`. Raises
    ImageError where sizes differ.
    """
    prediction = predictor.predict_layers(pair.image)
    truth = void_invalid(read_layers(pair.mask), prediction.valid)[theirs]
    layers = prediction.layers[ours]
    if truth.shape != layers.shape:
        raise ImageError(
            f"{pair.image}: {layers.shape[1:]} pixels, but its layers have {truth.shape[1:]} "
            "(height, width)"
        )
    counts = LayerCounts(len(layers))
    counts.update(torch.from_numpy(truth), torch.from_numpy(layers))
    return counts


def count_layers_by_image(
    predictor: LayerPredictor,
    dataset: DataSet,
    pairs: Sequence[Pair],
    progress: Progress,
    what: str,
) -> Counts:
    """(N, 3, C) pixels right, true and predicted of each of `pairs`, of a model whose classes are
    those of the data.
    """
    images = PerImage(len(dataset.classes))
    for pair in progress.track(pairs, what=what, total=len(pairs)):
        images.add_row(count_layers(predictor, dataset.read_labels, pair).counts[:3])
    return images.counts()


def _match(model: Classes, dataset: DataSet) -> tuple[Classes, tuple[str, ...]]:
    """The classes that both have, and what is to be said of the others."""
    if not dataset.multilabel:
        raise ConfigError(
            "the model's classes overlap, and the data is read with one class a pixel: read it "
            "with multilabel"
        )
    data = dataset.classes
    shared = tuple(name for name in data.names if name in model.names)
    if not shared:
        raise ModelError(
            f"the model knows {first(model.names)}, and the data has {first(data.names)}: no class "
            "has the same name in both"
        )
    palette = tuple(data.palette[data.names.index(name)] for name in shared)
    notes = []
    for who, names in (("the model", model.names), ("the data", data.names)):
        others = [name for name in names if name not in shared]
        if others:
            notes.append(f"left out, as only {who} has them: {first(others)}")
    return Classes(shared, palette), tuple(notes)
