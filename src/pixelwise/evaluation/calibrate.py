"""Temperature scaling: the number that calibrates a model's confidence, and a copy of the model
that has it.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, Pair
from pixelwise.errors import ConfigError, DataError
from pixelwise.evaluation.class_match import match_classes
from pixelwise.evaluation.data_options import drop_broken_pairs, training_data_options
from pixelwise.inference.predictor import Predictor, Result
from pixelwise.io.images import Array, void_invalid
from pixelwise.metrics.calibration import fit_temperature
from pixelwise.models.checkpoint import check_not_exported, load_model, model_path, save_model
from pixelwise.models.file_kinds import is_exported
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress

# At most so many images, evenly spaced, and pixels of all together, seeded: one number needs no
# more, and their logits must fit into memory.
MAX_IMAGES = 200
MAX_PIXELS = 100_000


def find_temperature(
    model: Predictor,
    data: str | Path,
    *,
    options: DataOptions | None = None,
    progress: Progress | None = None,
) -> float:
    """The temperature T by which dividing the logits makes the validation split of the folder
    `data` likeliest.

    Pixels of classes that the model does not know are left out. Raises DataError without a
    validation split, or where all its pixels are void or of unknown classes, and as
    `match_classes`.
    """
    progress = progress or default_progress()
    options = options or training_data_options(model)
    dataset = drop_broken_pairs(open_dataset(data, options), "val", options, progress)
    pairs = evenly_spaced(dataset.pairs("val"))
    to_model = match_classes(model.classes, dataset.classes).model_labels()
    rng = np.random.default_rng(0)  # the same pixels, and temperature, in every run
    max_pixels = MAX_PIXELS // len(pairs)
    logits = list[NDArray[np.float32]]()
    targets = list[NDArray[np.intp]]()
    for pair in progress.track(pairs, what="calibrating on val", total=len(pairs)):
        prediction = model.predict(pair.image, scores="logits")
        target = void_invalid(to_model[dataset.read_labels(pair.mask)], prediction.valid)
        indices = _choose_pixels(target, max_pixels, rng)
        chosen = target.reshape(-1)[indices]  # (N,)
        targets.append(chosen.astype(np.intp))
        logits.append(_logits_of_pixels(prediction, indices))
    if not any(map(len, targets)):
        raise DataError("every pixel of val is void: there is nothing to calibrate with")
    return fit_temperature(np.concatenate(logits), np.concatenate(targets))


def _choose_pixels(target: Array, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices (N,) of at most `count` pixels that are not void."""
    known = np.flatnonzero(target != VOID)
    return rng.choice(known, min(len(known), count), replace=False)


def _logits_of_pixels(prediction: Result, indices: NDArray[np.intp]) -> NDArray[np.float32]:
    """(N, C) of some pixels."""
    logits = prediction.scores["logits"]  # (C, H, W)
    flat = logits.reshape(len(logits), -1)
    chosen: NDArray[np.float16] = flat[:, indices]  # (C, N)
    return chosen.T.astype(np.float32)


def write_calibrated(model: str | Path, path: str | Path, temperature: float) -> None:
    """Write a copy of a model file (or that of a run folder) whose logits are divided by
    `temperature` more.

    Labels stay; confidence, probabilities and every export follow. Raises as `check_calibrated`,
    `load_model` and `save_model` do.
    """
    check_calibrated(Path(model), Path(path))
    network, header = load_model(model_path(Path(model)))
    config = replace(header.model, temperature=header.model.temperature * temperature)
    save_model(Path(path), network, replace(header, model=config))


def check_calibrated(model: Path, path: Path) -> None:
    """Raises ModelError for an exported `model`, ConfigError for a `path` that is no name of a
    model file: what `write_calibrated` would refuse after minutes of work.
    """
    check_not_exported(model)
    if path.suffix.lower() != ".safetensors":
        advice = ", then pixelwise export makes that of it" if is_exported(path) else ""
        raise ConfigError(
            f"--calibrated {path}: is written as a model file; give a name that ends in "
            f".safetensors{advice}"
        )


def evenly_spaced(pairs: tuple[Pair, ...]) -> list[Pair]:
    """At most MAX_IMAGES of them, evenly spaced."""
    count = min(MAX_IMAGES, len(pairs))
    positions = np.linspace(0, len(pairs) - 1, count)
    indices = positions.round().astype(int)
    return [pairs[index] for index in indices]
