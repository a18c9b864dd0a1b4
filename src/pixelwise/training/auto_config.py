"""Options that are left open, chosen from the data and the machine, each with its reason."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pixelwise.errors import TrainingError
from pixelwise.hardware import is_out_of_memory
from pixelwise.models.config import SCALES
from pixelwise.training.config import TrainConfig
from pixelwise.training.loaders import VALIDATION_TILE
from pixelwise.training.transforms import AUGMENTATIONS

CROP_PIXELS = 320 * 480

# Of the median image's sides: a random window then has room to move, also in a downscaled image.
CROP_SIDE = 0.8

# Images up to so many pixels a side are taken whole: there is little to choose from, and at so
# small a size the border of a crop is most of it.
WHOLE_SIDE = 192

# Samples that a training of unstated length sees: 27 epochs over CamVid's 367 images.
SAMPLES = 10_000

EPOCHS = (10, 60)

# Steps that a training of unstated length has at least, in more epochs where it must be.
MIN_STEPS = 300

# Below so many steps a network has no time to learn what strong augmentation teaches
# (benchmarks/results/ablation.md, defaults.md).
STRONG_STEPS = 800

# Below so many steps the rates are those of FEW_STEPS: a new decoder's large rate would spoil the
# encoder before it has learned what to ask of it.
RATE_STEPS = 400

# Learning rate, and the encoder's beside it.
RATES = (3e-3, 0.3)
FEW_STEPS = (1e-3, 1.0)

# The share of the training in which the rate rises, at least, at most, and steps that it takes.
WARMUP = (0.04, 0.2)
WARMUP_STEPS = 8

# What of the minutes goes into steps, about; the rest into preparations and validation.
STEPS_SHARE = 0.7

# Pixels that are trained on in a second where it was not measured.
PIXELS_PER_SECOND = {"cpu": 2e5, "cuda": 2e7}

# So few images are decoded and augmented beside the steps, without processes of their own.
FEW_IMAGES = 40

# Steps between two validations at least, and validations of a training at least.
ROUND_STEPS = 16
ROUNDS = 10

BN_BATCHES = 8

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

# What a step holds for one pixel of a sample; measured on the default network in float32.
BYTES_PER_PIXEL = 2500


def _lose_nothing(scales: Sequence[float]) -> Mapping[float, float]:
    return dict.fromkeys(scales, 1.0)


@dataclass(frozen=True)
class TrainingContext:
    """What the choices rest on: the training images and the machine."""

    images: int
    median_size: tuple[int, int]
    """(height, width)."""
    device: str
    memory: int
    """Free bytes of the device."""
    cores: int
    main_memory: int = 0
    """Free bytes of main memory."""
    decoded: int = 0
    """Bytes of all images and masks, decoded."""
    processes: int = 1
    """Processes that train, on all machines."""
    processes_here: int = 1
    """Those on this machine."""
    step_seconds: Callable[[TrainConfig], float | None] = lambda config: None
    """What a step takes, measured; None where it is not known."""
    iou_at_scale: Callable[[Sequence[float]], Mapping[float, float]] = _lose_nothing
    """The mean IoU that masks keep when they are downscaled, by scale."""


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
    """What `enough_memory` advises where a training step does not fit."""
    height, width = config.data.crop or (0, 0)
    return (
        f"steps of {config.data.batch} samples of {height} x {width} pixels (height x width): "
        "choose a smaller --batch, with --set accumulate=2 for steps that see as many samples, or "
        "a smaller --crop"
    )


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
    """CROP_SIDE of the median image, and at most CROP_PIXELS, in multiples of 32; all of a small
    one.
    """
    height, width = context.median_size
    if max(height, width) <= WHOLE_SIDE:
        whole = (-(-height // 32) * 32, -(-width // 32) * 32)
        return whole, f"all of the median image's {height} x {width}, in multiples of 32"
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
    return max(2, context.memory // 2 // (crop[0] * crop[1] * BYTES_PER_PIXEL))


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
    return max(2, batch // context.processes) * context.processes


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


def _choose_epochs(context: TrainingContext, config: TrainConfig) -> tuple[int, str]:
    fewest, most = EPOCHS
    images = max(1, context.images)
    epochs = max(fewest, min(most, round(SAMPLES / images)))
    needed = math.ceil(MIN_STEPS * _samples_of_step(config) / images)
    if needed > epochs:
        return needed, f"{MIN_STEPS} steps at least, of {images} images"
    return epochs, f"about {SAMPLES} samples of {context.images} images, {fewest} to {most} epochs"


def _samples_of_step(config: TrainConfig) -> int:
    assert config.data.batch is not None
    return config.data.batch * (config.optim.accumulate or 1)


def expected_steps(context: TrainingContext, config: TrainConfig) -> int:
    """Steps of the training: counted, or where minutes are set, estimated."""
    samples = _samples_of_step(config)
    if config.optim.epochs is not None:
        return config.optim.epochs * context.images // samples
    assert config.optim.minutes is not None
    assert config.data.crop is not None
    seconds = context.step_seconds(config)
    if seconds is None:
        height, width = config.data.crop
        seconds = samples * height * width / PIXELS_PER_SECOND[context.device]
    return int(60 * config.optim.minutes * STEPS_SHARE / seconds)


def _choose_augment(context: TrainingContext, config: TrainConfig) -> tuple[str, str]:
    steps = expected_steps(context, config)
    return "strong" if steps >= STRONG_STEPS else "slight", _for_steps(context, config)


def _choose_learning_rate(context: TrainingContext, config: TrainConfig) -> tuple[float, str]:
    return _rates(context, config)[0], _for_steps(context, config)


def _choose_encoder_rate(context: TrainingContext, config: TrainConfig) -> tuple[float, str]:
    return _rates(context, config)[1], _for_steps(context, config)


def _rates(context: TrainingContext, config: TrainConfig) -> tuple[float, float]:
    return RATES if expected_steps(context, config) >= RATE_STEPS else FEW_STEPS


def _choose_warmup(context: TrainingContext, config: TrainConfig) -> tuple[float, str]:
    low, high = WARMUP
    share = WARMUP_STEPS / max(1, expected_steps(context, config))
    return round(max(low, min(high, share)), 3), _for_steps(context, config)


def _for_steps(context: TrainingContext, config: TrainConfig) -> str:
    return f"for about {expected_steps(context, config)} steps"


def _choose_bn_batches(context: TrainingContext, config: TrainConfig) -> tuple[int, str]:
    return BN_BATCHES, "batch normalisation's statistics are taken anew before each validation"


def _choose_validate_every(context: TrainingContext, config: TrainConfig) -> tuple[int, str]:
    batch = config.data.batch
    assert batch is not None
    steps = max(1, context.images // batch)
    every = math.ceil(ROUND_STEPS / steps)
    if config.optim.epochs is not None:
        every = min(every, math.ceil(config.optim.epochs / ROUNDS))
    if config.optim.freeze:
        every = 1
    return every, f"an epoch has {steps} steps"


def _choose_workers(context: TrainingContext, config: TrainConfig) -> tuple[int, str]:
    if context.images <= FEW_IMAGES:
        return 0, f"there are only {context.images} images"
    return default_workers(context.cores), f"one of every two of {context.cores} cores, 1 to 8"


_CHOICES: dict[str, Callable[[TrainingContext, TrainConfig], tuple[Any, str]]] = {
    "crop": _choose_crop,
    "batch": _choose_batch,
    "accumulate": _choose_accumulate,
    "epochs": _choose_epochs,
    "augment": _choose_augment,
    "scale": _choose_scale,
    "learning_rate": _choose_learning_rate,
    "encoder_rate": _choose_encoder_rate,
    "warmup": _choose_warmup,
    "validate_every": _choose_validate_every,
    "bn_batches": _choose_bn_batches,
    "cache": _choose_cache,
    "workers": _choose_workers,
}
