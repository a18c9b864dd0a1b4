"""The training loop: one page on Lightning Fabric."""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from pixelwise.interrupt import stop_on_interrupt
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.segmenter import Segmenter
from pixelwise.progress import Progress
from pixelwise.training.config import TrainConfig
from pixelwise.training.distillation import Teacher
from pixelwise.training.distributed import any_rank, launch, sync_batchnorm
from pixelwise.training.duration import finishing_time
from pixelwise.training.feature_cache import cached_features
from pixelwise.training.history import Epoch, best_metric_key, write_history
from pixelwise.training.loaders import shutdown_workers
from pixelwise.training.losses import Loss
from pixelwise.training.optim import freeze_layers, make_optimizer, moving_average
from pixelwise.training.profiling import Stopwatch
from pixelwise.training.schedule import Budget
from pixelwise.training.session import Loaders, NotFiniteError, Session
from pixelwise.training.state import restore_state, save_state, state_path


@dataclass(frozen=True)
class Outcome:
    """How a training ended, and the network as it was then."""

    history: list[Epoch]
    stopped: bool
    model: Segmenter

    @property
    def best(self) -> Epoch | None:
        """The epoch whose weights are in model.safetensors."""
        return max(self.history, key=best_metric_key, default=None)


@dataclass(frozen=True)
class RunContext:
    """Where a training writes and logs, and what follows each epoch."""

    run: Path
    header: Header
    progress: Progress
    after_epoch: Callable[[list[Epoch], bool], None] = lambda history, best: None
    """Called after each round with the history so far and whether its row is the best."""
    started: float = field(default_factory=time.monotonic)
    """When the command began, by time.monotonic()."""


def fit(
    model: Segmenter,
    loaders: Loaders,
    loss: Loss,
    *,
    teacher: Teacher | None = None,
    config: TrainConfig,
    context: RunContext,
) -> Outcome:
    """Train `model`; the best weights by validation mean IoU, the history and the resumable state
    go to `context.run`.

    Continues from the run's state where there is one. Where the loss is no number, the training
    goes back to the end of the last epoch, once and with half the learning rate; then it raises
    TrainingError. Ctrl-C ends the loop after the current step. Every open option of `config` is
    chosen: nothing is `auto` or None but one of epochs and minutes.
    """
    fabric = launch(config)
    if config.run.device == "cuda" and fabric.world_size > 1:
        # Statistics of a single process's few samples would be noisy.
        model = sync_batchnorm(model)
    # before the processes agree on which gradients they share
    freeze_layers(
        model,
        1,
        stages=config.optim.frozen_stages or 0,
        whole=config.optim.frozen,
    )
    model = model.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, config)
    net, stepper = fabric.setup(model, optimizer)
    average = moving_average(model, config.optim.ema or 0.0, config.optim.ema_share)
    budget = _budget(config, loaders, context.started)
    history = restore_state(context.run, (model, average, optimizer), budget)
    features: AbstractContextManager[None] = nullcontext()
    # indices of poolings go beside the features
    if config.optim.frozen and config.optim.frozen_views and model.gives_cacheable_features:
        networks = (model,) if average is None else (model, average.module)
        folder = context.run / f"features{fabric.global_rank}"
        features = cached_features([network.encoder for network in networks], folder)
    with features, stop_on_interrupt() as stop, shutdown_workers(loaders.train, loaders.val):
        session = Session(
            fabric,
            model,
            average,
            net,
            optimizer,
            stepper,
            loaders,
            config,
            loss,
            teacher,
            budget,
            stop,
            context.progress,
            Stopwatch(waits_for_gpu=config.run.profile and config.run.device == "cuda"),
        )
        _run_epochs(session, history, context)
    return Outcome(history, bool(stop), session.scored)


def _run_epochs(session: Session, history: list[Epoch], context: RunContext) -> None:
    """Append epochs to `history` until the budget is spent, somebody asks to stop or the scores
    rise no more.
    """
    session.loaders.epochs.passes = session.config.optim.validate_every or 1
    session.reserve_end()
    while not _is_over(session, history):
        number = history[-1].epoch + 1 if history else 1
        try:
            row = _run_round(session, number)
        except NotFiniteError as error:
            _rollback(session, number, context, error)
            continue
        if row is None:
            return
        history.append(row)
        _save_epoch(session, history, context)


def _is_over(session: Session, history: list[Epoch]) -> bool:
    """Whether any process sees a reason to stop: all of them must leave the loop together."""
    epochs = session.config.optim.epochs
    is_last = bool(history) and epochs is not None and history[-1].epoch >= epochs
    over = session.budget.over or is_last or bool(session.stop)
    return any_rank(session.fabric, over or should_stop_early(history, session.config))


def _run_round(session: Session, number: int) -> Epoch | None:
    """Train the epochs of a round, from `number` on, and validate: the last one's row; None where
    somebody asked to stop. Raises NotFiniteError.
    """
    options = session.config.optim
    torch.manual_seed(session.config.run.seed + number)
    sampler = session.loaders.epochs
    sampler.epoch = number
    if options.epochs is not None:
        sampler.passes = min(sampler.passes, options.epochs - number + 1)
    stats = session.train_epoch(number)
    if any_rank(session.fabric, bool(session.stop)):
        return None
    row = session.validate_epoch(stats, number + max(1, stats.passes) - 1)
    session.adapt_round(stats)
    if not math.isfinite(row.val_loss):
        raise NotFiniteError(f"epoch {number}: the weights became no numbers")
    return row


def _rollback(session: Session, number: int, context: RunContext, error: NotFiniteError) -> None:
    """Go back to the end of the epoch before `number`, once; raises `error` where that was done
    already or there is no such epoch.
    """
    if session.budget.rate < 1 or not state_path(context.run).is_file():
        raise error
    budget = session.budget
    spent = budget.elapsed
    restore_state(context.run, (session.model, session.average, session.optimizer), budget)
    budget.earlier += spent - budget.elapsed  # the lost epoch took its time all the same
    budget.rate = 0.5
    context.progress.log(
        f"epoch {number}: the loss became no number; back to the end of epoch {number - 1}, "
        "rate halved"
    )


def _save_epoch(session: Session, history: list[Epoch], context: RunContext) -> None:
    """Write what the last epoch of `history` changed, on the first process; the others wait."""
    fabric = session.fabric
    best = max(history, key=best_metric_key) is history[-1]
    if fabric.is_global_zero:
        _write_files(session, history, context, best=best)
    fabric.barrier()


def _write_files(
    session: Session,
    history: list[Epoch],
    context: RunContext,
    *,
    best: bool,
) -> None:
    row = history[-1]
    if best:
        header = _with_scores(context.header, row)
        save_model(context.run / "model.safetensors", session.scored, header)
    write_history(context.run / "history.csv", history)
    save_state(
        context.run,
        (session.model, session.average, session.optimizer),
        session.budget,
        len(history),
    )
    context.progress.log(_summary(row, session.budget))
    if session.config.run.profile:
        context.progress.log(f"time: {session.watch.shares()}")
    session.watch.seconds.clear()
    context.after_epoch(history, best)


def _budget(config: TrainConfig, loaders: Loaders, started: float) -> Budget:
    options = config.optim
    if options.minutes is not None:
        return Budget(None, options.minutes * 60, started=started)
    assert options.epochs is not None
    every = options.validate_every or 1
    rounds, rest = divmod(options.epochs, every)
    share = loaders.epochs.share
    batch = loaders.train.batch_size or 1
    steps = rounds * (every * share // batch) + rest * share // batch
    return Budget(steps, None, started=started)


def should_stop_early(history: list[Epoch], config: TrainConfig) -> bool:
    """Whether the last `patience` epochs brought no better score."""
    if config.optim.patience is None or not history:
        return False
    best = max(history, key=best_metric_key)
    return history[-1].epoch - best.epoch >= config.optim.patience


def _with_scores(header: Header, row: Epoch) -> Header:
    return Header(header.model, header.classes, {**header.training, "epoch": asdict(row)})


def _summary(row: Epoch, budget: Budget) -> str:
    return (
        f"epoch {row.epoch}: loss {row.train_loss:.3f}, "
        f"validation mean IoU {row.val_mean_iou:.3f}{finishing_time(budget)}"
    )
