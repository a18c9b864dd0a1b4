"""Two folders to a trained model: data, model, loop and reports put together."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from pixelwise.classes import VOID
from pixelwise.datasets.registry import open_dataset
from pixelwise.datasets.scan import SplitStats, scan_split
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import (
    ConfigError,
    DataError,
    OutputError,
    TrainingError,
    unknown_choice_error,
)
from pixelwise.evaluation.data_options import to_header
from pixelwise.hardware import choose_device, count_cores, free_memory
from pixelwise.io.atomic import lock_folder
from pixelwise.malloc import retain_memory
from pixelwise.models.checkpoint import Header, load_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.pretrained import load_weights
from pixelwise.models.registry import build_segmenter
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.warm_start import warm_start
from pixelwise.optional import require_package
from pixelwise.progress import Progress
from pixelwise.reports.figures import draw_augmentation
from pixelwise.training.auto_config import Facts, choose, enough_memory, for_steps, looked_at
from pixelwise.training.config import TrainConfig
from pixelwise.training.d2l_figures import BookFigures, book_figures
from pixelwise.training.distributed import (
    in_touch,
    is_first,
    launch,
    of_first,
    processes_here,
    share_of,
)
from pixelwise.training.downscale_tolerance import kept_at
from pixelwise.training.history import Epoch
from pixelwise.training.image_cache import Decoded
from pixelwise.training.input_scale import keep_scale
from pixelwise.training.loaders import TrainingSet, WholeImages, training_loader, validation_loader
from pixelwise.training.loop import Place, fit, rank
from pixelwise.training.losses import Loss, class_weights, make_loss
from pixelwise.training.precision import choose_precision
from pixelwise.training.recipes import config_of
from pixelwise.training.run_record import (
    Pictures,
    carry_over,
    finish_record,
    make_record,
    recorded,
    refuse_other_data,
    write_record,
)
from pixelwise.training.session import Loaders
from pixelwise.training.state import state_path
from pixelwise.training.transforms import AUGMENTATIONS, Augmentation, rare_classes

PREVIEW = 12


@dataclass(frozen=True)
class Run:
    """A finished training: its folder, whether it was stopped early, and one row an epoch."""

    path: Path
    stopped: bool
    history: list[Epoch]

    @property
    def best(self) -> Epoch:
        """The epoch whose weights are in `path`/model.safetensors."""
        return max(self.history, key=rank)


def train(
    data: str | Path,
    out: str | Path,
    *,
    config: TrainConfig | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Run:
    """Train a model on the folder `data` and write the run folder `out`.

    `options` are fields of DataOptions (how the data is read) and, where no `config` is given, of
    TrainConfig. Raises ConfigError for an unknown one, DataError for data that cannot be used,
    OutputError where `out` exists and `resume` is not set, TrainingError where the loss is no
    number or the first epoch was not finished.
    """
    run = Path(out)
    config, reading = told_apart(config, options)
    with claimed(run, resume) if is_first() else nullcontext():
        return take_part(data, run, config, reading, resume=resume, progress=progress)


@retain_memory()
def take_part(
    data: str | Path,
    run: Path,
    config: TrainConfig,
    reading: DataOptions,
    *,
    resume: bool,
    progress: Progress | None,
) -> Run:
    """As `train`, in a folder that is claimed for it, maybe by another process."""
    first = is_first()
    progress = progress if progress and first else Progress()
    if config.tensorboard:
        require_package("tensorboard")
    begun = resume and (run / "run.json").is_file()
    if begun:
        config, reading = recorded(run, config, reading, progress)
    fabric = launch(replace(config, device=choose_device(config.device).type))
    dataset = open_dataset(data, reading)
    for note in dataset.notes:
        progress.log(note)
    if begun and state_path(run).is_file():
        refuse_other_data(run, dataset)
    torch.manual_seed(config.seed)
    model_config = ModelConfig(
        config.decoder, config.encoder, len(dataset.classes), config.upsample, config.plain
    )
    model = build_segmenter(model_config)
    if not (begun and state_path(run).is_file()):  # else the state brings the weights
        progress.log(_begin(model, model_config, dataset, config))
    parts = {
        name: scan_split(dataset, name, progress=progress, skip_broken=config.skip_broken)
        for name in ("train", "val")
    }
    _warn_of_unseen(dataset, parts, progress)
    config, reasons = _chosen(config, dataset, parts["train"], fabric.world_size, progress)
    model_config = replace(model_config, scale=looked_at(config))
    model.scale = model_config.scale
    parts["train"] = _large_enough(parts["train"], config, progress)
    with enough_memory(config.device, for_steps(config)):
        config = _with_precision(config, model, reasons, progress)
    config = of_first(fabric, config)
    loaders = _loaders(dataset, parts, config, fabric)
    loss = _loss(parts["train"], config)
    record = make_record(config, reading, dataset, reasons)
    if begun:
        carry_over(run, record)
    if first:
        write_record(run, record)
    training = {"crop": config.crop, "data": dataset.format, "reading": to_header(reading)}
    header = Header(model_config, dataset.classes, training)
    pictures = Pictures(run, dataset, parts["val"], config.device, config.tensorboard)
    place = Place(run, header, progress, pictures.draw)
    with in_touch(fabric):
        outcome = fit(model, loaders, loss, config=config, place=place)
    if outcome.best is None:
        raise TrainingError(
            "stopped before the first epoch was done: there is no model yet; go on with --resume"
        )
    if not first:
        return Run(run, outcome.stopped, outcome.history)
    if (
        config.recipe == "book" and not outcome.stopped
    ):  # else the network is some steps past its last epoch
        record["book"] = _say_book(
            book_figures(outcome.model, outcome.history[-1], dataset, parts["val"], config),
            progress,
        )
    pictures.catch_up(outcome.history)
    scale = (
        {} if outcome.stopped else keep_scale(run, dataset, parts["val"].pairs, config, progress)
    )
    finish_record(run, record, outcome.history, outcome.best, stopped=outcome.stopped, scale=scale)
    if not outcome.stopped:
        pictures.report(record, progress)
    progress.log(
        f"best: epoch {outcome.best.epoch}, validation mean IoU "
        f"{outcome.best.val_mean_iou:.3f}; in {run}"
    )
    return Run(run, outcome.stopped, outcome.history)


def preview(
    data: str | Path,
    out: str | Path,
    *,
    config: TrainConfig,
    progress: Progress | None = None,
    **reading: Any,
) -> Path:
    """Write `out`/preview.png: PREVIEW samples, image and mask, as the network will see them.
    Returns its path.
    """
    progress = progress or Progress()
    path = Path(out) / "preview.png"
    config, options = told_apart(config, reading)
    dataset = open_dataset(data, options)
    train = scan_split(dataset, "train", progress=progress, skip_broken=config.skip_broken)
    config, _ = _chosen(config, dataset, train, config.devices, progress)
    train = _large_enough(train, config, progress)
    samples = _training_set(dataset, train, config)
    cells = []
    for number in range(PREVIEW):  # from all over the set; images beside each other are often alike
        epoch = 1 + number // len(samples)
        index = number * max(1, len(samples) // PREVIEW) % len(samples)
        image, labels = samples[epoch, index]
        cells.append((train.pairs[index].name, image.permute(1, 2, 0).numpy(), labels.numpy()))
    draw_augmentation(cells, path, dataset.classes)
    return path


def told_apart(
    config: TrainConfig | None, options: dict[str, Any]
) -> tuple[TrainConfig, DataOptions]:
    """Options given by keyword, to the dataclass that has them; what is in both, to both. Beside a
    config, `seed` may be given for the reading alone. Raises ConfigError.
    """
    training, reading = (
        {field.name for field in fields(kind)} for kind in (TrainConfig, DataOptions)
    )
    for name in options:
        if config and name in training - {"seed"}:
            raise ConfigError(
                f"option '{name}' is given beside a config, which has it: put it into the config"
            )
        if name not in (reading if config else reading | training):
            raise unknown_choice_error("option", name, reading | training)
    if config is None:
        given = {name: value for name, value in options.items() if name in training}
        config = config_of(given.pop("recipe", "default"), **given)
    return config, DataOptions(
        **{"seed": config.seed, **{k: v for k, v in options.items() if k in reading}}
    )


@contextmanager
def claimed(run: Path, resume: bool) -> Iterator[None]:
    """The run folder for this training alone. Raises OutputError where it is not to be had."""
    if run.is_file():
        raise OutputError(f"run folder {run} is a file; choose another --out")
    with lock_folder(run):
        if not resume and any(path.name != "preview.png" for path in run.iterdir()):
            raise OutputError(
                f"run folder {run} exists; give --resume to go on with it, or another --out"
            )
        yield


def _begin(
    model: Segmenter, model_config: ModelConfig, dataset: DataSet, config: TrainConfig
) -> str:
    """Give the network its first weights; returns where they came from."""
    if config.start is None:
        return load_weights(model.encoder, config.weights)
    source, header = load_model(Path(config.start))
    names = dataset.classes.names
    known = header.classes.names
    return (
        f"start {config.start}: "
        f"{warm_start(model, model_config, names, state=source.state_dict(), known=known)}"
    )


def _large_enough(train: SplitStats, config: TrainConfig, progress: Progress) -> SplitStats:
    """With `drop_small`, without the images below the crop."""
    assert config.crop is not None
    if not config.drop_small:
        return train
    kept = train.of_at_least(config.crop)
    height, width = config.crop
    dropped = len(train.pairs) - len(kept.pairs)
    progress.log(f"{dropped} of {len(train.pairs)} images are below {height} x {width}: dropped")
    if not kept.pairs:
        raise DataError(
            f"every training image is below {height} x {width}: choose a smaller --crop, or "
            "--set drop_small=false, "
            "which pads them"
        )
    return kept


def _say_book(figures: BookFigures, progress: Progress) -> dict[str, float]:
    for line in figures.lines():
        progress.log(line)
    return figures.as_dict()


def _warn_of_unseen(dataset: DataSet, parts: dict[str, SplitStats], progress: Progress) -> None:
    names = dataset.classes.names
    unseen = [
        n
        for n, t, v in zip(names, parts["train"].pixels, parts["val"].pixels, strict=True)
        if v and not t
    ]
    if unseen:
        progress.log(f"warning: in validation but never in training: {', '.join(unseen)}")
    if not sum(parts["train"].pixels):
        raise DataError(
            "every training pixel is void: nothing can be learned; check what the mask values mean"
        )
    if not sum(parts["val"].pixels):
        raise DataError(
            "every validation pixel is void: nothing can be scored; check what the mask values mean"
        )


def _chosen(
    config: TrainConfig, dataset: DataSet, train: SplitStats, processes: int, progress: Progress
) -> tuple[TrainConfig, dict[str, str]]:
    """The config with every open choice made but the precision, each said with its reason."""
    config = replace(config, device=choose_device(config.device).type)
    decoded = sum(4 * height * width for height, width in train.sizes)
    facts = Facts(
        images=len(train.pairs),
        median_size=train.median_size,
        device=config.device,
        memory=free_memory(config.device),
        cores=count_cores(),
        main_memory=free_memory("cpu"),
        decoded=decoded,
        processes=processes,
        processes_here=processes_here(config),
        kept=partial(kept_at, dataset, train.pairs),
    )
    config, reasons = choose(config, facts)
    for name, why in reasons.items():
        value = getattr(config, name)
        between = " to " if name == "scale" else " x "
        progress.log(
            f"{name} {between.join(map(str, value)) if isinstance(value, tuple) else value}: {why}"
        )
    return config, reasons


def _with_precision(
    config: TrainConfig, model: torch.nn.Module, reasons: dict[str, str], progress: Progress
) -> TrainConfig:
    if config.precision == "auto":
        assert config.crop is not None
        assert config.batch is not None
        device = torch.device(config.device)
        precision, why = choose_precision(
            model, device=device, crop=config.crop, batch=config.batch
        )
        progress.log(f"precision {precision}: {why}")
        reasons["precision"] = why
        config = replace(config, precision=precision)
    return config


def _loaders(
    dataset: DataSet, parts: dict[str, SplitStats], config: TrainConfig, fabric: Fabric
) -> Loaders:
    assert config.workers is not None
    assert config.batch is not None
    training = _training_set(dataset, parts["train"], config)
    if len(training) < 2:
        raise DataError(f"{len(training)} training image: at least 2 are needed")
    part = (fabric.global_rank, fabric.world_size)
    batch = config.batch
    batch = batch if fabric.world_size == 1 else share_of(fabric, batch)
    loader, epochs = training_loader(training, batch=batch, workers=config.workers, part=part)
    if len(epochs) < 2:
        raise DataError(
            f"{len(training)} training images for {fabric.world_size} processes: give each at "
            "least 2"
        )
    whole = WholeImages(parts["val"].pairs, dataset.read_labels)
    return Loaders(loader, epochs, validation_loader(whole, workers=config.workers, part=part))


def _training_set(dataset: DataSet, train: SplitStats, config: TrainConfig) -> TrainingSet:
    void_as = 0 if config.void_as_background else VOID
    augment = _augmentation(config, train)
    decoded = Decoded(train.sizes, config.cache * 2**20) if config.cache else None
    among = rare_classes(augment.rarity, train.pixels) if config.paste_classes == "rare" else None
    return TrainingSet(
        train.pairs,
        dataset.read_labels,
        augment,
        config.seed,
        void_as,
        config.paste,
        among,
        decoded,
    )


def _augmentation(config: TrainConfig, train: SplitStats) -> Augmentation:
    """What is done to the samples: the strength's, with what the config says besides; rare classes
    drawn more often.
    """
    assert config.crop is not None
    names = ("scale", "jitter", "mirror", "upright")
    given = {name: value for name in names if (value := getattr(config, name)) is not None}
    rarity = class_weights("median", torch.tensor(train.pixels), torch.tensor(train.holding))
    assert rarity is not None
    return Augmentation(
        config.crop, **{**AUGMENTATIONS[config.augment], **given, "rarity": tuple(rarity.tolist())}
    )


def _loss(train: SplitStats, config: TrainConfig) -> Loss:
    weight = class_weights(
        config.class_weights, torch.tensor(train.pixels), torch.tensor(train.holding)
    )
    weight = None if weight is None else weight.to(config.device)
    return make_loss(config.loss, weight=weight, smoothing=config.label_smoothing)
