"""What a training will do: data, options with reasons, network and loaders, before the first step.

`train` carries a plan out; `--preview` prints it and draws what the network will see.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import torch
from lightning_fabric import Fabric

from pixelwise.classes import VOID
from pixelwise.datasets.scan import SplitStats, scan_split
from pixelwise.datasets.types import DataSet
from pixelwise.errors import DataError
from pixelwise.evaluation.class_match import names_for_data
from pixelwise.hardware import check_precision, choose_device, count_cores, free_memory
from pixelwise.io.bit_depth import find_common_bits, with_common_bits
from pixelwise.io.reading_notes import summarize_notes
from pixelwise.models.checkpoint import load_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.pretrained import load_weights
from pixelwise.models.registry import build_segmenter
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.warm_start import warm_start
from pixelwise.progress import Progress
from pixelwise.training.auto_config import (
    choose_open_options,
    enough_memory,
    for_steps,
    validation_scale,
)
from pixelwise.training.config import TrainConfig
from pixelwise.training.distributed import (
    broadcast_from_rank0,
    per_rank_batch,
    processes_here,
)
from pixelwise.training.downscale_tolerance import measure_downscaled_masks
from pixelwise.training.image_cache import ImageCache
from pixelwise.training.loaders import (
    FixedBatches,
    TrainingSet,
    WholeImages,
    training_loader,
    validation_loader,
)
from pixelwise.training.losses import Loss, class_weights, make_loss
from pixelwise.training.precision import StepTrial, try_steps
from pixelwise.training.session import Loaders
from pixelwise.training.training_context import TrainingContext
from pixelwise.training.transforms import AUGMENTATIONS, Augmentation, rare_classes

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
    common_bits: int
    """The depth by which images of more than 8 bits are read; 0 where there is none."""
    loaders: Loaders
    loss: Loss

    def lines(self) -> tuple[str, str]:
        """The plan in two lines, for the terminal."""
        million = sum(weight.numel() for weight in self.model.parameters()) / 1e6
        optim = self.config.optim
        length = f"{optim.minutes:g} minutes" if optim.epochs is None else f"{optim.epochs} epochs"
        model = self.model_config
        return (
            f"plan: {model.decoder} on {model.encoder}, {million:.1f} million weights, for "
            f"{', '.join(self.dataset.classes.names)}",
            f"plan: {length} over {len(self.train.pairs)} training images in "
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
) -> TrainingPlan:
    """Plan the training of `config` on `dataset`; each choice is logged with its reason.

    fabric: the processes that train; without it nothing is measured and one process is planned
    for. init: give the network its first weights, which a state to resume from brings itself.
    Raises ConfigError for unknown names, DataError for data that cannot be trained on,
    TrainingError where a step does not fit into memory.
    """
    model_config, model = _make_model(dataset, config)
    if init:
        progress.log(_init_weights(model, model_config, dataset, config))
    train, val = _scan_splits(dataset, config, progress)
    processes = config.run.devices if fabric is None else fabric.world_size
    trial = _cached_trial(model) if fabric is not None else None
    config, reasons = _choose_and_log(config, dataset, train, processes, trial, progress)
    train = _drop_small(train, config, progress)
    if fabric is not None and trial is not None:
        config = _choose_precision(config, trial, reasons, progress)
        config = broadcast_from_rank0(fabric, config)
    model.scale = validation_scale(config)
    common_bits = _log_reading(train, val, progress)
    samples = _make_samples(dataset, train, config, common_bits)
    return TrainingPlan(
        dataset,
        config,
        reasons,
        replace(model_config, scale=model.scale),
        model,
        train,
        val,
        samples,
        common_bits,
        _make_loaders(samples, val, config, fabric),
        _make_loss(train, config),
    )


def _make_model(dataset: DataSet, config: TrainConfig) -> tuple[ModelConfig, Segmenter]:
    """The network with random weights, which follow from the seed."""
    torch.manual_seed(config.run.seed)
    options = config.model
    model_config = ModelConfig(
        options.decoder,
        options.encoder,
        len(dataset.classes),
        options.upsample,
        options.plain,
    )
    return model_config, build_segmenter(model_config)


def _init_weights(
    model: Segmenter,
    model_config: ModelConfig,
    dataset: DataSet,
    config: TrainConfig,
) -> str:
    """Give the network its first weights; returns where they came from."""
    start = config.model.start
    if start is None:
        return load_weights(model.encoder, config.model.weights)
    source, header = load_model(Path(start))
    names = dataset.classes.names
    known = names_for_data(header.classes, dataset.classes, model_name=f"the start {start}")
    taken = warm_start(model, model_config, names, state=source.state_dict(), known=known)
    return f"start {start}: {taken}"


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
    progress: Progress,
) -> tuple[TrainConfig, dict[str, str]]:
    """The config with every open option chosen but the precision, each logged with its reason."""
    config = config.with_options(device=choose_device(config.run.device).type)
    context = _measure_context(config, dataset, train, processes, trial)
    config, reasons = choose_open_options(config, context)
    values = config.flat()
    for name, reason in reasons.items():
        progress.log(f"{name} {_format_value(name, values[name])}: {reason}")
    return config, reasons


def _measure_context(
    config: TrainConfig,
    dataset: DataSet,
    train: SplitStats,
    processes: int,
    trial: Trial | None,
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
        with enough_memory(config.run.device, for_steps(config)):
            return run(crop, batch, config.run.device, config.run.precision)

    return trial


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


def _log_reading(train: SplitStats, val: SplitStats, progress: Progress) -> int:
    """Say what reading does to the images; returns the depth that those of more than 8 bits
    have in common.
    """
    bits = find_common_bits(train.notes)
    line = summarize_notes(with_common_bits(notes, bits) for notes in (*train.notes, *val.notes))
    if line:
        progress.log(line)
    return bits


def _make_samples(
    dataset: DataSet, train: SplitStats, config: TrainConfig, common_bits: int
) -> TrainingSet:
    augment = _make_augmentation(config, train)
    cache = config.data.cache
    options = config.augmentation
    candidates = None
    if options.paste_classes == "rare":
        candidates = rare_classes(augment.class_weights, train.pixels)
    return TrainingSet(
        train.pairs,
        dataset.read_labels,
        augment,
        config.run.seed,
        void_as=0 if config.data.void_as_background else VOID,
        paste=options.paste,
        candidates=candidates,
        cache=ImageCache(train.sizes, cache * 2**20) if cache else None,
        common_bits=common_bits,
    )


def _make_augmentation(config: TrainConfig, train: SplitStats) -> Augmentation:
    """That of the chosen strength, with what the config sets besides; rare classes are drawn more
    often.
    """
    crop = config.data.crop
    assert crop is not None
    options = config.augmentation
    fields = dict(AUGMENTATIONS[options.augment or "none"])
    for name in ("scale", "jitter", "mirror", "upright"):
        value = getattr(options, name)
        if value is not None:
            fields[name] = value
    weights = class_weights("median", torch.tensor(train.pixels), torch.tensor(train.holding))
    assert weights is not None
    fields["class_weights"] = tuple(weights.tolist())
    return Augmentation(crop, **fields)


def _make_loaders(
    samples: TrainingSet,
    val: SplitStats,
    config: TrainConfig,
    fabric: Fabric | None,
) -> Loaders:
    workers = config.data.workers
    batch = config.data.batch
    assert workers is not None
    assert batch is not None
    if len(samples) < 2:
        raise DataError(f"{len(samples)} training image: at least 2 are needed")
    part = (0, 1)
    if fabric is not None and fabric.world_size > 1:
        part = (fabric.global_rank, fabric.world_size)
        batch = per_rank_batch(fabric, batch)
    pin = config.run.device == "cuda"
    loader, epochs = training_loader(samples, batch=batch, workers=workers, part=part, pin=pin)
    if epochs.share < 2:
        raise DataError(
            f"{len(samples)} training images for {part[1]} processes: give each at least 2"
        )
    whole = WholeImages(val.pairs, samples.read_labels, samples.common_bits)
    statistics = FixedBatches(samples, min(batch, len(samples)), config.optim.bn_batches or 0)
    validation = validation_loader(whole, workers=workers, part=part, pin=pin)
    return Loaders(loader, epochs, validation, statistics)


def _make_loss(train: SplitStats, config: TrainConfig) -> Loss:
    options = config.optim
    weight = class_weights(
        options.class_weights,
        torch.tensor(train.pixels),
        torch.tensor(train.holding),
    )
    if weight is not None:
        weight = weight.to(config.run.device)
    return make_loss(options.loss, weight=weight, smoothing=options.label_smoothing)
