"""Options that are left open, chosen from the data and the machine, each with its reason."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pixelwise.errors import TrainingError
from pixelwise.hardware import is_out_of_memory
from pixelwise.models.config import SCALES
from pixelwise.training.config import TrainConfig
from pixelwise.training.loaders import VALIDATION_TILE
from pixelwise.training.step_options import (
    choose_augment,
    choose_bn_batches,
    choose_ema,
    choose_encoder_rate,
    choose_epochs,
    choose_frozen_stages,
    choose_learning_rate,
    choose_validate_every,
    choose_warmup,
)
from pixelwise.training.training_context import TrainingContext
from pixelwise.training.transforms import AUGMENTATIONS

CROP_PIXELS = 320 * 480

# Of the median image's sides: a random window then has room to move, also in a downscaled image.
CROP_SIDE = 0.8

# So few images are decoded and augmented beside the steps, without processes of their own.
FEW_IMAGES = 40

BATCH = {"cpu": 8, "cuda": 16}

# One part in so many of the free memory may hold decoded images; the rest is for the steps and for
# other programs.
CACHE_SHARE = 8

# Scales at which images may be seen. At less, tiles of 1024 pixels would show a network less than
# crops did.
SMALLER = (0.75, 0.5)

# They are for images of which a crop shows at most this share of a side.
MAX_SHOWN = 0.7

# Share of a crop that an image must fill at such a scale.
MIN_FILLED = 0.8

# What masks must keep of their mean IoU at such a scale. Those of portraits keep .990 at a half,
# CamVid's .961 at three quarters (benchmarks/results/scales.md).
MIN_MASK_IOU = 0.98

# Batch normalisation needs more than one sample.
SMALLEST_BATCH = 2

# What a step holds for one pixel of a sample; measured on the default network in float32.
BYTES_PER_PIXEL = 2500


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


class StepMemoryError(TrainingError):
    """A training step of `config` does not fit into memory."""

    def __init__(self, message: str, config: TrainConfig) -> None:
        super().__init__(message)
        self.config = config


@contextmanager
def enough_memory_for_steps(config: TrainConfig) -> Iterator[None]:
    """Raises StepMemoryError where the device has too little memory for the block."""
    height, width = config.data.crop or (0, 0)
    what = (
        f"steps of {config.data.batch} samples of {height} x {width} pixels (height x width): "
        "choose a smaller --batch, with --set accumulate=2 for steps that see as many samples, or "
        "a smaller --crop"
    )
    try:
        with enough_memory(config.run.device, what):
            yield
    except TrainingError as error:
        if not is_out_of_memory(error.__cause__ or error):
            raise
        raise StepMemoryError(str(error), config) from error


# What `enough_memory` advises where validation does not fit.
FOR_VALIDATION = (
    f"validation, whose images are taken whole up to {VALIDATION_TILE} pixels a side: choose "
    "a smaller --set predict_scale, or --device cpu"
)


def choose_open_options(
    config: TrainConfig, context: TrainingContext
) -> tuple[TrainConfig, dict[str, str]]:
    """`config` with every open option chosen, and the reason of each. What is set stays as it is.

    The order matters: each choice may rest on those before it.
    """
    reasons: dict[str, str] = {}
    for name, choose in _CHOICES.items():
        is_open = config.flat()[name] is None
        if name == "epochs" and config.optim.minutes is not None:
            is_open = False
        if is_open:
            value, reasons[name] = choose(context, config)
            config = config.with_options(**{name: value})
    return config, reasons


def default_workers(cores: int | None = None) -> int:
    """Decoding processes: one of every two cores, 1 to 8."""
    return max(1, min(8, (cores or os.cpu_count() or 1) // 2))


def _choose_crop(context: TrainingContext, config: TrainConfig) -> tuple[tuple[int, int], str]:
    """CROP_SIDE of the median image, and at most CROP_PIXELS, in multiples of 32."""
    height, width = context.median_size
    shrink = min(CROP_SIDE, (CROP_PIXELS / (height * width)) ** 0.5)
    crop = (_round_to_32(height * shrink), _round_to_32(width * shrink))
    return crop, f"{shrink:.2f} of the median image's {height} x {width}, in multiples of 32"


def _round_to_32(length: float) -> int:
    """The nearest multiple of 32, the stride of the deepest features, and at least one."""
    return max(32, round(length / 32) * 32)


def _choose_scale(context: TrainingContext, config: TrainConfig) -> tuple[tuple[float, float], str]:
    """That of the augmentation, downscaled by one of SMALLER where crops would show only parts of
    the images, if masks lose little by it; not where a scale for prediction is set.
    """
    crop = config.data.crop
    assert crop is not None
    strength = config.augmentation.augment or "none"
    usual = AUGMENTATIONS[strength]["scale"]
    # The scale at which the whole median image fits into a crop.
    whole = max(part / side for part, side in zip(crop, context.median_size, strict=True))
    steps = [step for step in SMALLER if step >= MIN_FILLED * whole and whole <= MAX_SHOWN]
    if not steps or config.model.predict_scale is not None:
        return usual, f"as augmentation '{strength}' has it"
    ious = context.iou_at_scale(steps)
    tolerable = [step for step in steps if ious[step] >= MIN_MASK_IOU]
    if not tolerable:
        lost = f"masks at {steps[0]:g} would keep only {ious[steps[0]]:.3f} of mean IoU"
        return usual, f"as augmentation '{strength}' has it; {lost}"
    step = tolerable[-1]  # SMALLER falls: the last one shows the most of an image
    low, high = _downscale_range(usual, step, whole)
    shown = f"{min(1.0, whole / high):.0%} to {min(1.0, whole / low):.0%} of an image's sides"
    reason = (
        f"{step:g} times that of '{strength}': crops show {shown}, and masks keep "
        f"{ious[step]:.3f} of mean IoU"
    )
    return (low, high), reason


def _downscale_range(usual: tuple[float, float], step: float, whole: float) -> tuple[float, float]:
    """The range of scales `usual`, times `step`; below `whole` an image would not fill a crop."""
    high = round(usual[1] * step, 3)
    low = round(max(usual[0] * step, whole), 3)
    return min(high, low), high


def validation_scale(config: TrainConfig) -> float:
    """The scale at which a network in training is validated: as set, or else the middle of those it
    sees, in quarters, by which sizes stay whole numbers.
    """
    options = config.augmentation
    low, high = options.scale or AUGMENTATIONS[options.augment or "none"]["scale"]
    middle = round(4 * math.sqrt(low * high)) / 4
    return config.model.predict_scale or min(SCALES[1], max(SCALES[0], middle))


def _fitting_batch(context: TrainingContext, config: TrainConfig) -> int:
    """Samples of a step that half of the memory holds, at least 2."""
    crop = config.data.crop
    assert crop is not None
    return max(SMALLEST_BATCH, context.memory // 2 // (crop[0] * crop[1] * BYTES_PER_PIXEL))


def _choose_batch(context: TrainingContext, config: TrainConfig) -> tuple[int, str]:
    usual = BATCH[context.device]
    fitting = _fitting_batch(context, config)
    if context.images < usual and context.images <= fitting:
        return _divisible(context.images, context), f"there are only {context.images} images"
    if usual <= fitting:
        return _divisible(usual, context), f"usual on {context.device}"
    return _divisible(fitting, context), "more does not fit into memory"


def _divisible(batch: int, context: TrainingContext) -> int:
    """The largest batch up to this one that the processes can share, at least 2 for each."""
    return max(SMALLEST_BATCH, batch // context.processes) * context.processes


def _choose_accumulate(context: TrainingContext, config: TrainConfig) -> tuple[int, str]:
    batch = config.data.batch
    assert batch is not None
    usual = BATCH[context.device]
    if batch < usual and batch == _divisible(_fitting_batch(context, config), context):
        return math.ceil(usual / batch), f"a step sees about {usual} samples all the same"
    return 1, "a step is one batch"


def _choose_cache(context: TrainingContext, config: TrainConfig) -> tuple[int, str]:
    needed = math.ceil(context.decoded / 2**20)  # MiB
    allowed = context.main_memory // CACHE_SHARE // context.processes_here // 2**20
    if needed <= allowed:
        return needed, "MiB hold all training images decoded"
    return (
        allowed,
        f"MiB, an eighth of what is free, for decoded images; all of them would take {needed}",
    )


def _choose_workers(context: TrainingContext, config: TrainConfig) -> tuple[int, str]:
    if context.images <= FEW_IMAGES:
        return 0, f"there are only {context.images} images"
    return default_workers(context.cores), f"one of every two of {context.cores} cores, 1 to 8"


_CHOICES: dict[str, Callable[[TrainingContext, TrainConfig], tuple[Any, str]]] = {
    "crop": _choose_crop,
    "batch": _choose_batch,
    "accumulate": _choose_accumulate,
    "epochs": choose_epochs,
    "augment": choose_augment,
    "scale": _choose_scale,
    "learning_rate": choose_learning_rate,
    "encoder_rate": choose_encoder_rate,
    "warmup": choose_warmup,
    "frozen_stages": choose_frozen_stages,
    "ema": choose_ema,
    "validate_every": choose_validate_every,
    "bn_batches": choose_bn_batches,
    "cache": _choose_cache,
    "workers": _choose_workers,
}
