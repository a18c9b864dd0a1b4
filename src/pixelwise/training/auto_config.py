"""What a training decides by itself, from the data and the machine, each with its reason."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pixelwise.errors import TrainingError
from pixelwise.hardware import is_out_of_memory
from pixelwise.models.config import SCALES
from pixelwise.training.config import TrainConfig
from pixelwise.training.loaders import VALIDATION_TILE
from pixelwise.training.transforms import AUGMENTATIONS

CROP_PIXELS = 320 * 480
CROP_SIDE = 0.8
"""Of the median image's sides: a random window then has somewhere to go, also where the image is
made smaller.
"""

SAMPLES = 10_000
"""Samples that a training of unstated length sees: 27 epochs over CamVid's 367 images."""

EPOCHS = (10, 60)
BATCH = {"cpu": 8, "cuda": 16}
CACHE_SHARE = 8
"""Of the free memory one part in so many may hold decoded images; the rest is for steps and other
programs.
"""

SMALLER = (0.75, 0.5)
"""Scales by which images may be looked at. At less, tiles of 1024 pixels would show a network less
than crops did.
"""

REACH = 0.8
"""Share of a crop that an image must fill at such a scale."""

KEPT = 0.98
"""What masks must keep of their mean IoU at such a scale. Those of portraits keep .990 at a half,
CamVid's .961 at three quarters (benchmarks/results/scales.md).
"""

BYTES_PER_PIXEL = 2500
"""What a step holds for one pixel of a sample; measured on the default network in float32."""


@dataclass(frozen=True)
class Facts:
    """What the choices rest on: training images, their median (height, width), the device, its free
    bytes, cores, the free bytes of main memory, those of all images and masks decoded, processes in
    all and on this machine, and what masks keep of their mean IoU when they are looked at by each
    of some scales.
    """

    images: int
    median_size: tuple[int, int]
    device: str
    memory: int
    cores: int
    main_memory: int = 0
    decoded: int = 0
    processes: int = 1
    processes_here: int = 1
    kept: Callable[[Sequence[float]], Mapping[float, float]] = lambda scales: dict.fromkeys(
        scales, 1.0
    )


@contextmanager
def enough_memory(device: str, what: str) -> Iterator[None]:
    """Raises TrainingError where the device has too little memory for the block: for `what`, which
    says what to do.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(f"{device} has too little free memory for {what}") from error


def for_steps(config: TrainConfig) -> str:
    """For `enough_memory`."""
    height, width = config.data.crop or (0, 0)
    return (
        f"steps of {config.data.batch} samples of {height} x {width} pixels (height x width): "
        "choose a smaller --batch, "
        "with --set accumulate=2 for steps that see as many samples, or a smaller --crop"
    )


FOR_VALIDATION = (
    f"validation, whose images are taken whole up to {VALIDATION_TILE} pixels a side: choose "
    "a smaller "
    "--set predict_scale, or --device cpu"
)
"""For `enough_memory`."""


def choose(config: TrainConfig, facts: Facts) -> tuple[TrainConfig, dict[str, str]]:
    """`config` with every open choice made, and for each its reason. What was given stays as it
    is.
    """
    reasons: dict[str, str] = {}

    def decide(name: str, make: Callable[[], tuple[Any, str]]) -> None:
        nonlocal config
        if getattr(config, name) is None:
            value, reasons[name] = make()
            config = replace(config, **{name: value})

    decide("crop", lambda: _crop(facts))
    decide("scale", lambda: _scale(facts, config))
    decide("batch", lambda: _batch(facts, config))
    decide("accumulate", lambda: _accumulate(facts, config))
    if config.optim.minutes is None:
        decide("epochs", lambda: _epochs(facts))
    decide("cache", lambda: _cache(facts))
    decide(
        "workers",
        lambda: (default_workers(facts.cores), f"one of every two of {facts.cores} cores, 1 to 8"),
    )
    return config, reasons


def default_workers(cores: int | None = None) -> int:
    """Decoding processes: one of every two cores, 1 to 8."""
    return max(1, min(8, (cores or os.cpu_count() or 1) // 2))


def _crop(facts: Facts) -> tuple[tuple[int, int], str]:
    """CROP_SIDE of the median image, and at most CROP_PIXELS, in multiples of 32."""
    height, width = facts.median_size
    shrink = min(CROP_SIDE, (CROP_PIXELS / (height * width)) ** 0.5)
    crop = (max(32, round(height * shrink / 32) * 32), max(32, round(width * shrink / 32) * 32))
    return crop, f"{shrink:.2f} of the median image's {height} x {width}, in multiples of 32"


def _scale(facts: Facts, config: TrainConfig) -> tuple[tuple[float, float], str]:
    """The augmentation's, less by one of SMALLER where crops would show parts of the images alone,
    for masks that lose little by it; not where a scale for prediction is told.
    """
    assert config.data.crop is not None
    low, high = AUGMENTATIONS[config.augmentation.augment]["scale"]
    whole = max(
        crop / side for crop, side in zip(config.data.crop, facts.median_size, strict=True)
    )  # fits into a crop
    steps = [step for step in SMALLER if step >= REACH * whole and config.model.predict_scale is None]
    kept = facts.kept(steps) if steps else {}
    fine = [step for step in steps if kept[step] >= KEPT]
    if not steps:
        return (low, high), f"as augmentation '{config.augmentation.augment}' has it"
    if not fine:
        lost = f"masks at {steps[0]:g} would keep only {kept[steps[0]]:.3f} of mean IoU"
        return (low, high), f"as augmentation '{config.augmentation.augment}' has it; {lost}"
    step = fine[-1]
    high = round(high * step, 3)
    low = min(high, round(max(low * step, whole), 3))
    shown = (
        f"crops show {min(1.0, whole / high):.0%} to {min(1.0, whole / low):.0%} of an image's "
        "sides"
    )
    why = (
        f"{step:g} times that of '{config.augmentation.augment}': {shown}, and masks keep {kept[step]:.3f} "
        "of mean IoU"
    )
    return (low, high), why


def looked_at(config: TrainConfig) -> float:
    """The scale by which a network in training is validated: as told, or else the middle of those
    it sees, in quarters, by which sizes stay whole numbers.
    """
    low, high = config.augmentation.scale or AUGMENTATIONS[config.augmentation.augment]["scale"]
    middle = round(4 * math.sqrt(low * high)) / 4
    return config.model.predict_scale or min(SCALES[1], max(SCALES[0], middle))


def _fitting(facts: Facts, config: TrainConfig) -> int:
    """Samples of a step that the memory holds, at least 2."""
    assert config.data.crop is not None
    return max(2, facts.memory // 2 // (config.data.crop[0] * config.data.crop[1] * BYTES_PER_PIXEL))


def _batch(facts: Facts, config: TrainConfig) -> tuple[int, str]:
    usual = BATCH[facts.device]
    fits = _fitting(facts, config)
    if facts.images < usual and facts.images <= fits:
        return _dealt(facts.images, facts), f"there are only {facts.images} images"
    why = f"usual on {facts.device}" if usual <= fits else "more does not fit into memory"
    return _dealt(min(usual, fits), facts), why


def _dealt(batch: int, facts: Facts) -> int:
    """As many of them as can be dealt out evenly, at least 2 for each process."""
    return max(2, batch // facts.processes) * facts.processes


def _accumulate(facts: Facts, config: TrainConfig) -> tuple[int, str]:
    assert config.data.batch is not None
    usual = BATCH[facts.device]
    if config.data.batch < usual and config.data.batch == _dealt(_fitting(facts, config), facts):
        return -(-usual // config.data.batch), f"a step sees about {usual} samples all the same"
    return 1, "a step is one batch"


def _cache(facts: Facts) -> tuple[int, str]:
    mebibytes = -(-facts.decoded // 2**20)
    allowed = facts.main_memory // CACHE_SHARE // facts.processes_here // 2**20
    if mebibytes <= allowed:
        return mebibytes, "MiB hold all training images decoded"
    return (
        allowed,
        f"MiB, an eighth of what is free, for decoded images; all of them would take {mebibytes}",
    )


def _epochs(facts: Facts) -> tuple[int, str]:
    epochs = max(EPOCHS[0], min(EPOCHS[1], round(SAMPLES / max(1, facts.images))))
    return (
        epochs,
        f"about {SAMPLES} samples of {facts.images} images, {EPOCHS[0]} to {EPOCHS[1]} epochs",
    )
