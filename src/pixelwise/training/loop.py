"""The training loop: one page on Lightning Fabric."""

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer
from torch.utils.data import DataLoader

from pixelwise.checkpoint import Header, save_model
from pixelwise.data.loaders import Batch, Epochs
from pixelwise.errors import TrainingError
from pixelwise.models.segmenter import Segmenter
from pixelwise.monitor import Monitor
from pixelwise.tasks.losses import cross_entropy
from pixelwise.tasks.metrics import ConfusionMatrix
from pixelwise.training.config import DEFAULT_EPOCHS, TrainConfig
from pixelwise.training.history import Epoch, write_history
from pixelwise.training.interrupt import StopWish, stop_on_interrupt
from pixelwise.training.schedule import Budget, rate_factor
from pixelwise.training.state import restore_state, save_state


@dataclass(frozen=True)
class Loaders:
    """What the loop is fed with. `epochs` is the training loader's sampler, told the epoch before each round."""

    train: DataLoader[Batch]
    epochs: Epochs
    val: DataLoader[list[Batch]]


@dataclass(frozen=True)
class Outcome:
    """How a training ended."""

    history: list[Epoch]
    stopped: bool

    @property
    def best(self) -> Epoch | None:
        """The epoch whose weights are in model.safetensors."""
        return max(self.history, key=_rank, default=None)


def fit(
    model: Segmenter, loaders: Loaders, *, config: TrainConfig, header: Header, run: Path, monitor: Monitor
) -> Outcome:
    """Train `model`; the best weights by validation mean IoU, the history and the resumable state go to `run`.

    Continues from `run`/state where there is one. A loss that is no number raises TrainingError; Ctrl-C ends the loop
    after the step in hand. `config` has every choice made: nothing is `auto` or None but one of epochs and minutes.
    """
    fabric = make_fabric(config)
    model = model.to(memory_format=torch.channels_last)
    kind: type[AdamW] | type[SGD] = {"adamw": AdamW, "sgd": SGD}[config.optimizer]
    optimizer = kind(_groups(model, config), lr=config.learning_rate, weight_decay=config.weight_decay)
    net, stepper = fabric.setup(model, optimizer)
    budget = _budget(config, len(loaders.train))
    history = restore_state(run, model, optimizer, budget)
    with stop_on_interrupt() as stop:
        session = _Session(
            fabric, net, optimizer, stepper, loaders, config, budget, stop, monitor, header.model.classes
        )
        while not (budget.over or stop):
            number = len(history) + 1
            torch.manual_seed(config.seed + number)
            loaders.epochs.epoch = number
            trained = session.train_epoch()
            if stop:
                break
            row = session.validated(trained, number)
            history.append(row)
            if _rank(row) >= max(_rank(earlier) for earlier in history):
                save_model(run / "model.safetensors", model, _with_scores(header, row))
            write_history(run / "history.csv", history)
            save_state(run, model, optimizer, budget, len(history))
            monitor.line(_summary(row, budget))
    return Outcome(history, stopped=bool(stop))


def make_fabric(config: TrainConfig) -> Fabric:
    """Fabric on the config's device and precision; both must be chosen, not `auto`."""
    precision = {"float32": "32-true", "bfloat16": "bf16-mixed"}[config.precision]
    return Fabric(accelerator=config.device, devices=1, precision=precision)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Trained:
    loss: float
    confusion: ConfusionMatrix
    rate: float
    learning_rate: float


@dataclass(frozen=True)
class _Session:
    """What one pass over the data needs at hand."""

    fabric: Fabric
    net: torch.nn.Module
    optimizer: Optimizer
    stepper: Optimizer  # Fabric's wrapper of it; its `param_groups` go stale when a state is loaded
    loaders: Loaders
    config: TrainConfig
    budget: Budget
    stop: StopWish
    monitor: Monitor
    classes: int

    def train_epoch(self) -> _Trained:
        """One pass over the training data, cut short where somebody asks to stop or the minutes are over."""
        self.net.train()
        confusion, losses, start = ConfusionMatrix(self.classes), list[float](), time.monotonic()
        loader, budget = self.loaders.train, self.budget
        size = loader.batch_size or 1
        rate = 0.0
        for image, labels in self.monitor.track(loader, what="train", total=len(loader) * size, weight=size):
            rate = self._set_rate()
            images, target = self._on_device(image, labels)
            logits = self.net(images)  # (N, C, h, w)
            loss = cross_entropy(logits, target)
            losses.append(_finite(loss))
            self.fabric.backward(loss)
            self.stepper.step()
            self.optimizer.zero_grad()
            confusion.update(target, logits.detach().argmax(1), images=len(target))
            budget.done += 1
            self.monitor.status(f"loss {losses[-1]:.3f}{_left(budget)}")
            if self.stop or (budget.seconds is not None and budget.over):
                break
        speed = len(losses) * size / (time.monotonic() - start)
        return _Trained(sum(losses) / max(1, len(losses)), confusion, speed, rate)

    def validated(self, trained: _Trained, number: int) -> Epoch:
        """The row of epoch `number`; what the validation cost is kept back from a budget of minutes."""
        start = time.monotonic()
        loss, confusion = self.validate()
        self.budget.reserve = 1.1 * (time.monotonic() - start)
        seen, val = trained.confusion.scores(), confusion.scores()
        return Epoch(
            epoch=number,
            train_loss=trained.loss,
            train_pixel_accuracy=seen.pixel_accuracy,
            train_mean_iou=seen.mean_iou,
            val_loss=loss,
            val_pixel_accuracy=val.pixel_accuracy,
            val_mean_iou=val.mean_iou,
            learning_rate=trained.learning_rate,
            images_per_second=trained.rate,
            seconds=self.budget.elapsed,
        )

    @torch.no_grad()
    def validate(self) -> tuple[float, ConfusionMatrix]:
        """Mean loss and the pooled confusion matrix over whole images."""
        self.net.eval()
        confusion, losses = ConfusionMatrix(self.classes), list[float]()
        for tiles in self.monitor.track(self.loaders.val, what="validate", total=len(self.loaders.val)):
            for image, labels in tiles:
                images, target = self._on_device(image, labels)
                logits = self.net(images)
                losses.append(float(cross_entropy(logits, target)))
                confusion.update(target, logits.argmax(1), images=0)
            confusion.images += 1
        return sum(losses) / max(1, len(losses)), confusion

    def _set_rate(self) -> float:
        factor = rate_factor(self.budget.progress, warmup=self.config.warmup, decay=self.config.decay)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        return self.config.learning_rate * factor

    def _on_device(self, image: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        images = self.fabric.to_device(image).float().div_(255).contiguous(memory_format=torch.channels_last)
        return images, self.fabric.to_device(labels).long()


def _groups(model: Segmenter, config: TrainConfig) -> list[dict[str, object]]:
    """The decoder at the full rate, a pretrained encoder slower; AdamW does not decay biases and norms."""
    slow = config.encoder_rate if config.weights != "none" or config.start else 1.0
    groups: list[dict[str, object]] = []
    for part, rate in ((model.encoder, slow), (model.decoder, 1.0)):
        peak = config.learning_rate * rate
        parameters = list(part.parameters())
        groups.append({"params": [p for p in parameters if p.ndim > 1], "peak": peak})
        spared = {} if config.optimizer == "sgd" else {"weight_decay": 0.0}
        groups.append({"params": [p for p in parameters if p.ndim <= 1], "peak": peak, **spared})
    return groups


def _budget(config: TrainConfig, steps: int) -> Budget:
    if config.minutes is not None:
        return Budget(None, config.minutes * 60)
    return Budget((config.epochs or DEFAULT_EPOCHS) * steps, None)


def _finite(loss: Tensor) -> float:
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingError(
            f"the loss became {value}: the training stops, the best model so far is kept; "
            "try a smaller learning rate, --precision float32, or `--seed` another"
        )
    return value


def _rank(row: Epoch) -> float:
    return -1.0 if math.isnan(row.val_mean_iou) else row.val_mean_iou


def _with_scores(header: Header, row: Epoch) -> Header:
    return Header(header.model, header.classes, {**header.training, "epoch": asdict(row)})


def _left(budget: Budget) -> str:
    left = budget.seconds_left
    return "" if left is None else f", {left / 60:.0f} min left in all"


def _summary(row: Epoch, budget: Budget) -> str:
    return (
        f"epoch {row.epoch}: loss {row.train_loss:.3f}, validation mean IoU {row.val_mean_iou:.3f}, "
        f"pixel accuracy {row.val_pixel_accuracy:.3f}, {row.images_per_second:.1f} images/s{_left(budget)}"
    )
