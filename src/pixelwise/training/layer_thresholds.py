"""The score from which a pixel is of a class, where classes overlap: of each class the one with the
best IoU on the validation images, saved in the model file.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.datasets.types import DataSet, Pair
from pixelwise.errors import PixelwiseError
from pixelwise.evaluation.calibrate import evenly_spaced
from pixelwise.inference.backends.torch_runner import TorchRunner
from pixelwise.inference.layer_predictor import LayerPredictor, make_predictor
from pixelwise.io.images import void_invalid
from pixelwise.metrics.confusion import Figures, safe_divide
from pixelwise.models.checkpoint import load_model, save_model
from pixelwise.progress import Progress
from pixelwise.training.config import TrainConfig

# Scores are counted in so many equal steps; thresholds are whole steps.
STEPS = 100

# Lowest and highest step that is tried: beyond, a few pixels would decide.
RANGE = (5, 95)


def keep_thresholds(
    run: Path,
    dataset: DataSet,
    pairs: tuple[Pair, ...],
    config: TrainConfig,
    progress: Progress,
) -> None:
    """Find the thresholds of a run's model on `pairs`, log them and write them into the model; .5
    stays where that fails.
    """
    model, header = load_model(run)
    runner = TorchRunner(
        model, device=torch.device(config.run.device), precision=config.run.precision
    )
    predictor = make_predictor(runner, header)
    assert isinstance(predictor, LayerPredictor)
    try:
        iou = measure_thresholds(predictor, dataset, evenly_spaced(pairs), progress)
    except PixelwiseError as error:
        progress.log(f"thresholds .5: no others could be tried: {error}")
        return
    thresholds = choose_thresholds(iou)
    for number, (name, threshold) in enumerate(zip(header.classes.names, thresholds, strict=True)):
        step = round(threshold * STEPS)
        progress.log(
            f"threshold {threshold:.2f}: of {name}, IoU {iou[number, step]:.3f} on "
            f"{len(pairs)} validation images, {iou[number, STEPS // 2]:.3f} at 0.50"
        )
    chosen = replace(header, model=replace(header.model, thresholds=thresholds))
    save_model(run / "model.safetensors", model, chosen)


def measure_thresholds(
    predictor: LayerPredictor, dataset: DataSet, pairs: Sequence[Pair], progress: Progress
) -> Figures:
    """(C, STEPS + 1) the IoU of each class over all pixels of `pairs`, by its threshold in steps;
    NaN for a class that is nowhere.
    """
    classes = len(predictor.classes)
    counts = np.zeros((2, classes, STEPS + 1), np.int64)  # of pixels not and truly of a class
    for pair in progress.track(pairs, what="trying thresholds", total=len(pairs)):
        prediction = predictor.predict_layers(pair.image)
        truth = void_invalid(dataset.read_labels(pair.mask), prediction.valid)
        # above a step by more than the scores' last digit, so that their rounding changes nothing
        steps = np.floor(prediction.scores.astype(np.float32) * STEPS + 1e-3).astype(np.int64)
        for number in range(classes):
            for value in (0, 1):
                own = steps[number][truth[number] == value]
                counts[value, number] += np.bincount(own, minlength=STEPS + 1)
    above: NDArray[np.int64] = counts[..., ::-1].cumsum(-1)[..., ::-1]
    right = above[1]
    predicted = above.sum(0)
    true = counts[1].sum(-1, keepdims=True)
    return safe_divide(right, true + predicted - right)


def choose_thresholds(iou: Figures) -> tuple[float, ...]:
    """Of each class the threshold in RANGE with the highest IoU, of several the one next to .5; .5
    for a class that is nowhere.
    """
    low, high = RANGE
    steps = np.arange(low, high + 1)
    distance = np.abs(steps - STEPS // 2)
    chosen = []
    for row in iou[:, low : high + 1]:
        best = np.nan_to_num(row, nan=0.0)
        candidates = np.flatnonzero(best == best.max())
        chosen.append(float(steps[candidates[distance[candidates].argmin()]]) / STEPS)
    return tuple(chosen)
