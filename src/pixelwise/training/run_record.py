"""What a run folder records of its training: run.json, pictures and report."""

import json
import math
import platform
import time
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pixelwise.config_fields import option_fields
from pixelwise.datasets.scan import SplitStats
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import ConfigError, PixelwiseError
from pixelwise.evaluation.layer_result import LayerEvaluation
from pixelwise.evaluation.report import make_gallery, write_run_page
from pixelwise.evaluation.result import Evaluation
from pixelwise.evaluation.score_layers import score_layers
from pixelwise.evaluation.scoring import score
from pixelwise.hardware import count_cores
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.load import load
from pixelwise.io.atomic import write_text
from pixelwise.io.images import void_invalid
from pixelwise.progress import Progress
from pixelwise.reports.curves import draw_curves
from pixelwise.reports.samples import draw_samples
from pixelwise.reports.trackers import Trackers
from pixelwise.training.config import TrainConfig
from pixelwise.training.history import Epoch
from pixelwise.training.recipes import make_config
from pixelwise.training.state import state_path

SAMPLES = 5

# Pictures are drawn again after so many times as long as drawing them took.
PAUSE = 30

# Options that may differ when a run is resumed: how long, where, and what changes no weights.
FREE = {"epochs", "minutes", "device", "workers", "cache", "timeout", "profile"}
FREE |= {"tensorboard", "mlflow", "wandb"}

# Options that earlier versions did not have, with the values by which they trained.
EARLIER = {
    "size": None,
    "unlabelled": None,
    "teacher": (),
    "teacher_weight": 1.0,
    "rounds": None,
    "ema_share": 0.0,
    "bn_batches": 0,
    "validate_every": 1,
    "keep_after": 0.0,
    "frozen": False,
    "frozen_views": 0,
    "frozen_stages": 0,
    "bands": None,
    "value_range": "percentile",
    "tree_weight": 0.0,
    "one_size": False,
    "final_norm": False,
    "mlflow": False,
    "wandb": False,
}

PACKAGES = ("pixelwise", "torch", "torchvision", "timm", "lightning-fabric", "numpy", "pillow")


def make_record(
    config: TrainConfig,
    reading: DataOptions,
    dataset: DataSet,
    reasons: dict[str, str],
) -> dict[str, Any]:
    """The content of run.json: options with the reasons of those that were chosen, data, versions
    and machine.
    """
    return {
        "config": config.flat(),
        "reasons": reasons,
        "reading": asdict(reading),
        "data": _describe_data(dataset),
        "versions": _installed_versions(),
        "machine": {
            "platform": platform.platform(),
            "cores": count_cores(),
            "threads": torch.get_num_threads(),
        },
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "result": None,
    }


def _describe_data(dataset: DataSet) -> dict[str, Any]:
    return {
        "root": str(dataset.root),
        "format": dataset.format,
        "fingerprint": dataset.fingerprint(),
        "classes": list(dataset.classes.names),
        "images": {name: len(pairs) for name, pairs in dataset.splits.items()},
        "notes": list(dataset.notes),
        "blocks": _name_blocks(dataset),
    }


def _name_blocks(dataset: DataSet) -> dict[str, list[str]] | None:
    """The blocks of each split, by the pixel of their upper left corner, of a set of one picture;
    None for others.
    """
    if dataset.whole is None:
        return None
    return {split: [pair.name for pair in pairs] for split, pairs in dataset.splits.items()}


def _installed_versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        versions[name] = version(name)
    return versions


def write_record(run: Path, record: dict[str, Any]) -> None:
    """Write run.json, atomically; what is no number becomes null, as JSON has no NaN."""
    text = json.dumps(_without_nan(record), indent=2, allow_nan=False)
    write_text(run / "run.json", text + "\n")


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def restore_options(
    run: Path,
    config: TrainConfig,
    reading: DataOptions,
    progress: Progress,
) -> tuple[TrainConfig, DataOptions]:
    """The options of the run to be resumed, as its run.json holds them, with what may be changed.

    Options that change no weights may be changed, and all but the recipe where no epoch was
    finished. Those that are ignored are logged.
    """
    record = read_record(run)
    before = config_of(record, run)
    reading_before = DataOptions(**record["reading"])
    started = state_path(run).is_file()
    explicit = _explicit_options(config)
    changes = _allowed_changes(explicit, config, started=started)
    if "device" not in changes and before.run.device == "cuda" and not torch.cuda.is_available():
        changes["device"] = "auto"  # begun on a machine with a GPU, resumed on one without
    after = before.with_options(**changes)
    explicit_reading = _differing(asdict(reading), asdict(DataOptions(seed=reading.seed)))
    reading_after = reading_before
    if not started:
        reading_after = replace(reading_before, **explicit_reading, seed=after.run.seed)
    ignored = _differing(explicit, after.flat())
    ignored |= _differing(explicit_reading, asdict(reading_after))
    if ignored:
        progress.log(f"resumed as it was begun; ignored: {', '.join(sorted(ignored))}")
    return after, reading_after


def _explicit_options(config: TrainConfig) -> dict[str, Any]:
    """The options in which `config` differs from its recipe, and the recipe itself."""
    recipe = config.run.recipe
    explicit = _differing(config.flat(), make_config(recipe).flat())
    if recipe != "default":
        explicit["recipe"] = recipe
    return explicit


def _allowed_changes(
    explicit: dict[str, Any],
    config: TrainConfig,
    *,
    started: bool,
) -> dict[str, Any]:
    """Those of the explicit options that a resumed run follows; `started`: it has a state."""
    changes = {}
    for name, value in explicit.items():
        if name in FREE or (not started and name != "recipe"):
            changes[name] = value
    if changes.keys() & {"epochs", "minutes"}:
        # They exclude each other: setting one takes the other back.
        changes |= {"epochs": config.optim.epochs, "minutes": config.optim.minutes}
    return changes


def config_of(record: dict[str, Any], run: Path) -> TrainConfig:
    """The config of a run.json. Raises ConfigError where another version of pixelwise wrote it."""
    values = EARLIER | _with_tuples(record["config"])
    unknown = values.keys() - option_fields(TrainConfig).keys()
    try:
        if unknown:
            raise TypeError(f"unknown: {', '.join(sorted(unknown))}")
        return TrainConfig.from_flat(**values)
    except TypeError as error:
        raise ConfigError(
            f"run {run} was begun by pixelwise {record['versions']['pixelwise']}, whose options "
            f"differ ({error}); begin again with another --out, and --start with this run's model"
        ) from error


def _differing(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """Those of the values that are not the same among the others."""
    return {name: value for name, value in values.items() if value != others[name]}


def _with_tuples(config: dict[str, Any]) -> dict[str, Any]:
    """A config from JSON, which has lists for tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in config.items()
    }


def check_same_data(run: Path, dataset: DataSet) -> None:
    """Raises ConfigError where the run was begun with other data."""
    before = read_record(run)["data"]
    if before["fingerprint"] != dataset.fingerprint():
        raise ConfigError(
            f"run {run} was trained on other data ({before['format']}, {before['images']}) "
            f"than {dataset.root}; give that data, or another --out"
        )


def carry_over_record(run: Path, record: dict[str, Any]) -> None:
    """Copy the start time, the result so far and the reasons that still hold from the old record of
    a resumed run.
    """
    before = read_record(run)
    config = _with_tuples(before["config"])
    record["reasons"] = {
        name: reason
        for name, reason in before["reasons"].items()
        if config[name] == record["config"][name]
    }
    record |= {name: before[name] for name in ("started", "result") if name in before}


def finish_record(
    run: Path,
    record: dict[str, Any],
    history: list[Epoch],
    best: Epoch,
    *,
    stopped: bool,
    scale: dict[str, Any],
) -> None:
    """Write the result into run.json, and a report without scores. `scale` comes from
    `keep_input_scale`.
    """
    record["result"] = {
        "stopped": stopped,
        "epochs": history[-1].epoch,
        "best": asdict(best),
        "scale": scale,
    }
    write_record(run, record)
    write_run_page(run, record, None)


@dataclass(frozen=True)
class Pictures:
    """curves.png and samples.png of a run, redrawn while it trains, its report at the end, and what
    its `trackers` are told.
    """

    run: Path
    dataset: DataSet
    val: SplitStats
    device: str
    trackers: Trackers | None = None
    _next_time: list[float] = field(default_factory=lambda: [0.0])
    """When to draw again, by time.monotonic()."""

    def draw(self, history: list[Epoch], best: bool) -> None:
        """After a round: the curves, and the samples where the model is a better one; not where
        that would take more than a few hundredths of the time. `catch_up` draws what is left.
        """
        start = time.monotonic()
        is_due = start >= self._next_time[0]
        if is_due:
            draw_curves([asdict(row) for row in history], self.run / "curves.png")
            if best:
                self._draw_samples()
            end = time.monotonic()
            self._next_time[0] = end + PAUSE * (end - start)
        if self.trackers is not None:
            picture = self.run / "samples.png" if best and is_due else None
            self.trackers.write_epoch(asdict(history[-1]), picture)

    def finish(self, best: Epoch, *, stopped: bool) -> None:
        """Tell the trackers the result, and hand them the files."""
        if self.trackers is None:
            return
        values = asdict(best).items()
        figures = {f"best_{name}": value for name, value in values if not isinstance(value, bool)}
        names = ("model.safetensors", "run.json", "report.html", "curves.png", "samples.png")
        files = [self.run / name for name in names if (self.run / name).is_file()]
        self.trackers.finish(figures, files, stopped=stopped)

    def catch_up(self, history: list[Epoch]) -> None:
        """Draw what a process that was killed after an epoch left undrawn."""
        if _is_older(self.run / "samples.png", self.run / "model.safetensors"):
            self._draw_samples()
        if _is_older(self.run / "curves.png", self.run / "history.csv"):
            draw_curves([asdict(row) for row in history], self.run / "curves.png")

    def _draw_samples(self) -> None:
        predictor = load(self.run, device=self.device, layers=True)
        pairs = self.val.pairs
        step = max(1, len(pairs) // SAMPLES)
        samples = pairs[::step][:SAMPLES]
        rows = []
        for pair in samples:
            truth = self.dataset.read_labels(pair.mask)
            if isinstance(predictor, LayerPredictor):
                seen = predictor.predict_layers(pair.image)
                rows.append((seen.rgb, void_invalid(truth, seen.valid), seen.layers))
                continue
            result = predictor.predict(pair.image)
            rows.append((result.rgb, void_invalid(truth, result.valid), result.labels))
        names = [pair.name for pair in samples]
        draw_samples(rows, self.run / "samples.png", self.dataset.classes, names)

    def report(self, record: dict[str, Any], progress: Progress) -> None:
        """Write the report again, with the scores of the best model on the validation images; a
        failure is logged.
        """
        predictor = load(self.run, device=self.device, layers=True)
        pairs = self.val.pairs
        scores: Evaluation | LayerEvaluation
        try:
            if isinstance(predictor, LayerPredictor):
                scores = score_layers(
                    predictor, self.dataset, pairs, split="val", progress=progress
                )
            else:
                scores = score(predictor, self.dataset, pairs, split="val", progress=progress)
            gallery = make_gallery(scores, predictor, self.dataset, pairs)
            write_run_page(self.run, record, (scores.summary(), gallery))
        except PixelwiseError as error:
            progress.log(f"report.html is without scores: {error}")


def _is_older(path: Path, source: Path) -> bool:
    """Whether it was written before its source, or not at all."""
    return not path.is_file() or path.stat().st_mtime_ns < source.stat().st_mtime_ns


def read_record(run: Path) -> dict[str, Any]:
    """The content of a run's run.json. Raises ConfigError where it is damaged."""
    try:
        record: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
        DataOptions(**record["reading"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"run {run}: its run.json is damaged or of another version ({error}); begin again "
            "with another --out, and --start with this run's model"
        ) from error
    return record
