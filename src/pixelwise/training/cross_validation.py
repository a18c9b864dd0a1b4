"""Several trainings on one data set, each with other images held out, and the score of them all."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pixelwise.config_fields import list_options
from pixelwise.datasets.folds import check_fold_count, fold_pairs
from pixelwise.datasets.groups import find_groups
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.scan import SplitStats, scan_split
from pixelwise.datasets.types import ALL, DataOptions, DataSet, Pair, path_within
from pixelwise.errors import ConfigError, DataError
from pixelwise.evaluation.find_label_issues import find_label_issues
from pixelwise.evaluation.fold_report import FoldScore, score_folds, write_fold_page
from pixelwise.evaluation.layer_result import LayerEvaluation
from pixelwise.evaluation.out_of_fold import hold_out_images
from pixelwise.evaluation.result import Evaluation
from pixelwise.evaluation.score_layers import score_layers
from pixelwise.evaluation.scoring import score
from pixelwise.inference.layer_predictor import LayerPredictor, predict_any
from pixelwise.inference.load import load, read_any_header
from pixelwise.metrics.confusion import json_number
from pixelwise.models.checkpoint import FOLDS_FILE
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress
from pixelwise.training.check_options import check_model_options, check_target_options
from pixelwise.training.config import TrainConfig
from pixelwise.training.fold_record import (
    FoldPlan,
    FoldState,
    check_same_folds,
    minutes_of,
    read_plan,
    write_state,
)
from pixelwise.training.history import read_history
from pixelwise.training.loaders import stop_in_starting_worker
from pixelwise.training.recipes import split_options
from pixelwise.training.run import lock_run_folder
from pixelwise.training.train import train_run

SPLIT = "out of fold"

# Share of the minutes that is left for the scores at the end, before a fold has shown how long
# these take, and at most.
_END_SHARE = 0.15
_MOST_END_SHARE = 0.3
# Images that are labelled to find that out, and how much longer scoring and searching take than
# labelling.
_TIMED_IMAGES = 3
_END_PASSES = 2.5
# A fold gets at least so much of an equal share of the minutes, whatever the others took.
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class CrossValidation:
    """What the models of all folds do on the images that each held out.

    `evaluation` and `folds` are of all images, None and empty where a fold was stopped; `suspects`
    is how many labels may be wrong, None where classes overlap too.
    """

    path: Path
    runs: tuple[Path, ...]
    evaluation: Evaluation | LayerEvaluation | None = None
    folds: tuple[FoldScore, ...] = ()
    suspects: int | None = None

    @property
    def stopped(self) -> bool:
        """Whether somebody stopped it before its end."""
        return self.evaluation is None


@list_options(TrainConfig, DataOptions)
def cross_validate(
    data: str | Path,
    out: str | Path,
    *,
    folds: int | None = None,
    config: TrainConfig | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> CrossValidation:
    """Train `folds` models (5 if None) on the folder `data`, each on all images of train and val
    but those of its own fold, and score each image by the model that has not seen it.

    `out` receives fold1, fold2 and so on, ordinary run folders; folds.json and scores.json;
    suspects, a list of labels that may be wrong; and report.html. `load` takes `out` as the average
    of all folds' models. Minutes, if given, are for all folds together. With `resume`, finished
    folds stay, a half one goes on, and options are those of the beginning. `options`, and what is
    raised, are as for `train`; also ConfigError for fewer than two folds, for more than there are
    images or groups, and for several processes.
    """
    stop_in_starting_worker()
    started = time.monotonic()
    progress = progress or default_progress()
    config, reading = split_options(config, options)
    check_fold_count(5 if folds is None else folds)
    _check_options(config, reading)
    path = Path(out)
    with lock_run_folder(path, resume):
        if (path / "run.json").is_file():
            raise ConfigError(f"{path} is the run of one training; give another --out")
        if resume and (path / FOLDS_FILE).is_file():
            plan, state = read_plan(path)
            progress.log(f"resumed with the options of then: {len(plan.images)} folds")
            dataset = open_dataset(data, plan.reading, layers=True)
            check_same_folds(plan, dataset, folds, path, Path(data))
        else:
            plan = _make_plan(Path(data), config, reading, folds or 5, progress)
            state = FoldState()
            write_state(path, plan, state)
        clock = _Clock(plan, started, state.seconds)
        for number, name in enumerate(plan.images, 1):
            progress.log_section(f"Fold {number} of {len(plan.images)}")
            if name in state.done:
                progress.log(f"{path / name}: trained before")
                continue
            if not _train_fold(Path(data), path, name, plan, clock, progress):
                return CrossValidation(path, _list_runs(path, plan))
            state.done.add(name)
            state.seconds = clock.spent
            write_state(path, plan, state)
        return _finish(Path(data), path, plan, state, progress)


def _check_options(config: TrainConfig, reading: DataOptions) -> None:
    check_model_options(config)
    check_target_options(config, reading)
    if config.run.devices > 1 or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "--folds trains one model after another in one process: leave out devices and torchrun"
        )
    if reading.val_images:
        raise ConfigError("val_images name the images of one fold: leave them out with --folds")


def _make_plan(
    data: Path, config: TrainConfig, reading: DataOptions, count: int, progress: Progress
) -> FoldPlan:
    """Which images each fold holds out, logged."""
    progress.log_section("Folds")
    dataset = open_dataset(data, reading, layers=True)
    if dataset.whole is not None:
        raise DataError(
            "the data is one picture, whose blocks border on each other: folds need several "
            "pictures; train without --folds, which leaves a margin around val"
        )
    for note in dataset.notes:
        progress.log(note)
    splits = _scan(dataset, config, progress)
    groups = find_groups(
        dataset.root, (pair for pairs in dataset.splits.values() for pair in pairs), reading.group
    )
    folded = fold_pairs(splits, count, dataset.classes.names, groups=groups, seed=config.run.seed)
    total = sum(map(len, folded.folds))
    sizes = ", ".join(str(len(fold)) for fold in folded.folds)
    notes = [
        f"{count} folds of {sizes} images; each model is trained on the other folds",
        *_describe_pooling(dataset, total),
        *_describe_leaks(dataset, config),
        *folded.notes,
    ]
    for note in notes:
        progress.log(note)
    images = {
        f"fold{number}": tuple(path_within(dataset.root, pair.image) for pair in pairs)
        for number, pairs in enumerate(folded.folds, 1)
    }
    return FoldPlan(config, reading, dataset.fingerprint(), images, tuple(notes))


def _scan(dataset: DataSet, config: TrainConfig, progress: Progress) -> list[SplitStats]:
    return [
        scan_split(dataset, split, progress=progress, skip_broken=config.data.skip_broken)
        for split in ("train", "val")
        if split in dataset.splits
    ]


def _describe_pooling(dataset: DataSet, total: int) -> Iterator[str]:
    """A line on what becomes of the splits that there are."""
    train = len(dataset.splits.get("train", ()))
    val = len(dataset.splits.get("val", ()))
    if train and val:
        yield f"train ({train}) and val ({val}) are put together and divided anew: {total} images"
    if "test" in dataset.splits:
        yield f"test ({len(dataset.splits['test'])} images) stays out of all folds"


def _describe_leaks(dataset: DataSet, config: TrainConfig) -> Iterator[str]:
    """A line for each model that the folds learn from and that has learned from these images."""
    start = [config.model.start] if config.model.start else []
    for model in (*start, *config.optim.teacher):
        known = read_any_header(Path(model)).reading.get("fingerprint")
        if known == dataset.fingerprint():
            yield (
                f"{model} was trained on this very data: what it has learned from images that a "
                "fold holds out makes the score too good"
            )


class _Clock:
    """The time that all folds take together, in all sessions, and what each may take."""

    def __init__(self, plan: FoldPlan, started: float, earlier: float) -> None:
        self._started = started
        self._earlier = earlier
        self._folds = len(plan.images)
        self._minutes = plan.config.optim.minutes
        self._end: float | None = None

    @property
    def spent(self) -> float:
        """Seconds so far."""
        return self._earlier + time.monotonic() - self._started

    @property
    def needs_end(self) -> bool:
        """Whether it is to be measured how long the end will take."""
        return self._minutes is not None and self._end is None

    def add(self, seconds: float) -> None:
        """Count what an earlier session spent on a fold that it did not finish."""
        self._earlier += seconds

    def set_end(self, seconds: float) -> None:
        """The seconds that the scores at the end will take."""
        self._end = seconds

    def minutes(self, left: int) -> float:
        """Minutes for the next of `left` folds."""
        total = self._minutes or 0.0
        end = total * _END_SHARE if self._end is None else self._end / 60
        share = (total - self.spent / 60 - min(end, total * _MOST_END_SHARE)) / left
        return max(share, _LEAST_SHARE * total / self._folds)


def _train_fold(
    data: Path, out: Path, name: str, plan: FoldPlan, clock: _Clock, progress: Progress
) -> bool:
    """Train one fold, or go on with it; False where it was stopped."""
    run = out / name
    config = plan.config
    if (run / "history.csv").is_file():  # of a session that was stopped
        clock.add(read_history(run / "history.csv")[-1].seconds)
    if config.optim.minutes is not None:
        left = len(plan.images) - list(plan.images).index(name)
        minutes = minutes_of(run) or clock.minutes(left)
        config = config.with_options(minutes=round(minutes, 3))
    trained = train_run(data, run, config, plan.reading_of(name), resume=True, progress=progress)
    if clock.needs_end and not trained.stopped:
        clock.set_end(_time_end(data, run, plan))
    return not trained.stopped


def _time_end(data: Path, run: Path, plan: FoldPlan) -> float:
    """The seconds that scoring all images, and searching them for wrong labels, will take."""
    dataset = open_dataset(data, plan.reading, layers=True)
    predictor = load(run, device=plan.config.run.device, layers=True)
    pairs = dataset.pairs("train")[: _TIMED_IMAGES + 1]
    start = time.monotonic()
    for place, pair in enumerate(pairs):
        if place == 1:  # the first pays for allocation
            start = time.monotonic()
        predict_any(predictor, pair.image)
    seconds = (time.monotonic() - start) / max(1, len(pairs) - 1)
    return seconds * _END_PASSES * sum(map(len, plan.images.values()))


def _finish(
    data: Path, out: Path, plan: FoldPlan, state: FoldState, progress: Progress
) -> CrossValidation:
    """Score all images out of fold, search them for wrong labels, and write all that down. Of
    classes that overlap no wrong labels are sought.
    """
    progress.log_section("Out of fold")
    dataset = _pool(open_dataset(data, plan.reading, layers=True), plan)
    models = load(out, device=plan.config.run.device, layers=True)
    predictor = hold_out_images(models, dataset)
    pairs = dataset.pairs(ALL)
    evaluation: Evaluation | LayerEvaluation
    issues = None
    if isinstance(predictor, LayerPredictor):
        evaluation = score_layers(predictor, dataset, pairs, split=SPLIT, progress=progress)
    else:
        evaluation = score(predictor, dataset, pairs, split=SPLIT, progress=progress)
        issues = find_label_issues(
            predictor, data, out=out / "suspects", options=plan.reading, progress=progress
        )
    folds = score_folds(evaluation, _name_images(dataset.root, pairs, plan))
    evaluation.write_json(out / "scores.json")
    write_fold_page(
        out / "report.html",
        evaluation,
        folds,
        issues,
        predictor=predictor,
        dataset=dataset,
        notes=plan.notes,
    )
    names = evaluation.classes.names
    suspects = None if issues is None else len(issues.issues)
    state.result = {
        "mean_iou": json_number(evaluation.scores.mean_iou),
        "mean_iou_95": [json_number(bound) for bound in evaluation.mean_iou_interval],
        "folds": {fold.name: fold.as_dict(names) for fold in folds},
        "suspects": suspects,
    }
    write_state(out, plan, state)
    runs = _list_runs(out, plan)
    return CrossValidation(out, runs, evaluation, tuple(folds), suspects)


def _pool(dataset: DataSet, plan: FoldPlan) -> DataSet:
    """The images that some fold holds out: not test, and no broken ones."""
    known = {image for images in plan.images.values() for image in images}
    splits = {}
    for split in ("train", "val"):
        pairs = dataset.splits.get(split, ())
        splits[split] = tuple(
            pair for pair in pairs if path_within(dataset.root, pair.image) in known
        )
    return replace(dataset, splits=splits)


def _name_images(root: Path, pairs: Sequence[Pair], plan: FoldPlan) -> dict[str, list[str]]:
    """The names of the images of each fold, as the scores have them."""
    names = {path_within(root, pair.image): pair.name for pair in pairs}
    return {fold: [names[image] for image in images] for fold, images in plan.images.items()}


def _list_runs(out: Path, plan: FoldPlan) -> tuple[Path, ...]:
    return tuple(out / name for name in plan.images)
