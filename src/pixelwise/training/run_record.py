"""What a run folder says of its training: run.json, pictures and report."""

import json
import math
import platform
import time
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pixelwise.datasets.scan import SplitStats
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import ConfigError, PixelwiseError
from pixelwise.evaluation.report import write_run_page
from pixelwise.evaluation.scoring import score
from pixelwise.hardware import count_cores
from pixelwise.inference.load import load
from pixelwise.io.atomic import write_text
from pixelwise.io.images import read_rgb
from pixelwise.progress import Progress
from pixelwise.reports.curves import draw_curves
from pixelwise.reports.samples import draw_samples
from pixelwise.reports.tensorboard import write_epoch
from pixelwise.training.config import TrainConfig
from pixelwise.training.history import Epoch
from pixelwise.training.recipes import config_of
from pixelwise.training.state import state_path

SAMPLES = 5

FREE = {"epochs", "minutes", "device", "workers", "cache", "timeout", "profile", "tensorboard"}
"""Options of a training that may differ when it is resumed: how long, where, and what changes no
weights.
"""

PACKAGES = ("pixelwise", "torch", "torchvision", "timm", "lightning-fabric", "numpy", "pillow")


def make_record(
    config: TrainConfig, reading: DataOptions, dataset: DataSet, reasons: dict[str, str]
) -> dict[str, Any]:
    """Configuration with the reasons of its choices, data, versions and machine, as run.json holds
    them.
    """
    return {
        "config": asdict(config),
        "reasons": reasons,
        "reading": asdict(reading),
        "data": {
            "root": str(dataset.root),
            "format": dataset.format,
            "fingerprint": dataset.fingerprint(),
            "classes": list(dataset.classes.names),
            "images": {name: len(pairs) for name, pairs in dataset.splits.items()},
            "notes": list(dataset.notes),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "machine": {
            "platform": platform.platform(),
            "cores": count_cores(),
            "threads": torch.get_num_threads(),
        },
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "result": None,
    }


def write_record(run: Path, record: dict[str, Any]) -> None:
    """Write run.json, atomically; what is no number becomes null, as JSON has no NaN."""
    write_text(run / "run.json", json.dumps(_nulled(record), indent=2, allow_nan=False) + "\n")


def _nulled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _nulled(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def recorded(
    run: Path, config: TrainConfig, reading: DataOptions, progress: Progress
) -> tuple[TrainConfig, DataOptions]:
    """How the run to be resumed trains and reads its data, as it wrote down.

    Options that change no weights may be changed, and all but the recipe where no epoch was
    finished. Says which others are left aside.
    """
    raw = _record_of(run)
    try:
        before = TrainConfig(**_as_given(raw["config"]))
    except TypeError as error:
        raise ConfigError(
            f"run {run} was begun by pixelwise {raw['versions']['pixelwise']}, whose options "
            f"differ ({error}); "
            "begin anew with another --out, and --start with this run's model"
        ) from error
    data = DataOptions(**raw["reading"])
    told = _unusual(config, config_of(config.recipe))
    if config.recipe != "default":
        told["recipe"] = config.recipe
    read = _unusual(reading, DataOptions(seed=reading.seed))
    begun = state_path(run).is_file()
    kept = {
        name: value
        for name, value in told.items()
        if name in FREE or (not begun and name != "recipe")
    }
    if kept.keys() & {"epochs", "minutes"}:
        kept |= {"epochs": config.epochs, "minutes": config.minutes}
    if "device" not in kept and before.device == "cuda" and not torch.cuda.is_available():
        kept["device"] = "auto"
    after = replace(before, **kept)
    data_after = data if begun else replace(data, **read, seed=after.seed)
    aside = {name for name, value in told.items() if getattr(after, name) != value}
    aside |= {name for name, value in read.items() if getattr(data_after, name) != value}
    if aside:
        progress.log(f"resumed as it was begun; left aside: {', '.join(sorted(aside))}")
    return after, data_after


def _unusual(options: Any, usual: Any) -> dict[str, Any]:
    """Fields of a dataclass that differ from those of another."""
    found = {field.name: getattr(options, field.name) for field in fields(options)}
    return {name: value for name, value in found.items() if value != getattr(usual, name)}


def _as_given(config: dict[str, Any]) -> dict[str, Any]:
    """A config from JSON, which has lists for tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in config.items()
    }


def refuse_other_data(run: Path, dataset: DataSet) -> None:
    """Raises ConfigError where the run was begun with other data."""
    before = _record_of(run)["data"]
    if before["fingerprint"] != dataset.fingerprint():
        raise ConfigError(
            f"run {run} was trained on other data ({before['format']}, {before['images']}) "
            f"than {dataset.root}; give "
            "that data, or another --out"
        )


def carry_over(run: Path, record: dict[str, Any]) -> None:
    """Give the new `record` of a resumed run what the old one says of its beginning and its result
    so far.
    """
    before = _record_of(run)
    config = _as_given(before["config"])
    reasons = before["reasons"]
    record["reasons"] = {
        name: reasons[name] for name in reasons if config[name] == record["config"][name]
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
    """Write the result into run.json, and a report without scores. `scale` is what `keep_scale`
    gave.
    """
    record["result"] = {
        "stopped": stopped,
        "epochs": len(history),
        "best": asdict(best),
        "scale": scale,
    }
    write_record(run, record)
    write_run_page(run, record, None)


@dataclass(frozen=True)
class Pictures:
    """curves.png and samples.png of a run, drawn anew while it trains, and its report at the end;
    with `board`, also TensorBoard's events.
    """

    run: Path
    dataset: DataSet
    val: SplitStats
    device: str
    board: bool = False

    def draw(self, history: list[Epoch], best: bool) -> None:
        """After an epoch: the curves, and the samples where the model is a better one."""
        draw_curves([asdict(row) for row in history], self.run / "curves.png")
        if best:
            self._draw_samples()
        if self.board:
            write_epoch(self.run, asdict(history[-1]), self.run / "samples.png" if best else None)

    def catch_up(self, history: list[Epoch]) -> None:
        """Draw what a process that was killed after an epoch did not come to."""
        if _older(self.run / "samples.png", self.run / "model.safetensors"):
            self._draw_samples()
        if _older(self.run / "curves.png", self.run / "history.csv"):
            self.draw(history, False)

    def _draw_samples(self) -> None:
        predictor = load(self.run, device=self.device)
        pairs = self.val.pairs
        shown = pairs[:: max(1, len(pairs) // SAMPLES)][:SAMPLES]
        rows = [
            (read_rgb(p.image), self.dataset.read_labels(p.mask), predictor.predict(p.image).labels)
            for p in shown
        ]
        draw_samples(
            rows, self.run / "samples.png", self.dataset.classes, [pair.name for pair in shown]
        )

    def report(self, record: dict[str, Any], progress: Progress) -> None:
        """Write the report anew with the scores of the best model on the validation images; say it
        where that fails.
        """
        predictor = load(self.run, device=self.device)
        pairs = self.val.pairs
        try:
            found = score(predictor, self.dataset, pairs, split="val", progress=progress)
            write_run_page(self.run, record, (found, predictor, self.dataset, pairs))
        except PixelwiseError as error:
            progress.log(f"report.html is without scores: {error}")


def _older(path: Path, source: Path) -> bool:
    """Whether it was written before its source, or not at all."""
    return not path.is_file() or path.stat().st_mtime_ns < source.stat().st_mtime_ns


def _record_of(run: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
        DataOptions(**found["reading"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"run {run}: its run.json is damaged or of another version ({error}); begin anew "
            "with another --out, and "
            "--start with this run's model"
        ) from error
    return found
