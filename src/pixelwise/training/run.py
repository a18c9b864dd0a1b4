"""One training: from a folder of images and masks to a run folder."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import OutputError, TrainingError
from pixelwise.evaluation.data_options import to_header
from pixelwise.hardware import choose_device
from pixelwise.io.atomic import lock_folder
from pixelwise.models.checkpoint import Header, bundled, read_header
from pixelwise.models.pretrained import name_licence
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress
from pixelwise.reports.trackers import Trackers, require_trackers
from pixelwise.training.config import ModelOptions, TrainConfig
from pixelwise.training.d2l_figures import measure_d2l_figures
from pixelwise.training.distributed import detect_lost_ranks, is_first, launch
from pixelwise.training.duration import clock_in, describe_duration
from pixelwise.training.history import Epoch, best_metric_key
from pixelwise.training.input_scale import keep_input_scale, scale_stride
from pixelwise.training.layer_thresholds import keep_thresholds
from pixelwise.training.loop import Outcome, RunContext, fit
from pixelwise.training.plan import TrainingPlan, make_plan
from pixelwise.training.pseudo_labels import PseudoLabels
from pixelwise.training.run_record import (
    Pictures,
    carry_over_record,
    check_same_data,
    finish_record,
    make_record,
    restore_options,
    write_record,
)
from pixelwise.training.short_memory import retry_with_smaller_batches
from pixelwise.training.state import state_path


@dataclass(frozen=True)
class Run:
    """A finished training: its folder, whether it was stopped early, and one row an epoch."""

    path: Path
    stopped: bool
    history: list[Epoch]

    def __repr__(self) -> str:
        end = "stopped after" if self.stopped else "trained for"
        score = f"validation mean IoU {self.best.val_mean_iou:.3f}" if self.history else "no epoch"
        return f"<Run {self.path}: {end} {len(self.history)} validations, {score}>"

    def _repr_png_(self) -> bytes | None:
        """The curves, which a notebook shows; None where they are gone."""
        curves = self.path / "curves.png"
        return curves.read_bytes() if curves.is_file() else None

    @property
    def best(self) -> Epoch:
        """The epoch whose weights are in `path`/model.safetensors."""
        return max(self.history, key=best_metric_key)


@contextmanager
def lock_run_folder(run: Path, resume: bool) -> Iterator[None]:
    """Hold the run folder for this training alone. Raises OutputError where that cannot be."""
    if run.is_file():
        raise OutputError(f"run folder {run} is a file; choose another --out")
    with lock_folder(run):
        if not resume and any(path.name != "preview.png" for path in run.iterdir()):
            raise OutputError(
                f"run folder {run} exists; give --resume to go on with it, or another --out"
            )
        yield


def train_worker(
    data: str | Path,
    run: Path,
    config: TrainConfig,
    reading: DataOptions,
    *,
    resume: bool,
    progress: Progress | None,
    pseudo_labels: PseudoLabels | None = None,
) -> Run:
    """Train in a folder that is locked for it, maybe by another process."""
    started = time.monotonic()
    progress = (progress or default_progress()) if is_first() else Progress()
    require_trackers(config.run.trackers)
    resumed = resume and (run / "run.json").is_file()
    if resumed:
        config, reading = restore_options(run, config, reading, progress)
    fabric = launch(config.with_options(device=choose_device(config.run.device).type))
    dataset = _open_dataset(data, reading, progress)
    has_state = resumed and state_path(run).is_file()
    if has_state:
        check_same_data(run, dataset)

    def attempt(config: TrainConfig) -> Run:
        plan = make_plan(
            dataset,
            config,
            progress=progress,
            fabric=fabric,
            init=not has_state,
            pseudo_labels=pseudo_labels,
        )
        record = _begin_record(run, plan, reading, resumed=resumed)
        options = plan.config.run
        trackers = Trackers(options.trackers, run, record["config"], progress.log)
        pictures = Pictures(run, dataset, plan.val, options.device, trackers)
        header = _make_header(plan, reading)
        context = RunContext(run, header, progress, after_epoch=pictures.draw, started=started)
        _announce(plan, started, progress, resumed=has_state)
        with detect_lost_ranks(fabric):
            outcome = fit(
                plan.model,
                plan.loaders,
                plan.loss,
                teacher=plan.teacher,
                config=plan.config,
                context=context,
            )
        if outcome.best is None:
            raise TrainingError(
                "stopped before the first epoch was done: there is no model yet; go on with "
                "--resume"
            )
        if is_first():
            _finish(outcome, outcome.best, plan, record, pictures, progress)
        return Run(run, outcome.stopped, outcome.history)

    return retry_with_smaller_batches(attempt, config, fabric=fabric, run=run, progress=progress)


def _announce(plan: TrainingPlan, started: float, progress: Progress, *, resumed: bool) -> None:
    """Say what is trained, and what it will take; the rest of a resumed run, its lines will say."""
    progress.log_section("Training")
    for line in plan.lines():
        progress.log(line)
    minutes = plan.config.optim.minutes
    if minutes is not None:
        left = 60 * minutes - (time.monotonic() - started)
        progress.log(
            f"time: {minutes:g} minutes, of which preparations took {minutes - left / 60:.1f}; "
            f"ends about {clock_in(left)}"
        )
    elif plan.seconds is not None and not resumed:
        progress.log(
            f"time: {describe_duration(plan.seconds)} on a machine as busy as now; ends about "
            f"{clock_in(plan.seconds)}"
        )


def _begin_record(
    run: Path,
    plan: TrainingPlan,
    reading: DataOptions,
    *,
    resumed: bool,
) -> dict[str, Any]:
    """The record of the run, written before the first step: a run that dies can be resumed."""
    record = make_record(plan.config, reading, plan.dataset, plan.reasons)
    if resumed:
        carry_over_record(run, record)
    if is_first():
        write_record(run, record)
    return record


def _open_dataset(data: str | Path, reading: DataOptions, progress: Progress) -> DataSet:
    progress.log_section("Data")
    dataset = open_dataset(data, reading, layers=True)
    for note in dataset.notes:
        progress.log(note)
    return dataset


def describe_start(options: ModelOptions) -> dict[str, str]:
    """The weights that a training begins with, and their licence: empty for none."""
    if options.start is None:
        name = f"{options.encoder}, {Path(options.weights).name}"
        return {"name": name, "licence": name_licence(options.encoder, options.weights)}
    start = read_header(Path(options.start)).training.get("start", {})
    licence = "apache-2.0" if options.start in bundled() else start.get("licence", "unknown")
    return {"name": f"the model {Path(options.start).name}", "licence": licence}


def _make_header(plan: TrainingPlan, reading: DataOptions) -> Header:
    training = {
        "crop": plan.config.data.crop,
        "data": plan.dataset.format,
        "reading": {**to_header(reading, plan.dataset), **plan.rule.to_header()},
        "sizes": asdict(plan.picture_sizes),
        "start": describe_start(plan.config.model),
    }
    return Header(plan.model_config, plan.dataset.classes, training)


def _finish(
    outcome: Outcome,
    best: Epoch,
    plan: TrainingPlan,
    record: dict[str, Any],
    pictures: Pictures,
    progress: Progress,
) -> None:
    """Choose the input scale, and write figures, record and report.

    A stopped run goes on later: it keeps its scale, and its network is some steps past the last
    epoch, whose figures would not be its own.
    """
    run = pictures.run
    progress.log_section("Result")
    scale: dict[str, Any] = {}
    if not outcome.stopped and plan.config.run.recipe == "d2l":
        record["d2l"] = _log_d2l_figures(outcome, plan, progress)
    pictures.catch_up(outcome.history)
    if not outcome.stopped:
        pairs = plan.val.pairs
        if plan.config.optim.minutes is not None:
            pairs = pairs[:: scale_stride(len(pairs))]
        scale = keep_input_scale(run, plan.dataset, pairs, plan.config, progress)
        if plan.dataset.multilabel:
            keep_thresholds(run, plan.dataset, pairs, plan.config, progress)
    finish_record(run, record, outcome.history, best, stopped=outcome.stopped, scale=scale)
    if not outcome.stopped:
        pictures.report(record, progress)
    pictures.finish(best, stopped=outcome.stopped)
    progress.log(f"best: epoch {best.epoch}, validation mean IoU {best.val_mean_iou:.3f}; in {run}")


def _log_d2l_figures(outcome: Outcome, plan: TrainingPlan, progress: Progress) -> dict[str, float]:
    figures = measure_d2l_figures(
        outcome.model,
        outcome.history[-1],
        plan.dataset,
        plan.val,
        plan.config,
    )
    for line in figures.lines():
        progress.log(line)
    return figures.as_dict()
