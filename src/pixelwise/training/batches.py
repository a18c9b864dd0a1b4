"""From the images of a plan to batches: samples with their augmentation, and loaders."""

import torch
from lightning_fabric import Fabric

from pixelwise.classes import VOID
from pixelwise.datasets.alpha import AlphaReader
from pixelwise.datasets.scan import SplitStats
from pixelwise.datasets.types import DataSet
from pixelwise.errors import DataError
from pixelwise.io.channels import ReadingRule
from pixelwise.models.picture_sizes import PictureSizes
from pixelwise.training.config import TrainConfig
from pixelwise.training.distributed import per_rank_batch
from pixelwise.training.image_cache import ImageCache
from pixelwise.training.loaders import (
    FixedBatches,
    TrainingSet,
    WholeImages,
    training_loader,
    validation_loader,
)
from pixelwise.training.losses import class_weights
from pixelwise.training.session import Loaders
from pixelwise.training.transforms import AUGMENTATIONS, Augmentation, rare_classes


def make_samples(
    dataset: DataSet,
    train: SplitStats,
    config: TrainConfig,
    rule: ReadingRule,
    picture_sizes: PictureSizes,
) -> TrainingSet:
    """The augmented samples of a split, seen at the size at which a prediction sees pictures."""
    augment = _make_augmentation(config, train, rule, is_alpha=dataset.read_alpha is not None)
    cache = config.data.cache
    options = config.augmentation
    candidates = None
    if options.paste_classes == "rare":
        candidates = rare_classes(augment.class_weights, train.pixels)
    channels = 3 if rule.channels is None else len(rule.channels)
    image_cache = None
    if cache and not dataset.multilabel:  # it holds labels of one plane
        image_cache = ImageCache(train.sizes, cache * 2**20, channels=channels)
    return TrainingSet(
        train.pairs,
        dataset.read_alpha or dataset.read_labels,
        augment,
        config.run.seed,
        void_as=0 if config.data.void_as_background else VOID,
        paste=options.paste,
        candidates=candidates,
        cache=image_cache,
        rule=rule,
        sizes=picture_sizes,
        views=config.optim.frozen_views if config.optim.frozen else 0,
    )


def _make_augmentation(
    config: TrainConfig, train: SplitStats, rule: ReadingRule, *, is_alpha: bool
) -> Augmentation:
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
    if is_alpha:
        fields["rare"] = 0.0  # levels are no classes that could be rare
    fields["by_band"] = rule.channels is not None
    return Augmentation(crop, **fields)


def make_loaders(
    samples: TrainingSet,
    val: SplitStats,
    picture_sizes: PictureSizes,
    config: TrainConfig,
    fabric: Fabric | None,
) -> Loaders:
    """What loads batches of samples, of whole validation images, and those of the statistics.

    Raises DataError where there are too few images for a batch, or for a process.
    """
    workers = config.data.workers
    batch = config.data.batch
    assert workers is not None
    assert batch is not None
    if len(samples) < 2:
        raise DataError(
            f"{len(samples)} training image: at least 2 are needed; label one more, or leave a "
            "single large picture, which is cut in blocks"
        )
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
    whole = WholeImages(val.pairs, samples.read_labels, samples.rule, picture_sizes)
    statistics = FixedBatches(samples, min(batch, len(samples)), config.optim.bn_batches or 0)
    validation = validation_loader(whole, workers=workers, part=part, pin=pin)
    is_alpha = isinstance(samples.read_labels, AlphaReader)
    return Loaders(loader, epochs, validation, statistics, is_alpha)
