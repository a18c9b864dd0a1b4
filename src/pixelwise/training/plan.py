"""What a training will do: data, options with reasons, network and loaders, before the first step.

`train` carries a plan out; `--preview` prints it and draws what the network will see.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from math import ceil

import torch
from lightning_fabric import Fabric

from pixelwise.datasets.scan import SplitStats, scan_split
from pixelwise.datasets.types import DataSet
from pixelwise.errors import DataError
from pixelwise.evaluation.calibrate import MAX_IMAGES
from pixelwise.hardware import check_precision, choose_device, count_cores, free_memory
from pixelwise.io.channels import ReadingRule
from pixelwise.models.config import ModelConfig
from pixelwise.models.encoder_stages import count_stages
from pixelwise.models.picture_sizes import PictureSizes
from pixelwise.models.pretrained import is_pretrained
from pixelwise.models.segmenter import Segmenter
from pixelwise.progress import Progress
from pixelwise.training.alpha_losses import make_alpha_loss
from pixelwise.training.auto_config import (
    choose_open_options,
    enough_memory_for_steps,
    validation_scale,
)
from pixelwise.training.band_input import (
    find_dataset_channels,
    fit_to_channels,
    log_reading,
)
from pixelwise.training.batches import make_loaders, make_samples
from pixelwise.training.config import TrainConfig
from pixelwise.training.distillation import Teacher, load_teacher
from pixelwise.training.distributed import (
    broadcast_from_rank0,
    processes_here,
)
from pixelwise.training.downscale_tolerance import measure_downscaled_masks
from pixelwise.training.duration import estimate_seconds
from pixelwise.training.initial_network import init_weights, make_network
from pixelwise.training.input_scale import likely_trials
from pixelwise.training.layer_losses import make_layer_loss
from pixelwise.training.loaders import (
    TrainingSet,
)
from pixelwise.training.losses import Loss, class_weights, make_loss
from pixelwise.training.network_sizes import REASONS
from pixelwise.training.picture_sizes import describe_picture_sizes, measure_picture_sizes
from pixelwise.training.precision import StepTrial, try_steps
from pixelwise.training.pseudo_labels import PseudoLabels
from pixelwise.training.session import Loaders
from pixelwise.training.training_context import TrainingContext
from pixelwise.training.tree_loss import add_levels, find_levels

# Up to this stride an encoder sees edges and colours, which photos of all kinds share.
EARLY_STRIDE = 4

Trial = Callable[[TrainConfig], StepTrial]


@dataclass(frozen=True)
class TrainingPlan:
    """All that a training needs, and why each open option was chosen as it is."""

    dataset: DataSet
    config: TrainConfig
    """With every open option chosen; the precision is measured only for a training."""
    reasons: dict[str, str]
    """Why each open option was chosen so, by its name."""
    model_config: ModelConfig
    model: Segmenter
    train: SplitStats
    val: SplitStats
    samples: TrainingSet
    rule: ReadingRule
    """How images are read."""
    picture_sizes: PictureSizes
    loaders: Loaders
    loss: Loss
    teacher: Teacher | None = None
    step_seconds: float | None = None
    """What a step takes, where one was tried."""

    @property
    def seconds(self) -> float | None:
        """What the epochs and the trial of scales after them are estimated to take; None where no
        step was tried or where minutes are set.
        """
        epochs = self.config.optim.epochs
        if self.step_seconds is None or epochs is None:
            return None
        crop = self.config.data.crop
        assert crop is not None
        scale = self.model.scale
        pixels = [height * width for height, width in self.val.sizes]
        trials: tuple[float, ...] = ()
        if self.config.model.predict_scale is None:
            trials = likely_trials(scale, len(self.val.pairs))
        share = min(1, MAX_IMAGES / max(1, len(self.val.pairs)))
        return estimate_seconds(
            self.step_seconds,
            steps=epochs * len(self.loaders.train),
            step_pixels=(self.config.data.batch or 1) * crop[0] * crop[1],
            validations=ceil(epochs / (self.config.optim.validate_every or 1)),
            validation_pixels=[int(count * scale**2) for count in pixels],
            trial_pixels=share * sum(pixels) * sum(trial**2 for trial in trials),
        )

    def lines(self) -> tuple[str, str]:
        """The plan in two lines, for the terminal."""
        million = sum(weight.numel() for weight in self.model.parameters()) / 1e6
        optim = self.config.optim
        amount = optim.minutes if optim.epochs is None else optim.epochs
        unit = "minute" if optim.epochs is None else "epoch"
        length = f"{amount:g} {unit}" + ("" if amount == 1 else "s")
        model = self.model_config
        return (
            f"network: {model.decoder} on {model.encoder}, {million:.1f} million weights, for "
            f"{', '.join(self.dataset.classes.names)}",
            f"length: {length} over {len(self.train.pairs)} training images in "
            f"{len(self.loaders.train)} batches of {self.config.data.batch}, "
            f"{len(self.val.pairs)} validation images",
        )


def make_plan(
    dataset: DataSet,
    config: TrainConfig,
    *,
    progress: Progress,
    fabric: Fabric | None = None,
    init: bool = True,
    pseudo_labels: PseudoLabels | None = None,
) -> TrainingPlan:
    """Plan the training of `config` on `dataset`; each choice is logged with its reason.

    fabric: the processes that train; without it nothing is measured and one process is planned
    for. init: give the network its first weights, which a state to resume from brings itself.
    pseudo_labels: images of a pool that are trained on as well.
    Raises ConfigError for unknown names, DataError for data that cannot be trained on,
    TrainingError where a step does not fit into memory.
    """
    channels = find_dataset_channels(dataset, config)
    model_config, model = make_network(dataset, config)
    # before minutes of reading, as weights may be missing
    origin = init_weights(model, model_config, dataset, config, channels) if init else ""
    model_config = fit_to_channels(model, model_config, channels)
    teacher = load_teacher(config, dataset.classes, model_config.channels)
    labelled, val = _scan_splits(dataset, config, progress)
    train = labelled
    if pseudo_labels is not None:
        dataset, train = pseudo_labels.add_to(dataset, labelled)
    progress.log_section("Chosen, and why")
    size = config.model.size
    if size:
        progress.log(f"size {size}: {REASONS[size]}")
    if origin:
        progress.log(origin)
    processes = config.run.devices if fabric is None else fabric.world_size
    trial = _cached_trial(model) if fabric is not None else None
    early_stages = _count_early_stages(model, config)
    config, reasons = _choose_and_log(
        config, dataset, train, processes, trial, early_stages, progress
    )
    train = _drop_small(train, config, progress)
    step_seconds = None
    if fabric is not None and trial is not None:
        if config.run.precision == "auto":
            step_seconds = trial(config).seconds
        config = _choose_precision(config, trial, reasons, progress)
        config = broadcast_from_rank0(fabric, config)
    model.scale = validation_scale(config)
    rule = log_reading(train, val, channels, progress)
    picture_sizes = _measure_picture_sizes(dataset, labelled, config)
    config = config.with_options(one_size=picture_sizes.varied)
    progress.log(describe_picture_sizes(picture_sizes))
    samples = make_samples(dataset, train, config, rule, picture_sizes)
    return TrainingPlan(
        dataset,
        config,
        reasons,
        replace(model_config, scale=model.scale),
        model,
        train,
        val,
        samples,
        rule,
        picture_sizes,
        make_loaders(samples, val, picture_sizes, config, fabric),
        _make_loss(dataset, train, config),
        teacher,
        step_seconds,
    )


def _scan_splits(
    dataset: DataSet,
    config: TrainConfig,
    progress: Progress,
) -> tuple[SplitStats, SplitStats]:
    """The splits `train` and `val`, read once. Raises DataError where nothing can be learned."""
    skip_broken = config.data.skip_broken
    train = scan_split(dataset, "train", progress=progress, skip_broken=skip_broken)
    val = scan_split(dataset, "val", progress=progress, skip_broken=skip_broken)
    pixels = zip(dataset.classes.names, train.pixels, val.pixels, strict=True)
    unseen = [name for name, in_train, in_val in pixels if in_val and not in_train]
    if unseen:
        progress.log(f"warning: in validation but never in training: {', '.join(unseen)}")
    if not sum(train.pixels):
        raise DataError(
            "every training pixel is void: nothing can be learned; check what the mask values mean"
        )
    if not sum(val.pixels):
        raise DataError(
            "every validation pixel is void: nothing can be scored; check what the mask values mean"
        )
    return train, val


def _choose_and_log(
    config: TrainConfig,
    dataset: DataSet,
    train: SplitStats,
    processes: int,
    trial: Trial | None,
    early_stages: int,
    progress: Progress,
) -> tuple[TrainConfig, dict[str, str]]:
    """The config with every open option chosen but the precision, each logged with its reason."""
    config = config.with_options(device=choose_device(config.run.device).type)
    context = _measure_context(config, dataset, train, processes, trial, early_stages)
    config, reasons = choose_open_options(config, context)
    values = config.flat()
    for name, reason in reasons.items():
        progress.log(f"{name} {_format_value(name, values[name])}: {reason}")
    return config, reasons


def _count_early_stages(model: Segmenter, config: TrainConfig) -> int:
    """Stages of the encoder up to EARLY_STRIDE; 0 where they have not learned anything yet."""
    options = config.model
    has_learned = options.start or is_pretrained(options.encoder, options.weights)
    return count_stages(model.encoder, stride=EARLY_STRIDE) if has_learned else 0


def _measure_context(
    config: TrainConfig,
    dataset: DataSet,
    train: SplitStats,
    processes: int,
    trial: Trial | None,
    early_stages: int,
) -> TrainingContext:
    def step_seconds(config: TrainConfig) -> float | None:
        return trial(config).seconds if trial else None

    return TrainingContext(
        images=len(train.pairs),
        median_size=train.median_size,
        device=config.run.device,
        memory=free_memory(config.run.device),
        cores=count_cores(),
        main_memory=free_memory("cpu"),
        decoded=sum(4 * height * width for height, width in train.sizes),
        processes=processes,
        processes_here=processes_here(config),
        early_stages=early_stages,
        step_seconds=step_seconds,
        # Reads masks: only called where a smaller scale could be chosen.
        iou_at_scale=partial(measure_downscaled_masks, dataset, train.pairs),
    )


def _format_value(name: str, value: object) -> str:
    if not isinstance(value, tuple):
        return str(value)
    separator = " to " if name == "scale" else " x "
    return separator.join(map(str, value))


def _drop_small(train: SplitStats, config: TrainConfig, progress: Progress) -> SplitStats:
    """With `drop_small`, the split without the images below the crop."""
    crop = config.data.crop
    assert crop is not None
    if not config.data.drop_small:
        return train
    remaining = train.of_at_least(crop)
    height, width = crop
    dropped = len(train.pairs) - len(remaining.pairs)
    progress.log(f"{dropped} of {len(train.pairs)} images are below {height} x {width}: dropped")
    if not remaining.pairs:
        raise DataError(
            f"every training image is below {height} x {width}: choose a smaller --crop, or "
            "--set drop_small=false, which pads them"
        )
    return remaining


def _cached_trial(model: Segmenter) -> Trial:
    """Tries steps of `model` once, and only where somebody asks."""

    @cache
    def run(crop: tuple[int, int], batch: int, device: str, precision: str) -> StepTrial:
        kind = torch.device(device)
        return try_steps(model, device=kind, crop=crop, batch=batch, precision=precision)

    def trial(config: TrainConfig) -> StepTrial:
        crop = config.data.crop
        batch = config.data.batch
        assert crop is not None
        assert batch is not None
        with enough_memory_for_steps(config):
            return run(crop, batch, config.run.device, config.run.precision)

    return trial


def _measure_picture_sizes(
    dataset: DataSet, train: SplitStats, config: TrainConfig
) -> PictureSizes:
    """Those of the training images; the option says whether all are seen at one size, or else their
    masks.
    """
    options = config.augmentation
    upright = options.upright
    sizes = measure_picture_sizes(dataset, train.pairs, train.sizes, upright=upright)
    if dataset.whole is not None:  # blocks, in which things have the size that they have in it
        sizes = replace(sizes, framed=False, varied=False)
    if options.one_size is None:
        return sizes
    framed = True if options.one_size else sizes.framed
    return replace(sizes, framed=framed, varied=options.one_size)


def _choose_precision(
    config: TrainConfig,
    trial: Trial,
    reasons: dict[str, str],
    progress: Progress,
) -> TrainConfig:
    """The config with a measured precision where it is `auto`."""
    if config.run.precision != "auto":
        check_precision(config.run.precision, torch.device(config.run.device))
        return config
    result = trial(config)
    progress.log(f"precision {result.precision}: {result.reason}")
    reasons["precision"] = result.reason
    return config.with_options(precision=result.precision)


def _make_loss(dataset: DataSet, train: SplitStats, config: TrainConfig) -> Loss:
    options = config.optim
    weight = class_weights(
        options.class_weights,
        torch.tensor(train.pixels),
        torch.tensor(train.holding),
    )
    if weight is not None:
        weight = weight.to(config.run.device)
    if dataset.multilabel:
        return make_layer_loss(options.loss, weight=weight)
    if dataset.read_alpha is not None:
        return make_alpha_loss(options.loss, weight=weight)
    loss = make_loss(options.loss, weight=weight, smoothing=options.label_smoothing)
    levels = find_levels(dataset.classes)
    if levels and options.tree_weight:
        return add_levels(loss, options.loss, levels, options.tree_weight)
    return loss
