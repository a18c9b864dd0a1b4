"""Options that follow the number of steps a training has: few steps want other ones than many
(benchmarks/results/defaults.md).
"""

import math

from pixelwise.training.config import TrainConfig
from pixelwise.training.training_context import TrainingContext

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
RATE_STEPS = 60

# Below so many steps the first stages of a pretrained encoder stay as they are: edges and colours
# need no few steps of learning, and without their backward pass there are a quarter more.
FROZEN_STEPS = 800

# Below so many steps a moving average of the weights is no better than the weights.
AVERAGE_STEPS = 500

# The decay of the average.
EMA = 0.99

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

# Steps between two validations at least, and validations of a training at least.
ROUND_STEPS = 16
ROUNDS = 10

# Batches that statistics of batch normalisation are taken from.
BN_BATCHES = 8


def choose_epochs(context: TrainingContext, config: TrainConfig) -> tuple[int, str]:
    """So many that all samples are about SAMPLES, and the steps at least MIN_STEPS."""
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


def choose_augment(context: TrainingContext, config: TrainConfig) -> tuple[str, str]:
    """Strong from STRONG_STEPS on."""
    steps = expected_steps(context, config)
    return "strong" if steps >= STRONG_STEPS else "slight", _for_steps(context, config)


def choose_learning_rate(context: TrainingContext, config: TrainConfig) -> tuple[float, str]:
    """Of the decoder."""
    return _rates(context, config)[0], _for_steps(context, config)


def choose_encoder_rate(context: TrainingContext, config: TrainConfig) -> tuple[float, str]:
    """The encoder's, as a factor of the decoder's."""
    return _rates(context, config)[1], _for_steps(context, config)


def _rates(context: TrainingContext, config: TrainConfig) -> tuple[float, float]:
    return RATES if expected_steps(context, config) >= RATE_STEPS else FEW_STEPS


def choose_warmup(context: TrainingContext, config: TrainConfig) -> tuple[float, str]:
    """The share of the training that WARMUP_STEPS take, in the range WARMUP."""
    low, high = WARMUP
    share = WARMUP_STEPS / max(1, expected_steps(context, config))
    return round(max(low, min(high, share)), 3), _for_steps(context, config)


def choose_frozen_stages(context: TrainingContext, config: TrainConfig) -> tuple[int, str]:
    """The encoder's stages up to stride 4, below FROZEN_STEPS."""
    steps = expected_steps(context, config)
    return context.early_stages if steps < FROZEN_STEPS else 0, _for_steps(context, config)


def choose_ema(context: TrainingContext, config: TrainConfig) -> tuple[float, str]:
    """EMA from AVERAGE_STEPS on, no average below."""
    average = EMA if expected_steps(context, config) >= AVERAGE_STEPS else 0.0
    return average, _for_steps(context, config)


def _for_steps(context: TrainingContext, config: TrainConfig) -> str:
    return f"for about {expected_steps(context, config)} steps"


def choose_bn_batches(context: TrainingContext, config: TrainConfig) -> tuple[int, str]:
    """The same for all."""
    return BN_BATCHES, "batch normalisation's statistics are taken anew before each validation"


def choose_validate_every(context: TrainingContext, config: TrainConfig) -> tuple[int, str]:
    """Epochs of ROUND_STEPS together, but at least ROUNDS rounds of a stated number of epochs."""
    batch = config.data.batch
    assert batch is not None
    steps = max(1, context.images // batch)
    every = math.ceil(ROUND_STEPS / steps)
    if config.optim.epochs is not None:
        every = min(every, math.ceil(config.optim.epochs / ROUNDS))
    if config.optim.freeze:
        every = 1
    return every, f"an epoch has {steps} steps"
