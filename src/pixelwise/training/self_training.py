"""Training that goes on with images without masks, which the model labels itself: self-training.

Source: Yang et al. 2022, "ST++: Make Self-training Work Better for Semi-supervised Semantic
Segmentation". Here each round goes on from the best model so far, and its model is kept only where
it is better on the validation images.
"""

import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.errors import ConfigError
from pixelwise.evaluation.calibrate import evenly_spaced
from pixelwise.evaluation.data_options import drop_broken_pairs
from pixelwise.evaluation.scoring import count_by_image
from pixelwise.inference.load import choose_runtime, load
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.sources import find_images
from pixelwise.io.atomic import atomic
from pixelwise.metrics.bootstrap import paired_bootstrap
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress
from pixelwise.training.config import TrainConfig
from pixelwise.training.history import read_history
from pixelwise.training.pseudo_labels import (
    INDEX,
    KEPT_IMAGES,
    PseudoLabels,
    find_thresholds,
    label_pool,
    read_pseudo_labels,
)
from pixelwise.training.run import Run, train_worker
from pixelwise.training.run_record import make_record, read_record, restore_options, write_record
from pixelwise.training.unlabelled_pool import draw_order, find_known_images

T = TypeVar("T")

SUPERVISED = "supervised"

# Of the minutes, what the training without the pool takes; the rounds share the rest.
SUPERVISED_SHARE = 0.4

# From so many minutes on a round more, where their number is not set.
MINUTES_FOR_ROUNDS = (0, 45, 120)

# A round that would have less than this share of the minutes is not begun.
LEAST_SHARE = 0.1

# How often a round sees each image of the pool that it keeps, about.
VIEWS = 2

# Of a round's minutes, what goes into steps, about.
STEPS_SHARE = 0.7

# Of the pool, a teacher labels so many times the labelled images.
POOL_OF_TEACHER = 8

# Images of the pool that are labelled at least.
FEWEST = 48

# What a run folder holds beside its record and state.
FILES = ("model.safetensors", "history.csv", "curves.png", "samples.png", "report.html")


def train_with_pool(
    data: str | Path,
    run: Path,
    config: TrainConfig,
    reading: DataOptions,
    *,
    resume: bool,
    progress: Progress | None,
) -> Run:
    """Train on the folder `data`, and on from there with the images of `config.data.unlabelled`.

    The stages lie in `run`/supervised, `run`/round1 and so on, each an ordinary run; the best of
    them is also that of `run` itself. Raises ConfigError where there is no such pool, and
    as `train_worker`.
    """
    started = time.monotonic()
    progress = progress or default_progress()
    if resume and (run / "run.json").is_file():
        config, reading = restore_options(run, config, reading, progress)
    images = _find_pool(config.data.unlabelled or "")
    dataset = open_dataset(data, reading)
    dataset = drop_broken_pairs(dataset, "val", reading, Progress())
    record = make_record(config, reading, dataset, {})
    write_record(run, record)
    histories = [read_history(path) for path in run.glob("*/history.csv")]
    earlier = sum(rows[-1].seconds for rows in histories if rows)
    stages = _Stages(data, run, config, reading, dataset, images, started - earlier, progress)
    return stages.train()


def _find_pool(unlabelled: str) -> list[Path]:
    images = find_images([unlabelled])
    if not any(image.is_file() for image in images):
        raise ConfigError(
            f"unlabelled {unlabelled}: there is no such file or folder; give a folder of images, a "
            "pattern, or a .txt list"
        )
    return images


@dataclass
class _Stages:
    """The supervised training and the rounds of one run."""

    data: str | Path
    run: Path
    config: TrainConfig
    reading: DataOptions
    dataset: DataSet
    images: list[Path]
    started: float
    progress: Progress
    notes: list[dict[str, Any]] = field(default_factory=list)
    """What each stage showed, for run.json."""

    def train(self) -> Run:
        """All stages that are not done yet; the best model so far is always that of the run."""
        if self.config.optim.teacher:
            return self._train_with_teacher()
        minutes = self.config.optim.minutes
        share = None if minutes is None else SUPERVISED_SHARE * minutes
        config = self._stage_config(minutes=share)
        best = self._train_stage(SUPERVISED, config, None)
        self.notes.append({"stage": SUPERVISED, "val_mean_iou": best.best.val_mean_iou})
        self._promote(best)
        rounds = self._count_rounds()
        for number in range(1, rounds + 1):
            if best.stopped or not self._has_time(rounds - number + 1):
                break
            labels = self._label(
                number, best.path, self._images_for_round(best, rounds - number + 1)
            )
            if not labels.images:
                self.progress.log("the model is sure of no image of the pool, and stays as it is")
                break
            latest = self._train_stage(
                f"round{number}", self._round_config(best, labels, rounds - number + 1), labels
            )
            is_better = self._compare(latest, best, number, labels)
            best = replace(latest if is_better else best, stopped=latest.stopped)
            self._promote(best)
            if not is_better:
                break
        return Run(self.run, best.stopped, best.history)

    def _train_with_teacher(self) -> Run:
        """One training on the masks and on a pool that the first teacher labels."""
        teacher = Path(self.config.optim.teacher[0])
        count = POOL_OF_TEACHER * len(self.dataset.pairs("train"))
        labels = self._label(1, teacher, max(FEWEST, count))
        seconds = self._seconds_left(1)
        config = self._stage_config(minutes=None if seconds is None else max(1.0, seconds) / 60)
        run = self._train_stage("round1", config, labels if labels.images else None)
        self.notes.append(
            {
                "stage": "round1",
                "images": len(labels.images),
                "val_mean_iou": run.best.val_mean_iou,
                "kept": True,
            }
        )
        self._promote(run)
        return Run(self.run, run.stopped, run.history)

    def _count_rounds(self) -> int:
        minutes = self.config.optim.minutes
        if self.config.data.rounds is not None:
            return self.config.data.rounds
        return 1 if minutes is None else sum(minutes >= least for least in MINUTES_FOR_ROUNDS)

    def _stage_config(self, **options: Any) -> TrainConfig:
        return self.config.with_options(unlabelled=None, rounds=None, **options)

    def _train_stage(self, name: str, config: TrainConfig, labels: PseudoLabels | None) -> Run:
        """Train a stage, go on with one that was begun, or take one that is done."""
        folder = self.run / name
        begun = (folder / "run.json").is_file()
        if begun:
            record = read_record(folder)
            if record["result"] and not record["result"]["stopped"]:
                return Run(folder, False, read_history(folder / "history.csv"))
            config = config.with_options(minutes=record["config"]["minutes"])
        folder.mkdir(exist_ok=True)
        self.progress.log_section("Training on the masks" if labels is None else f"Training {name}")
        return train_worker(
            self.data,
            folder,
            config,
            self.reading,
            resume=begun,
            progress=self.progress if labels is None else _WithoutChoices(self.progress),
            pseudo_labels=labels,
        )

    def _seconds_left(self, rounds: int) -> float | None:
        """Of each of the `rounds` to come; None where no minutes are set."""
        minutes = self.config.optim.minutes
        if minutes is None:
            return None
        return (60 * minutes - (time.monotonic() - self.started)) / rounds

    def _has_time(self, rounds: int) -> bool:
        """Whether the next of `rounds` is worth beginning; logged where it is not."""
        seconds = self._seconds_left(rounds)
        if seconds is None or seconds >= LEAST_SHARE * 60 * (self.config.optim.minutes or 0):
            return True
        self.progress.log("the minutes left are too few for a round with the pool")
        return False

    def _label(self, number: int, model: Path, count: int) -> PseudoLabels:
        """The pseudo-labels of a round by a model, of `count` images; those on disk where they are
        made already. Raises ConfigError where its classes are not those of the data.
        """
        folder = self.run / f"pseudo_labels{number}"
        if (folder / INDEX).is_file():
            return read_pseudo_labels(folder)
        self.progress.log_section("Labelling the pool")
        order = draw_order(self.images, self.config.run.seed + number)
        device = self.config.run.device
        runtime = choose_runtime("auto", map(str, order), model, device=device)
        predictor = load(model, device=device, runtime=runtime, progress=self.progress)
        names = self.dataset.classes.names
        if predictor.classes.names != names:
            raise ConfigError(
                f"teacher {model} knows {', '.join(predictor.classes.names)}: to label the pool, "
                f"its classes must be those of the data, in their order: {', '.join(names)}"
            )
        thresholds = find_thresholds(predictor, self.dataset, self._val_pairs(), self.progress)
        named = zip(names, thresholds, strict=True)
        self.progress.log(
            "confidence kept: " + ", ".join(f"{name} {value:.2f}" for name, value in named)
        )
        labels = label_pool(
            predictor,
            order,
            known=find_known_images(self.dataset, self.progress),
            count=count,
            thresholds=thresholds,
            folder=folder,
            progress=self.progress,
        )
        self.progress.log(labels.describe())
        return labels

    def _images_for_round(self, best: Run, rounds: int) -> int:
        """So many that half of the samples of a round show each about VIEWS times."""
        seconds = self._seconds_left(rounds)
        samples: float
        if seconds is None:
            record = read_record(self.run / SUPERVISED)
            samples = record["config"]["epochs"] * record["data"]["images"]["train"]
        else:
            samples = STEPS_SHARE * seconds * best.history[-1].images_per_second
        return max(FEWEST, round(samples / 2 / VIEWS / KEPT_IMAGES))

    def _round_config(self, best: Run, labels: PseudoLabels, rounds: int) -> TrainConfig:
        """That of the supervised training, from the best model so far, strongly augmented."""
        record = read_record(self.run / SUPERVISED)
        chosen = record["config"]
        options: dict[str, Any] = {
            "start": str(best.path),
            "crop": tuple(chosen["crop"]),
            "batch": chosen["batch"],
            "precision": chosen["precision"],
            "augment": self.config.augmentation.augment or "strong",
        }
        seconds = self._seconds_left(rounds)
        if seconds is None:
            labelled = record["data"]["images"]["train"]
            share = labelled / (labels.repeats(labelled) * labelled + len(labels.images))
            options["epochs"] = max(1, round(chosen["epochs"] * share))
        else:
            options["minutes"] = seconds / 60
        return self._stage_config(**options)

    def _val_pairs(self) -> list[Pair]:
        return evenly_spaced(self.dataset.pairs("val"))

    def _compare(self, latest: Run, best: Run, number: int, labels: PseudoLabels) -> bool:
        """Whether the model of a round is better than the best before it; logged with its
        interval.
        """
        counts = [
            count_by_image(self._load(run), self.dataset, self._val_pairs(), self.progress)
            for run in (latest, best)
        ]
        difference, _ = paired_bootstrap(np.stack(counts))
        is_better = difference.value > 0
        gain, low, high = (
            100 * value for value in (difference.value, difference.low, difference.high)
        )
        self.notes.append(
            {
                "stage": f"round{number}",
                "images": len(labels.images),
                "val_mean_iou": latest.best.val_mean_iou,
                "gain": [difference.value, difference.low, difference.high],
                "kept": is_better,
            }
        )
        self.progress.log(
            f"round {number} with {len(labels.images)} images of the pool: {gain:+.1f} points of "
            f"validation mean IoU (95 %: {low:+.1f} to {high:+.1f}); "
            + ("kept" if is_better else "not kept, the model before it stays")
        )
        return is_better

    def _load(self, run: Run) -> Predictor:
        return load(run.path, device=self.config.run.device)

    def _promote(self, best: Run) -> None:
        """Make the best stage's model, figures and report those of the run."""
        for name in FILES:
            source = best.path / name
            if source.is_file():
                with atomic(self.run / name) as draft:
                    shutil.copyfile(source, draft)
        record = read_record(best.path)
        record["config"] = self.config.flat()  # by which a resumed run goes on
        record["self_training"] = self.notes
        write_record(self.run, record)


class _WithoutChoices(Progress):
    """Passes on what a round reports from its first step on: data and choices are those of the
    supervised training, which said them.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._speaks = False

    def log_section(self, title: str) -> None:
        """Whether the lines to come are of the training or its result."""
        self._speaks = title in ("Training", "Result")

    def log(self, text: str) -> None:
        """Log one line, from the training on."""
        if self._speaks:
            self._progress.log(text)

    def track(
        self, items: Iterable[T], *, what: str, total: int, unit: str = "images", weight: int = 1
    ) -> Iterator[T]:
        """As Progress."""
        return self._progress.track(items, what=what, total=total, unit=unit, weight=weight)

    def set_postfix(self, text: str) -> None:
        """As Progress."""
        self._progress.set_postfix(text)


def has_pool(run: Path) -> bool:
    """Whether the run in that folder was begun with images without masks."""
    return (run / "run.json").is_file() and bool(read_record(run)["config"].get("unlabelled"))


def check_one_process(config: TrainConfig, processes: int) -> None:
    """Raises ConfigError for a pool where several processes train."""
    if config.data.unlabelled is not None and processes > 1:
        raise ConfigError(
            f"unlabelled with {processes} processes: self-training runs in one; leave out devices, "
            "or train without the pool"
        )
