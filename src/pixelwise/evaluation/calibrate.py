"""Temperature scaling: the number that makes a model's confidence honest, and a copy of the model
that has it.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pixelwise.classes import VOID
from pixelwise.datasets.registry import open_dataset
from pixelwise.datasets.types import DataOptions, Pair
from pixelwise.errors import DataError, ModelError
from pixelwise.evaluation.data_options import as_trained, readable
from pixelwise.inference.load import EXPORTED
from pixelwise.inference.predictor import Predictor
from pixelwise.metrics.calibration import fit_temperature
from pixelwise.models.checkpoint import load_model, model_path, save_model
from pixelwise.progress import Progress

IMAGES = 200
PIXELS = 100_000
"""At most so many images, evenly spaced, and pixels of all together, seeded, are looked at."""


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
    validation split, or where all its pixels are void or of unknown classes.
    """
    progress = progress or Progress()
    options = options or as_trained(model)
    dataset = readable(open_dataset(data, options), "val", options, progress)
    pairs = spread(dataset.pairs("val"))
    names = model.classes.names
    table = np.full(256, VOID, np.uint8)
    for label, name in enumerate(dataset.classes.names):
        table[label] = names.index(name) if name in names else VOID
    rng = np.random.default_rng(0)
    logits = []
    targets = []
    for pair in progress.track(pairs, what="calibrating on val", total=len(pairs)):
        target = table[dataset.read_labels(pair.mask)].reshape(-1)
        known = np.flatnonzero(target != VOID)
        chosen = rng.choice(known, min(len(known), PIXELS // len(pairs)), replace=False)
        scores = model.predict(pair.image, scores="logits").scores["logits"]
        logits.append(scores.reshape(len(names), -1)[:, chosen].T.astype(np.float32))
        targets.append(target[chosen].astype(np.intp))
    if not any(map(len, targets)):
        raise DataError("every pixel of val is void: there is nothing to calibrate with")
    return fit_temperature(np.concatenate(logits), np.concatenate(targets))


def write_calibrated(model: str | Path, path: str | Path, temperature: float) -> None:
    """Write a copy of a model file (or that of a run folder) whose logits are divided by
    `temperature` more.

    Labels stay; confidence, probabilities and every export follow. Raises ModelError for an
    exported model, and what `load_model` and `save_model` raise.
    """
    refuse_exported(Path(model))
    network, header = load_model(model_path(Path(model)))
    config = replace(header.model, temperature=header.model.temperature * temperature)
    save_model(Path(path), network, replace(header, model=config))


def refuse_exported(model: Path) -> None:
    """Raises ModelError for a file that `export` wrote."""
    if model.suffix in EXPORTED:
        raise ModelError(
            f"model {model}: an exported file cannot be changed; calibrate the .safetensors, "
            "then export"
        )


def spread(pairs: tuple[Pair, ...]) -> list[Pair]:
    """At most IMAGES of them, evenly spaced."""
    return [
        pairs[at]
        for at in np.linspace(0, len(pairs) - 1, min(IMAGES, len(pairs))).round().astype(int)
    ]
