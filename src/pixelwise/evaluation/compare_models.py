"""Several models on the same images: which is better, and whether the difference is more than
chance of the images.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pixelwise.datasets.registry import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import ConfigError
from pixelwise.evaluation.comparison import Comparison, Counted, compared
from pixelwise.evaluation.data_options import TRAINED, as_trained, readable
from pixelwise.evaluation.score_file import read_scores
from pixelwise.evaluation.scoring import match
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.io.images import Array, read_rgb
from pixelwise.metrics.bootstrap import PerImage, scores_from_counts
from pixelwise.metrics.confusion import ConfusionMatrix
from pixelwise.progress import Progress
from pixelwise.reports.gallery import panel, write_gallery
from pixelwise.reports.overlays import paint
from pixelwise.reports.samples import Gallery, Sample

PICTURES = 8
SIDE = 380


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
    """Score two or more models on the same images of `data` and say which differences are real.

    `split` is test where there is one, val otherwise. Classes are those that all models and the
    data have by name; pixels of others are void in the truth and wrong in a prediction. `models`
    may all be JSON files of `evaluate` instead; then `data` is not needed. `report` is a folder for
    a page with the images on which the models differ most. `reading` are fields of DataOptions that
    differ from the first model's training. Raises ConfigError for fewer than two
    models, ModelError where no class is shared, DataError for score files that do not fit together.
    """
    progress = progress or Progress()
    if len(models) < 2:
        raise ConfigError(
            "one model alone cannot be compared: give two or more run folders or model files"
        )
    files = [Path(m) for m in models if not isinstance(m, Predictor) and Path(m).suffix == ".json"]
    if files:
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
                "score files speak of their own images: leave out --data and --split, or give "
                "models"
            )
        return compared(_names(models), read_scores(files))
    if data is None:
        raise ConfigError("on which images? give --data, the folder of images and masks")
    predictors = [m if isinstance(m, Predictor) else load(m) for m in models]
    options = options or as_trained(predictors[0], **reading)
    names = _names(models)
    dataset = open_dataset(data, options)
    for note in (*dataset.notes, *_otherwise_trained(predictors, names)):
        progress.log(note)
    split = dataset.scored(split)
    race = _Race(predictors, names, readable(dataset, split, options, progress))
    found = compared(names, race.run(split, progress), race.notes)
    if report is not None:
        _write_page(Path(report), found, race)
    return found


def _otherwise_trained(predictors: Sequence[Predictor], names: Sequence[str]) -> Iterator[str]:
    """A note for each model whose training read its data in another way than the first one's."""
    first, *others = map(as_trained, predictors)
    for name, reading in zip(names[1:], others, strict=True):
        if reading != first:
            ways = ", ".join(f"{key} {getattr(reading, key)}" for key in TRAINED)
            yield (
                f"{name} was trained with {ways}, unlike {names[0]}: where the data has no "
                "splits of its own, it may "
                "have learned from images that are scored here"
            )


class _Race:
    """Models and a data set, with the classes that all share, and notes on what a model knows more
    or less of.
    """

    def __init__(
        self, predictors: Sequence[Predictor], names: Sequence[str], dataset: DataSet
    ) -> None:
        self.dataset = dataset
        self._predictors = predictors
        self.classes = dataset.classes
        self.notes = list[str]()
        for predictor, name in zip(predictors, names, strict=True):
            self.classes = match(predictor.classes, self.classes, called=name).classes
            self.notes += [
                f"{name}: {note}" for note in match(predictor.classes, dataset.classes).notes
            ]
        self._shared = match(self.classes, dataset.classes)
        self._tables = [
            match(predictor.classes, self.classes).from_model for predictor in predictors
        ]

    def run(self, split: str, progress: Progress) -> Counted:
        """Label every image with every model."""
        pairs = self.dataset.pairs(split)
        progress.log(
            f"scoring {len(self._predictors)} models on the {len(pairs)} images of {split}"
        )
        images = [PerImage(len(self.classes)) for _ in self._predictors]
        for at in progress.track(range(len(pairs)), what=f"comparing on {split}", total=len(pairs)):
            _, truth, found = self.look(split, at)
            for counts, labels in zip(images, found, strict=True):
                matrix = ConfusionMatrix(len(self.classes))
                counts.add(matrix.update(torch.from_numpy(truth), torch.from_numpy(labels)))
        names = tuple(pair.name for pair in pairs)
        return self.classes.names, split, names, np.stack([counts.counts() for counts in images])

    def look(self, split: str, at: int) -> tuple[Array, Array, list[Array]]:
        """An image (H, W, 3), its truth and what each model says, in the shared classes."""
        pair = self.dataset.pairs(split)[at]
        rgb = read_rgb(pair.image)
        truth = self._shared.truth(self.dataset.read_labels, pair, rgb.shape[:2])
        return (
            rgb,
            truth,
            [t[p.predict(rgb).labels] for p, t in zip(self._predictors, self._tables, strict=True)],
        )


def _names(models: Sequence[str | Path | Predictor]) -> tuple[str, ...]:
    """A short name for each: the last part of its path, or as much of it as tells it from the
    others.
    """
    paths = [
        f"model {at}" if isinstance(m, Predictor) else str(m) for at, m in enumerate(models, 1)
    ]
    short = [Path(path).name for path in paths]
    return tuple(paths if len(set(short)) < len(short) else short)


def _write_page(folder: Path, found: Comparison, race: _Race) -> None:
    """compare.json and compare.html, with the images on which the models' own mean IoU lies
    furthest apart.
    """
    found.write_json(folder / "compare.json")
    own = scores_from_counts(found.counts)[..., 0]  # (M, N)
    spread = np.nan_to_num(own.max(0) - own.min(0))
    samples = []
    for at in np.argsort(-spread, kind="stable")[:PICTURES].tolist():
        rgb, truth, labels = race.look(found.split, at)
        painted = [paint(rgb, part, race.classes.palette, 0.7) for part in (truth, *labels)]
        figures = [
            f"{name} {value:.3f}" for name, value in zip(found.models, own[:, at], strict=True)
        ]
        panels = zip(
            ("image", "truth", *figures),
            (panel(part, SIDE) for part in (rgb, *painted)),
            strict=True,
        )
        samples.append(Sample(f"{found.images[at]}: mean IoU {', '.join(figures)}", tuple(panels)))
    write_gallery(
        folder / "compare.html",
        title=f"{', '.join(found.models)} on {found.split}",
        lead=[*found.verdicts(), *found.notes],
        facts=[
            ("Data", f"{race.dataset.root} ({race.dataset.format})"),
            ("Images", f"{len(found.images)} of {found.split}"),
        ],
        tables=[("Mean IoU and IoU by class", *found.table())],
        gallery=Gallery.of(race.classes, samples),
    )
