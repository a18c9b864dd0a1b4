"""Two folders to a trained model: data, model, loop and reports put together."""

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pixelwise.checkpoint import Header, load_model
from pixelwise.data.build import open_dataset
from pixelwise.data.loaders import TrainingSet, WholeImages, default_workers, training_loader, validation_loader
from pixelwise.data.sample import DataOptions, DataSet
from pixelwise.data.survey import Survey, survey
from pixelwise.data.transforms import Augmentation
from pixelwise.errors import ConfigError, DataError, OutputError, TrainingError, unknown
from pixelwise.files import write_text
from pixelwise.images import read_rgb
from pixelwise.inference.load import choose_device, load
from pixelwise.jobs.book import BookFigures, book_figures
from pixelwise.models.build import ModelConfig
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.transfer import transfer
from pixelwise.models.weights import load_weights
from pixelwise.monitor import Monitor
from pixelwise.reports.curves import draw_curves
from pixelwise.reports.page import write_report
from pixelwise.reports.samples import draw_samples
from pixelwise.tasks.labels import VOID
from pixelwise.training.config import TrainConfig
from pixelwise.training.history import Epoch
from pixelwise.training.loop import Loaders, Outcome, fit
from pixelwise.training.precision import choose_precision
from pixelwise.training.recipes import config_of
from pixelwise.training.state import state_path

CROP_PIXELS = 320 * 480
SAMPLES = 5


@dataclass(frozen=True)
class Run:
    """A finished training: its folder, whether it was stopped early, and one row an epoch."""

    path: Path
    stopped: bool
    history: list[Epoch]

    @property
    def best(self) -> Epoch:
        """The epoch whose weights are in `path`/model.safetensors."""
        return max(self.history, key=lambda row: row.val_mean_iou)


def train(
    data: str | Path,
    out: str | Path,
    *,
    config: TrainConfig | None = None,
    resume: bool = False,
    monitor: Monitor | None = None,
    **options: Any,
) -> Run:
    """Train a model on the folder `data` and write the run folder `out`.

    `options` are fields of DataOptions (how the data is read) and, where no `config` is given, of TrainConfig.
    Raises ConfigError for an unknown one, DataError for data that cannot be used, OutputError where `out` exists and
    `resume` is not set, TrainingError where the loss is no number or the first epoch was not finished.
    """
    run, monitor = Path(out), monitor or Monitor()
    _claim(run, resume)
    config, reading = _sorted(config, options)
    begun = resume and (run / "run.json").is_file()
    if begun:
        reading = _recorded_reading(run)
    dataset = open_dataset(data, reading)
    for note in dataset.notes:
        monitor.line(note)
    config = _recorded(run, dataset, config) if begun else config
    torch.manual_seed(config.seed)
    model_config = ModelConfig(
        config.decoder, config.encoder, len(dataset.classes), upsample=config.upsample, plain=config.plain
    )
    model = model_config.build()
    if not (begun and state_path(run).is_file()):  # else the state brings the weights
        monitor.line(_begin(model, model_config, dataset, config))
    parts = {name: survey(dataset, name, monitor=monitor, skip_broken=config.skip_broken) for name in ("train", "val")}
    _warn_of_unseen(dataset, parts, monitor)
    config = _chosen(config, parts["train"])
    if config.drop_small:
        parts["train"] = _without_small(parts["train"], config, monitor)
    config = _with_precision(config, model, monitor)
    record = _record(config, reading, dataset)
    _write_record(run, record)
    header = Header(model_config, dataset.classes, {"crop": config.crop, "data": dataset.format})
    loaders = _loaders(dataset, parts, config)
    outcome = fit(model, loaders, config=config, header=header, run=run, monitor=monitor)
    if config.recipe == "book" and outcome.history:
        record["book"] = _say_book(book_figures(model, outcome.history[-1], dataset, parts["val"], config), monitor)
    return _finish(run, outcome, dataset, parts["val"], record, monitor)


def _sorted(config: TrainConfig | None, options: dict[str, Any]) -> tuple[TrainConfig, DataOptions]:
    """Options given by keyword, to the dataclass that has them; `seed` is in both."""
    training, reading = ({field.name for field in fields(kind)} for kind in (TrainConfig, DataOptions))
    for name in options:
        if name not in (reading if config else reading | training):
            raise unknown("option", name, reading | training)
    if config is None:
        given = {name: value for name, value in options.items() if name in training}
        config = config_of(given.pop("recipe", "default"), **given)
    return config, DataOptions(**{"seed": config.seed, **{k: v for k, v in options.items() if k in reading}})


def _claim(run: Path, resume: bool) -> None:
    if run.is_file():
        raise OutputError(f"run folder {run} is a file; choose another --out")
    if not resume and run.is_dir() and any(run.iterdir()):
        raise OutputError(f"run folder {run} exists; give --resume to go on with it, or another --out")


def _begin(model: Segmenter, model_config: ModelConfig, dataset: DataSet, config: TrainConfig) -> str:
    """Give the network its first weights; returns where they came from."""
    if config.start is None:
        return load_weights(model.encoder, config.weights)
    source, header = load_model(Path(config.start))
    names, known = dataset.classes.names, header.classes.names
    return f"start {config.start}: {transfer(model, model_config, names, state=source.state_dict(), known=known)}"


def _without_small(train: Survey, config: TrainConfig, monitor: Monitor) -> Survey:
    assert config.crop is not None
    kept = train.of_at_least(config.crop)
    height, width = config.crop
    monitor.line(f"{len(train.pairs) - len(kept)} of {len(train.pairs)} images are below {height} x {width}: dropped")
    return replace(train, pairs=kept)


def _say_book(figures: BookFigures, monitor: Monitor) -> dict[str, float]:
    for line in figures.lines():
        monitor.line(line)
    return figures.as_dict()


def _warn_of_unseen(dataset: DataSet, parts: dict[str, Survey], monitor: Monitor) -> None:
    names = dataset.classes.names
    unseen = [n for n, t, v in zip(names, parts["train"].pixels, parts["val"].pixels, strict=True) if v and not t]
    if unseen:
        monitor.line(f"warning: in validation but never in training: {', '.join(unseen)}")
    if not sum(parts["train"].pixels):
        raise DataError("every training pixel is void: nothing can be learned; check what the mask values mean")


def _chosen(config: TrainConfig, train: Survey) -> TrainConfig:
    """The config with crop, workers and device decided."""
    device = choose_device(config.device).type
    workers = default_workers() if config.workers is None else config.workers
    return replace(config, crop=config.crop or _crop(train.median_size), workers=workers, device=device)


def _crop(size: tuple[int, int]) -> tuple[int, int]:
    """The median image's shape, shrunk to CROP_PIXELS where it has more, in multiples of 32."""
    shrink = min(1.0, (CROP_PIXELS / (size[0] * size[1])) ** 0.5)
    height, width = (max(32, round(side * shrink / 32) * 32) for side in size)
    return height, width


def _with_precision(config: TrainConfig, model: torch.nn.Module, monitor: Monitor) -> TrainConfig:
    if config.precision == "auto":
        assert config.crop is not None
        device = torch.device(config.device)
        precision, why = choose_precision(model, device=device, crop=config.crop, batch=config.batch)
        monitor.line(f"precision {precision}: {why}")
        config = replace(config, precision=precision)
    return config


def _loaders(dataset: DataSet, parts: dict[str, Survey], config: TrainConfig) -> Loaders:
    assert config.crop is not None
    assert config.workers is not None
    augment = Augmentation(config.crop, config.scale, config.jitter, config.mirror)
    void_as = 0 if config.void_as_background else VOID
    training = TrainingSet(parts["train"].pairs, dataset.read_labels, augment, config.seed, void_as)
    if len(training) < 2:
        raise DataError(f"{len(training)} training image: at least 2 are needed")
    loader, epochs = training_loader(training, batch=config.batch, workers=config.workers)
    whole = WholeImages(parts["val"].pairs, dataset.read_labels)
    return Loaders(loader, epochs, validation_loader(whole, workers=config.workers))


def _record(config: TrainConfig, reading: DataOptions, dataset: DataSet) -> dict[str, Any]:
    packages = ("pixelwise", "torch", "torchvision", "timm", "lightning-fabric", "numpy", "pillow")
    return {
        "config": asdict(config),
        "reading": asdict(reading),
        "data": {
            "root": str(dataset.root),
            "format": dataset.format,
            "fingerprint": dataset.fingerprint(),
            "classes": list(dataset.classes.names),
            "images": {name: len(pairs) for name, pairs in dataset.splits.items()},
            "notes": list(dataset.notes),
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "machine": {"platform": platform.platform(), "cores": os.cpu_count(), "threads": torch.get_num_threads()},
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "result": None,
    }


def _recorded_reading(run: Path) -> DataOptions:
    """How the run to be resumed read its data: split, matte threshold, what was left out."""
    return DataOptions(**json.loads((run / "run.json").read_text(encoding="utf-8"))["reading"])


def _recorded(run: Path, dataset: DataSet, config: TrainConfig) -> TrainConfig:
    """The config that the run to be resumed wrote down; the data must be the same, the length may be changed."""
    raw = json.loads((run / "run.json").read_text(encoding="utf-8"))
    if raw["data"]["fingerprint"] != dataset.fingerprint():
        raise ConfigError(
            f"run {run} was trained on other data ({raw['data']['format']}, {raw['data']['images']}) than "
            f"{dataset.root}; give that data, or another --out"
        )
    lists = {key: tuple(value) for key, value in raw["config"].items() if isinstance(value, list)}
    before = TrainConfig(**{**raw["config"], **lists})
    if config.epochs is not None or config.minutes is not None:
        return replace(before, epochs=config.epochs, minutes=config.minutes)
    return before


def _write_record(run: Path, record: dict[str, Any]) -> None:
    write_text(run / "run.json", json.dumps(record, indent=2) + "\n")


def _finish(
    run: Path, outcome: Outcome, dataset: DataSet, val: Survey, record: dict[str, Any], monitor: Monitor
) -> Run:
    """Pictures, report and result of what was reached."""
    if outcome.best is None:
        raise TrainingError("stopped before the first epoch was done: there is no model yet; go on with --resume")
    predictor = load(run, device=record["config"]["device"])
    shown = val.pairs[:: max(1, len(val.pairs) // SAMPLES)][:SAMPLES]
    rows = [(read_rgb(p.image), dataset.read_labels(p.mask), predictor.predict(p.image).labels) for p in shown]
    draw_samples(rows, run / "samples.png", dataset.classes, [pair.name for pair in shown])
    history = [asdict(row) for row in outcome.history]
    draw_curves(history, run / "curves.png")
    record["result"] = {"stopped": outcome.stopped, "epochs": len(history), "best": asdict(outcome.best)}
    _write_record(run, record)
    pictures = [("Loss and scores by epoch", run / "curves.png"), ("Validation images", run / "samples.png")]
    write_report(run / "report.html", title=run.name, facts=_facts(record), scores=None, pictures=pictures)
    monitor.line(f"best: epoch {outcome.best.epoch}, validation mean IoU {outcome.best.val_mean_iou:.3f}; in {run}")
    return Run(run, outcome.stopped, outcome.history)


def _facts(record: dict[str, Any]) -> list[tuple[str, str]]:
    best, data, config = record["result"]["best"], record["data"], record["config"]
    return [
        (
            "Validation mean IoU",
            f"{best['val_mean_iou']:.4f} (best of {record['result']['epochs']} epochs, epoch {best['epoch']})",
        ),
        ("Validation pixel accuracy", f"{best['val_pixel_accuracy']:.4f}"),
        ("Training time", f"{best['seconds'] / 60:.1f} minutes to the best epoch"),
        (
            "Data",
            f"{data['root']} ({data['format']}; {', '.join(f'{k} {v}' for k, v in data['images'].items())} images)",
        ),
        *((key, str(value)) for key, value in config.items()),
    ]
