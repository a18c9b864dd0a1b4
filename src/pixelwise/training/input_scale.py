"""The scale at which a trained network sees images: chosen on the validation images and saved in
the model file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pixelwise.datasets.types import DataSet, Pair
from pixelwise.errors import PixelwiseError
from pixelwise.evaluation.calibrate import evenly_spaced
from pixelwise.evaluation.score_layers import count_layers_by_image
from pixelwise.evaluation.scoring import count_by_image
from pixelwise.inference.backends.torch_runner import TorchRunner
from pixelwise.inference.layer_predictor import LayerPredictor, make_predictor
from pixelwise.inference.predictor import Predictor
from pixelwise.metrics.bootstrap import Difference, paired_bootstrap
from pixelwise.metrics.confusion import Counts
from pixelwise.models.checkpoint import load_model, save_model
from pixelwise.models.segmenter import Segmenter
from pixelwise.progress import Progress
from pixelwise.training.auto_config import validation_scale
from pixelwise.training.config import TrainConfig

LADDER = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)

# Fewer images cannot tell a gain from chance.
MIN_IMAGES = 10


# Of the validation images, one in so many is enough for a training whose minutes are counted.
STRIDE = 3


def scale_stride(images: int) -> int:
    """The stride at which a training of counted minutes tries scales on its validation images; at
    least MIN_IMAGES of them where there are as many.
    """
    return max(1, min(STRIDE, images // MIN_IMAGES))


def likely_trials(before: float, images: int) -> tuple[float, ...]:
    """The scales at which `find_input_scale` sees the images in any case: further ones follow only
    where one of these is better. None of too few images.
    """
    if images < MIN_IMAGES:
        return ()
    smaller = [scale for scale in LADDER if scale < before][-1:]
    larger = [scale for scale in LADDER if scale > before][:1]
    return (before, *smaller, *larger)


@dataclass(frozen=True)
class ScaleChoice:
    """The chosen scale, and why."""

    scale: float
    before: float
    """The scale at which the network was validated in training."""
    gain: Difference | None
    """Mean IoU at `scale` minus that at `before`; None where they are the same."""
    tried: tuple[float, ...]
    """The other scales."""
    images: int

    @property
    def why(self) -> str:
        """In words."""
        where = f"on {self.images} validation images"
        if not self.tried:
            return f"{self.images} validation images are too few to find a better one"
        if self.gain is None:
            return (
                f"neither {' nor '.join(f'{scale:g}' for scale in self.tried)} is clearly "
                f"better {where}"
            )
        gain, low, high = (
            100 * figure for figure in (self.gain.value, self.gain.low, self.gain.high)
        )
        points = (
            f"{gain:+.1f} points of mean IoU beside {self.before:g} {where} (95 %: {low:+.1f} "
            f"to {high:+.1f})"
        )
        return f"{points}, for {(self.scale / self.before) ** 2:.2f} times the pixels"


def keep_input_scale(
    run: Path,
    dataset: DataSet,
    pairs: tuple[Pair, ...],
    config: TrainConfig,
    progress: Progress,
) -> dict[str, Any]:
    """Choose the scale of a run's model, with the reason: the config's, or else the best one on
    `pairs`, which is written into the model and logged; that of training where trying fails, as
    when a larger size does not fit into a GPU.
    """
    if config.model.predict_scale is not None:
        return {"predict_scale": config.model.predict_scale, "why": "as told"}
    model, header = load_model(run)
    scale = validation_scale(config)
    model.scale = scale
    device = torch.device(config.run.device)
    runner = TorchRunner(model, device=device, precision=config.run.precision)
    predictor = make_predictor(runner, header)
    try:
        choice = find_input_scale(
            model,
            predictor,
            dataset,
            evenly_spaced(pairs),
            progress,
        )
        scale = choice.scale
        why = choice.why
    except PixelwiseError as error:
        why = f"no other could be tried: {error}"
    progress.log(f"predict_scale {scale:g}: {why}")
    if scale != header.model.scale:
        scaled = replace(header, model=replace(header.model, scale=scale))
        save_model(run / "model.safetensors", model, scaled)
    return {"predict_scale": scale, "why": why}


def find_input_scale(
    model: Segmenter,
    predictor: Predictor,
    dataset: DataSet,
    pairs: Sequence[Pair],
    progress: Progress,
) -> ScaleChoice:
    """The best scale for `model`, which runs in `predictor`; its own where no other of LADDER is
    significantly better.

    Smaller scales are tried first, larger ones where these bring no gain, each direction for as
    long as a step's gain in mean IoU over `pairs` is significant: its paired interval leaves out
    zero. The network's own scale is changed on the way. With fewer than MIN_IMAGES pairs nothing is
    tried.
    """
    before = model.scale
    if len(pairs) < MIN_IMAGES:
        return ScaleChoice(before, before, None, (), len(pairs))
    measure = partial(_counts, model, predictor, dataset, pairs, progress)
    counts = {before: measure(before)}
    smaller = [scale for scale in reversed(LADDER) if scale < before]
    larger = [scale for scale in LADDER if scale > before]
    best = _climb(before, smaller, counts, measure)
    if best == before:
        best = _climb(before, larger, counts, measure)
    gain = None
    if best != before:
        gain = _compare(counts[best], counts[before])
    _, *tried = counts
    return ScaleChoice(best, before, gain, tuple(tried), len(pairs))


def _climb(
    start: float,
    scales: Sequence[float],
    counts: dict[float, Counts],
    measure: Callable[[float], Counts],
) -> float:
    """The last scale whose step up to it is a significant gain; those measured go to `counts`."""
    best = start
    for scale in scales:
        counts[scale] = measure(scale)
        gain = _compare(counts[scale], counts[best])
        if not gain.low > 0:  # also where it is not a number
            break
        best = scale
    return best


def _compare(counts: Counts, reference: Counts) -> Difference:
    differences = paired_bootstrap(np.stack([counts, reference]))
    return differences[0]


def _counts(
    model: Segmenter,
    predictor: Predictor,
    dataset: DataSet,
    pairs: Sequence[Pair],
    progress: Progress,
    scale: float,
) -> Counts:
    """(N, 3, C), as in PerImage."""
    model.scale = scale
    what = f"trying scale {scale:g}"
    if isinstance(predictor, LayerPredictor):
        return count_layers_by_image(predictor, dataset, pairs, progress, what)
    return count_by_image(predictor, dataset, pairs, progress, what)
