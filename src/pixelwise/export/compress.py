"""A small, fast model made of a good one: trained with it as a teacher, quantised, and measured
beside it.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.config_fields import check_names
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataSet
from pixelwise.errors import ConfigError, ModelError
from pixelwise.evaluation.data_options import training_data_options
from pixelwise.evaluation.scoring import evaluate
from pixelwise.export.int8 import export_int8
from pixelwise.inference.load import load
from pixelwise.inference.predictor import Predictor
from pixelwise.io.atomic import write_text
from pixelwise.metrics.bootstrap import Difference, paired_bootstrap
from pixelwise.metrics.confusion import Counts
from pixelwise.models.checkpoint import check_not_exported, model_path, read_header
from pixelwise.notebook_progress import default_progress
from pixelwise.optional import is_installed
from pixelwise.progress import Progress
from pixelwise.training.config import TrainConfig
from pixelwise.training.network_sizes import NETWORK_SIZES
from pixelwise.training.train import train

INT8 = "model.int8.onnx"
FIGURES = "compressed.json"

# An image is labelled so often, and the middle of the times counts.
TIMED = 7


@dataclass(frozen=True)
class Measured:
    """A model's mean IoU, the milliseconds that a picture takes, and its file in MiB."""

    name: str
    path: Path
    mean_iou: float
    milliseconds: float
    mebibytes: float
    lost: Difference | None
    """Mean IoU of the teacher minus this one's; None for the teacher itself."""


def compress(
    model: str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> list[Measured]:
    """Train a smaller network on the data of the run `model`, with `model` as its teacher, into
    `out`, and quantise it; returns both beside the teacher, scored on the test images, or the
    validation images where there are none.

    data: the labelled data, by default that of the run. `options` are fields of TrainConfig, such
    as minutes, size (`fast`, or `balanced` for a teacher that takes longer than that), or
    unlabelled. Raises ConfigError where no data is known, ModelError for an exported file.
    """
    progress = progress or default_progress()
    teacher = Path(model)
    run = Path(out)
    check_names(options, TrainConfig)
    check_not_exported(teacher)
    size = choose_size(teacher)  # before the data, as the model may be missing
    root, reading = _find_data(teacher, data)
    if not {"size", "decoder", "encoder"} & options.keys():
        options["size"] = size
    options |= {"teacher": (str(teacher),), **reading}
    train(root, run, progress=progress, **options)
    models = [("teacher", teacher), ("small", run)]
    progress.log_section("In 8-bit integers")
    try:
        models.append(("small, int8", export_int8(run, run / INT8, root, progress=progress).path))
    except (ConfigError, ModelError) as error:
        progress.log(f"no int8: {error}")
    progress.log_section("Measured")
    dataset = open_dataset(root, training_data_options(run))
    rows = list(_measure(models, root, dataset, progress))
    text = json.dumps([_as_json(row) for row in rows], indent=2)
    write_text(run / FIGURES, text + "\n")
    return rows


def choose_size(model: Path) -> str:
    """The next smaller size than the network of `model`."""
    config = read_header(model_path(model)).model
    balanced = NETWORK_SIZES["balanced"]
    is_small = config.decoder in (balanced.decoder, NETWORK_SIZES["fast"].decoder)
    return "fast" if is_small and config.encoder == balanced.encoder else "balanced"


def _find_data(model: Path, data: str | Path | None) -> tuple[Path, dict[str, Any]]:
    """The root of the labelled data, and how it is read: as for the training of `model`, so that
    no image is scored that it learned from.
    """
    try:
        record = json.loads((model / "run.json").read_text(encoding="utf-8"))
        reading = dict(record["reading"])
        root = Path(record["data"]["root"] if data is None else data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if data is None:
            raise ConfigError(
                f"{model} does not say what it was trained on; give the data with --data"
            ) from error
        return Path(data), asdict(training_data_options(model))
    if not root.exists():
        raise ConfigError(f"{root}, on which {model} was trained, is gone; give it with --data")
    return root, reading


def _measure(
    models: list[tuple[str, Path]], root: Path, dataset: DataSet, progress: Progress
) -> Iterator[Measured]:
    """Each model's figures, on one runtime; the first is what the others are compared with."""
    runtime = "onnxruntime" if is_installed("onnxruntime") else "torch"
    reference: dict[str, Counts] = {}
    for name, path in models:
        predictor = load(path, runtime=runtime)
        progress.log(f"scoring {name}")
        evaluation = evaluate(predictor, root, progress=Progress())
        lost = None
        if reference:
            names = list(reference)
            pair = [[counts[name] for name in names] for counts in (reference, evaluation.counts)]
            lost, _ = paired_bootstrap(np.array(pair))
        else:
            reference = dict(evaluation.counts)
        image = dataset.pairs(dataset.scored())[0].image
        yield Measured(
            name,
            path,
            evaluation.scores.mean_iou,
            _milliseconds(predictor, image),
            _file_of(path).stat().st_size / 2**20,
            lost,
        )


def _file_of(path: Path) -> Path:
    return path if path.is_file() else model_path(path)


def _milliseconds(predictor: Predictor, image: Path) -> float:
    """Of one picture that is decoded already."""
    picture = predictor.read(image)
    times = []
    for _ in range(1 + TIMED):
        start = time.perf_counter()
        predictor.predict(picture)
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times[1:]))


def _as_json(row: Measured) -> dict[str, Any]:
    values = asdict(row)
    return {**values, "path": str(row.path)}
