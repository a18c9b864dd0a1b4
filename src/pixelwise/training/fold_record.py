"""What a folder of folds records: folds.json, with options, the images of each fold, and scores."""

import json
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import ConfigError
from pixelwise.io.atomic import write_text
from pixelwise.models.checkpoint import FOLDS_FILE
from pixelwise.training.config import TrainConfig
from pixelwise.training.run_record import config_of, read_record


@dataclass(frozen=True)
class FoldPlan:
    """How the folds of a folder are trained: `images` are the paths, within the data set, that each
    holds out.
    """

    config: TrainConfig
    reading: DataOptions
    fingerprint: str
    images: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()

    def reading_of(self, name: str) -> DataOptions:
        """How the data is read for a fold."""
        return DataOptions(**{**asdict(self.reading), "val_images": self.images[name]})


@dataclass
class FoldState:
    """How far a folder is: the folds that are trained, and the seconds that all took so far."""

    done: set[str] = field(default_factory=set)
    seconds: float = 0.0
    result: dict[str, Any] | None = None


def write_state(out: Path, plan: FoldPlan, state: FoldState) -> None:
    """Write folds.json, atomically."""
    record = {
        "config": plan.config.flat(),
        "reading": asdict(plan.reading),
        "fingerprint": plan.fingerprint,
        "notes": plan.notes,
        "versions": {"pixelwise": version("pixelwise")},
        "seconds": round(state.seconds, 1),
        "folds": [
            {"run": name, "done": name in state.done, "images": images}
            for name, images in plan.images.items()
        ],
        "result": state.result,
    }
    write_text(out / FOLDS_FILE, json.dumps(record, indent=1, allow_nan=False) + "\n")


def read_plan(out: Path) -> tuple[FoldPlan, FoldState]:
    """The plan in a folder of folds, and how far it is. Raises ConfigError for a damaged one and
    for one of a version whose options differ.
    """
    path = out / FOLDS_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        plan = FoldPlan(
            config_of(record, out),
            DataOptions(**record["reading"]),
            str(record["fingerprint"]),
            {fold["run"]: tuple(fold["images"]) for fold in record["folds"]},
            tuple(record["notes"]),
        )
        done = {fold["run"] for fold in record["folds"] if fold["done"]}
        return plan, FoldState(done, float(record["seconds"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: damaged or of another version ({error}); begin again with another --out"
        ) from error


def minutes_of(run: Path) -> float | None:
    """The minutes with which a run was begun; None where it was not, or has none."""
    if not (run / "run.json").is_file():
        return None
    minutes = read_record(run)["config"]["minutes"]
    return None if minutes is None else float(minutes)


def check_same_folds(
    plan: FoldPlan, dataset: DataSet, folds: int | None, out: Path, data: Path
) -> None:
    """Raises ConfigError where a folder is to be gone on with by other data or another number of
    folds.
    """
    if folds is not None and folds != len(plan.images):
        raise ConfigError(
            f"{out} was begun with --folds {len(plan.images)}, and {folds} are asked for; leave "
            "out --folds, or give another --out"
        )
    if plan.fingerprint != dataset.fingerprint():
        raise ConfigError(
            f"the folds in {out} were begun with other data than {data}; give that data, or "
            "another --out"
        )
