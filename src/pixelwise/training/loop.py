"""The training loop: one page on Lightning Fabric."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from pixelwise.interrupt import stop_on_interrupt
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.segmenter import Segmenter
from pixelwise.progress import Progress
from pixelwise.training.config import TrainConfig
from pixelwise.training.distributed import agreed, launch, synchronized
from pixelwise.training.history import Epoch, write_history
from pixelwise.training.loaders import workers_ended
from pixelwise.training.losses import Loss
from pixelwise.training.optim import make_optimizer, moving_average
from pixelwise.training.schedule import Budget
from pixelwise.training.session import Loaders, NotFiniteError, Session, Trained, time_left
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
        return max(self.history, key=rank, default=None)


@dataclass(frozen=True)
class Place:
    """Where a training writes, and what it says and does on the way.

    `after` is called after each epoch with the history so far and whether this epoch is the best.
    """

    run: Path
    header: Header
    progress: Progress
    after: Callable[[list[Epoch], bool], None] = lambda history, best: None


def fit(
    model: Segmenter, loaders: Loaders, loss: Loss, *, config: TrainConfig, place: Place
) -> Outcome:
    """Train `model`; the best weights by validation mean IoU, the history and the resumable state
    go to `place.run`.

    Continues from the run's state where there is one. A loss that is no number steps back to the
    last epoch's end, once and with half the learning rate; then it raises TrainingError. Ctrl-C
    ends the loop after the step in hand. `config` has every choice made: nothing is `auto` or None
    but one of epochs and minutes.
    """
    fabric = launch(config)
    if config.run.device == "cuda" and fabric.world_size > 1:
        model = synchronized(model)
    model = model.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, config)
    net, stepper = fabric.setup(model, optimizer)
    average = moving_average(model, config.optim.ema)
    budget = _budget(config, len(loaders.train))
    history = restore_state(place.run, (model, average, optimizer), budget)
    with stop_on_interrupt() as stop, workers_ended(loaders.train, loaders.val):
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
            budget,
            stop,
            place.progress,
        )
        while not agreed(fabric, budget.over or bool(stop) or _tired(history, config)):
            number = len(history) + 1
            torch.manual_seed(config.run.seed + number)
            loaders.epochs.epoch = number
            trained = _trained(session, number, place)
            if agreed(fabric, bool(stop)):
                break
            if trained is None:
                continue
            row = session.validated(trained, number)
            if not math.isfinite(row.val_loss):
                _step_back(
                    session,
                    number,
                    place,
                    NotFiniteError(f"epoch {number}: the weights became no numbers"),
                )
                continue
            history.append(row)
            _keep(session, history, place)
    return Outcome(history, bool(stop), session.scored)


def _trained(session: Session, number: int, place: Place) -> Trained | None:
    """One epoch; None where its loss was no number and the last epoch's end was gone back to."""
    try:
        return session.train_epoch(number)
    except NotFiniteError as error:
        _step_back(session, number, place, error)
    return None


def _step_back(session: Session, number: int, place: Place, error: NotFiniteError) -> None:
    """To the end of the epoch before `number`, once; raises `error` where that was done or there is
    none.
    """
    if session.budget.rate < 1 or not state_path(place.run).is_file():
        raise error
    budget = session.budget
    spent = budget.elapsed
    restore_state(place.run, (session.model, session.average, session.optimizer), budget)
    budget.earlier += spent - budget.elapsed  # what was lost took its time all the same
    budget.rate = 0.5
    place.progress.log(
        f"epoch {number}: the loss became no number; back to the end of epoch {number - 1}, "
        "rate halved"
    )


def _keep(session: Session, history: list[Epoch], place: Place) -> None:
    """Write what the last epoch of `history` changed."""
    fabric = session.fabric
    best = max(history, key=rank) is history[-1]
    if fabric.is_global_zero:
        _write(session, history, place, best=best)
    fabric.barrier()


def _write(session: Session, history: list[Epoch], place: Place, *, best: bool) -> None:
    row = history[-1]
    model = session.scored
    if best:
        save_model(place.run / "model.safetensors", model, _with_scores(place.header, row))
    write_history(place.run / "history.csv", history)
    save_state(
        place.run, (session.model, session.average, session.optimizer), session.budget, len(history)
    )
    place.progress.log(_summary(row, session.budget))
    if len(history) == 1 or session.config.run.profile:
        place.progress.log(f"time: {session.watch.shares()}")
    session.watch.seconds.clear()
    place.after(history, best)


def _budget(config: TrainConfig, steps: int) -> Budget:
    if config.optim.minutes is not None:
        return Budget(None, config.optim.minutes * 60)
    assert config.optim.epochs is not None
    return Budget(config.optim.epochs * steps, None)


def _tired(history: list[Epoch], config: TrainConfig) -> bool:
    """Whether `patience` epochs brought no better score."""
    if config.optim.patience is None or not history:
        return False
    best = max(range(len(history)), key=lambda index: rank(history[index]))
    return len(history) - 1 - best >= config.optim.patience


def rank(row: Epoch) -> float:
    """What the best epoch has most of: validation mean IoU; one without any comes last."""
    return -1.0 if math.isnan(row.val_mean_iou) else row.val_mean_iou


def _with_scores(header: Header, row: Epoch) -> Header:
    return Header(header.model, header.classes, {**header.training, "epoch": asdict(row)})


def _summary(row: Epoch, budget: Budget) -> str:
    return (
        f"epoch {row.epoch}: loss {row.train_loss:.3f}, validation mean IoU "
        f"{row.val_mean_iou:.3f}, "
        f"pixel accuracy {row.val_pixel_accuracy:.3f}, {row.images_per_second:.1f} "
        f"images/s{time_left(budget)}"
    )
