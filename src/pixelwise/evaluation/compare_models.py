"""Several models on the same images: which is better, and whether the difference is more than
chance of the images.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from markupsafe import Markup

from pixelwise.classes import Classes
from pixelwise.datasets.class_tree import join_trees
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import ConfigError
from pixelwise.evaluation.class_match import match_classes
from pixelwise.evaluation.comparison import Comparison, ImageCounts, rank_models
from pixelwise.evaluation.data_options import (
    HEADER_OPTIONS,
    describe_training_images,
    drop_broken_pairs,
    training_data_options,
)
from pixelwise.evaluation.out_of_fold import describe_ensemble, hold_out_images
from pixelwise.evaluation.score_file import read_scores
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor, Result
from pixelwise.io.images import Array, Picture
from pixelwise.io.reading_notes import ReadingSummary
from pixelwise.metrics.bootstrap import PerImage, scores_from_counts
from pixelwise.metrics.confusion import ConfusionMatrix, Figures
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress
from pixelwise.reports.gallery import draw_panels, write_gallery
from pixelwise.reports.interval_chart import Interval, render_intervals
from pixelwise.reports.render import format_percent
from pixelwise.reports.samples import Gallery, Sample

PICTURES = 8
PANEL_SIDE = 720


def compare(
    models: Sequence[str | Path | Predictor],
    data: str | Path | None = None,
    *,
    split: str | None = None,
    options: DataOptions | None = None,
    report: str | Path | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> Comparison:
    """Score two or more models on the same images of `data` and tell which differences are real.

    `split` is test where there is one, val otherwise; all is all of them together. Classes are
    those that all models and the data have; pixels of others are void in the truth and wrong in a
    prediction. `models` may all be JSON files of `evaluate` instead; then `data` is not needed.
    `report` is a folder for a page with the images on which the models differ most. `reading` are
    fields of DataOptions that differ from the first model's training. Raises ConfigError for fewer
    than two models, ModelError where less than two classes are shared, DataError for score files
    that do not fit together.
    """
    progress = progress or default_progress()
    if len(models) < 2:
        raise ConfigError(
            "one model alone cannot be compared: give two or more run folders or model files"
        )
    names = _short_names(models)
    files = _list_score_files(models)
    if files:
        _check_files_suffice(files, models, data=data, split=split, report=report)
        return rank_models(names, read_scores(files))
    if data is None:
        raise ConfigError("on which images? give --data, the folder of images and masks")
    predictors = [model if isinstance(model, Predictor) else load(model) for model in models]
    options = options or training_data_options(predictors[0], **reading)
    dataset = open_dataset(data, options)
    for note in (*dataset.notes, *_describe_other_training(predictors, names)):
        progress.log(note)
    split = dataset.scored(split)
    dataset = drop_broken_pairs(dataset, split, options, progress)
    predictors = [hold_out_images(predictor, dataset) for predictor in predictors]
    for predictor, name in zip(predictors, names, strict=True):
        for note in (
            *describe_training_images(predictor, dataset, split),
            *describe_ensemble(predictor, dataset.pairs(split)),
        ):
            progress.log(f"{name}: {note}")
    labeller = _SharedClassLabeller(predictors, names, dataset)
    scored = _count_pixels(labeller, split, progress)
    if labeller.reading.line():
        progress.log(labeller.reading.line())
    comparison = rank_models(names, scored, labeller.notes)
    if report is not None:
        _write_page(Path(report), comparison, labeller)
    return comparison


def _list_score_files(models: Sequence[str | Path | Predictor]) -> list[Path]:
    files = []
    for model in models:
        if not isinstance(model, Predictor) and Path(model).suffix == ".json":
            files.append(Path(model))
    return files


def _check_files_suffice(
    files: Sequence[Path],
    models: Sequence[str | Path | Predictor],
    *,
    data: str | Path | None,
    split: str | None,
    report: str | Path | None,
) -> None:
    """Raises ConfigError for models among score files, and for options that these cannot serve."""
    if len(files) < len(models):
        raise ConfigError(
            "score files and models are mixed: give all as models, or all as files of "
            "evaluate --json"
        )
    if report is not None:
        raise ConfigError(
            "a report shows pictures, which score files do not hold: give the models and --data"
        )
    if data is not None or split is not None:
        raise ConfigError(
            "score files speak of their own images: leave out --data and --split, or give models"
        )


def _short_names(models: Sequence[str | Path | Predictor]) -> tuple[str, ...]:
    """The last part of each model's path, or the whole where two would be called alike."""
    paths = []
    for number, model in enumerate(models, 1):
        is_open = isinstance(model, Predictor)
        paths.append(f"model {number}" if is_open else str(model))
    short = [Path(path).name for path in paths]
    if len(set(short)) < len(short):
        return tuple(paths)
    return tuple(short)


def _describe_other_training(
    predictors: Sequence[Predictor], names: Sequence[str]
) -> Iterator[str]:
    """A note for each model whose training read its data in another way than the first one's."""
    first, *others = map(training_data_options, predictors)
    for name, options in zip(names[1:], others, strict=True):
        if options != first:
            differing = ", ".join(
                f"{key} {getattr(options, key)}"
                for key in HEADER_OPTIONS
                if getattr(options, key) != getattr(first, key)
            )
            yield (
                f"{name} was trained with {differing}, unlike {names[0]}: where the data has no "
                "splits of its own, it may have learned from images that are scored here"
            )


class _SharedClassLabeller:
    """Labels the images of a data set with several models, in the classes that all share; `notes`
    tell what a model knows more or less of.
    """

    def __init__(
        self,
        predictors: Sequence[Predictor],
        names: Sequence[str],
        dataset: DataSet,
    ) -> None:
        self.dataset = dataset
        tree = join_trees(dataset.classes.tree, *(model.classes.tree for model in predictors))
        data_classes = replace(dataset.classes, tree=tree)
        self.classes = _shared_classes(predictors, names, data_classes)
        self.models = len(predictors)
        self.reading = ReadingSummary()
        self.notes = [
            f"{name}: {note}"
            for predictor, name in zip(predictors, names, strict=True)
            for note in match_classes(predictor.classes, data_classes, by_tree=True).notes
        ]
        self._predictors = predictors
        self._data_match = match_classes(self.classes, data_classes, by_tree=True)
        self._tables = [
            match_classes(predictor.classes, self.classes, by_tree=True).from_model
            for predictor in predictors
        ]

    def label(self, split: str, index: int) -> tuple[Array, Array, list[Array]]:
        """An image (H, W, 3), its truth (H, W) and what each model predicts, in the shared
        classes.
        """
        pair = self.dataset.pairs(split)[index]
        first = self._predictors[0]
        picture = first.read(pair.image)
        self.reading.add(picture.notes)
        rgb = picture.rgb
        truth = self._data_match.truth(self.dataset.read_labels, pair, rgb.shape[:2], picture.valid)
        predictions = [
            table[_predict(predictor, picture, first, pair.image).labels]
            for predictor, table in zip(self._predictors, self._tables, strict=True)
        ]
        return rgb, truth, predictions


def _predict(predictor: Predictor, picture: Picture, reader: Predictor, image: Path) -> Result:
    """What a model predicts of a picture that `reader` has read; by its own rule it is read
    anew.
    """
    same = predictor.rule == reader.rule
    return predictor.predict(picture if same else predictor.read(image))


def _shared_classes(
    predictors: Sequence[Predictor],
    names: Sequence[str],
    classes: Classes,
) -> Classes:
    """Those of `classes` that all models know. Raises ModelError where none is left."""
    for predictor, name in zip(predictors, names, strict=True):
        match = match_classes(predictor.classes, classes, model_name=name, by_tree=True)
        classes = match.classes
    return classes


def _count_pixels(labeller: _SharedClassLabeller, split: str, progress: Progress) -> ImageCounts:
    """Label every image with every model, and count what is right."""
    pairs = labeller.dataset.pairs(split)
    # Only counts are held of each image: labels of all models would not fit into memory.
    size = len(labeller.classes)
    progress.log(f"scoring {labeller.models} models on the {len(pairs)} images of {split}")
    per_model = [PerImage(size) for _ in range(labeller.models)]
    indices = range(len(pairs))
    for index in progress.track(indices, what=f"comparing on {split}", total=len(pairs)):
        _, truth, predictions = labeller.label(split, index)
        for per_image, labels in zip(per_model, predictions, strict=True):
            matrix = ConfusionMatrix(size)
            counts = matrix.update(torch.from_numpy(truth), torch.from_numpy(labels))
            per_image.add(counts)
    return ImageCounts(
        labeller.classes.names,
        split,
        tuple(pair.name for pair in pairs),
        np.stack([per_image.counts() for per_image in per_model]),
    )


def _write_page(folder: Path, comparison: Comparison, labeller: _SharedClassLabeller) -> None:
    """compare.json and compare.html, with the images on which the models' own mean IoU lies
    furthest apart.
    """
    comparison.write_json(folder / "compare.json")
    # An image's own mean IoU counts its rarest class as much as any: it shows more of a difference
    # than the share of pixels right.
    own_iou = scores_from_counts(comparison.counts)[..., 0]  # (M, N)
    samples = []
    for index in _rank_by_spread(own_iou)[:PICTURES]:
        samples.append(_draw_sample(comparison, labeller, own_iou[:, index], index))
    write_gallery(
        folder / "compare.html",
        title=f"{', '.join(comparison.models)} on {comparison.split}",
        verdicts=comparison.verdicts(),
        charts=_draw_intervals(comparison),
        lead=comparison.notes,
        facts=[
            ("Data", f"{labeller.dataset.root} ({labeller.dataset.format})"),
            ("Images", f"{len(comparison.images)} of {comparison.split}"),
        ],
        tables=[("Mean IoU and IoU by class", *comparison.table())],
        gallery=Gallery.of(labeller.classes, samples),
    )


def _draw_intervals(comparison: Comparison) -> list[tuple[str, Markup]]:
    """A chart for each model behind the best: by how much it lies behind, in points."""
    names = ("mean IoU", *comparison.classes)
    charts = []
    for model, (lead, by_class) in comparison.behind.items():
        intervals = [
            Interval(name, one.value, one.low, one.high, one.significant)
            for name, one in zip(names, (lead, *by_class), strict=True)
            if not math.isnan(one.low)
        ]
        if intervals:
            best = comparison.models[comparison.best]
            heading = f"{best} minus {comparison.models[model]}: points of IoU, 95 % intervals"
            charts.append((heading, render_intervals(intervals)))
    return charts


def _rank_by_spread(own_iou: Figures) -> list[int]:
    """Images by how far apart the models' figures (M, N) lie, the furthest first."""
    spread = np.nan_to_num(own_iou.max(0) - own_iou.min(0))  # (N,)
    order: list[int] = np.argsort(-spread, kind="stable").tolist()
    return order


def _draw_sample(
    comparison: Comparison,
    labeller: _SharedClassLabeller,
    own_iou: Figures,
    index: int,
) -> Sample:
    """Image, truth and the prediction of each model, whose mean IoU on it is `own_iou` (M,)."""
    rgb, truth, predictions = labeller.label(comparison.split, index)
    figures = [
        f"{name} {format_percent(value)}"
        for name, value in zip(comparison.models, own_iou, strict=True)
    ]
    masks = [("truth", truth), *zip(figures, predictions, strict=True)]
    panels = draw_panels(rgb, masks, labeller.classes.palette, PANEL_SIDE)
    title = f"{comparison.images[index]}: mean IoU {', '.join(figures)}"
    return Sample(title, panels)
