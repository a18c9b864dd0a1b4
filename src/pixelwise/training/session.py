"""One pass over the data, for training or for validation."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from lightning_fabric import Fabric
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from pixelwise.errors import TrainingError
from pixelwise.interrupt import StopFlag
from pixelwise.metrics.confusion import ConfusionMatrix
from pixelwise.models.segmenter import Segmenter
from pixelwise.progress import Progress
from pixelwise.training.auto_config import FOR_VALIDATION, enough_memory, for_steps
from pixelwise.training.config import TrainConfig
from pixelwise.training.distributed import agreed, mean_of, of_first, pooled, share_buffers
from pixelwise.training.history import Epoch
from pixelwise.training.loaders import Batch, Epochs, plainly
from pixelwise.training.losses import Loss, cross_entropy
from pixelwise.training.optim import thaw
from pixelwise.training.profiling import Operators, Stopwatch
from pixelwise.training.schedule import Budget, rate_factor


@dataclass(frozen=True)
class Loaders:
    """What the loop is fed with. `epochs` is the training loader's sampler, told the epoch before
    each round.
    """

    train: DataLoader[Batch]
    epochs: Epochs
    val: DataLoader[list[Batch]]


class NotFiniteError(TrainingError):
    """The loss was no number."""


@dataclass(frozen=True)
class Trained:
    """What one pass of training showed: mean loss, confusion, images/s, the last learning rate."""

    loss: float
    confusion: ConfusionMatrix
    speed: float
    learning_rate: float


@dataclass(frozen=True)
class Session:
    """What one pass over the data needs at hand. `average` follows `model`, and is what is
    validated.

    `stepper` is Fabric's wrapper of the optimiser; its `param_groups` go stale when a state is
    loaded.
    """

    fabric: Fabric
    model: Segmenter
    average: ModelEmaV3 | None
    net: torch.nn.Module
    optimizer: Optimizer
    stepper: Optimizer
    loaders: Loaders
    config: TrainConfig
    loss: Loss
    budget: Budget
    stop: StopFlag
    progress: Progress
    watch: Stopwatch = field(default_factory=Stopwatch)

    @property
    def scored(self) -> Segmenter:
        """The network that is validated and kept."""
        if self.average is None:
            return self.model
        found: Segmenter = self.average.module
        return found

    def train_epoch(self, number: int) -> Trained:
        """One pass over the training data, cut short where somebody asks to stop or the minutes are
        over.

        Raises NotFiniteError for a loss that is no number.
        """
        self.net.train()
        self.optimizer.zero_grad()
        thaw(self.model, number, self.config.optim.freeze)
        confusion = ConfusionMatrix(self.model.classes)
        losses = list[float]()
        start = time.monotonic()
        loader = self.loaders.train
        budget = self.budget
        size = loader.batch_size or 1
        together = self.config.optim.accumulate or 1
        rate = 0.0
        batches = self.progress.track(
            plainly(loader), what="train", total=len(loader) * size, weight=size
        )
        told = Operators(self.progress.log, wanted=self.config.run.profile and number == 1)
        with told as operators, enough_memory(self.config.run.device, for_steps(self.config)):
            for image, labels in self._waited(batches):
                operators.step()
                rate = self._set_rate()
                images, target = self._on_device(image, labels)
                with self.watch("forward"):
                    logits = self.net(images)  # (N, C, h, w)
                    loss = self.loss(logits, target)
                losses.append(self._finite(loss))
                with self.watch("backward"):
                    self.fabric.backward(loss / in_step(len(losses), of=len(loader), size=together))
                budget.done += 1
                if len(losses) % together == 0 or len(losses) == len(loader):
                    self._step()
                with self.watch("scores"):
                    confusion.update(target, logits.detach().argmax(1), images=len(target))
                self.progress.set_postfix(f"loss {losses[-1]:.3f}{time_left(budget)}")
                if agreed(
                    self.fabric, bool(self.stop) or (budget.seconds is not None and budget.over)
                ):
                    break
        speed = self.fabric.world_size * len(losses) * size / (time.monotonic() - start)
        return Trained(
            sum(losses) / max(1, len(losses)), pooled(self.fabric, confusion), speed, rate
        )

    def validated(self, trained: Trained, number: int) -> Epoch:
        """The row of epoch `number`; what the validation cost is kept back from a budget of
        minutes.
        """
        start = time.monotonic()
        with self.watch("validation"), enough_memory(self.config.run.device, FOR_VALIDATION):
            loss, confusion = self.validate()
        self.budget.reserve = 1.1 * (time.monotonic() - start)
        seen = trained.confusion.scores()
        val = confusion.scores()
        return Epoch(
            epoch=number,
            train_loss=trained.loss,
            train_pixel_accuracy=seen.pixel_accuracy,
            train_mean_iou=seen.mean_iou,
            val_loss=loss,
            val_pixel_accuracy=val.pixel_accuracy,
            val_mean_iou=val.mean_iou,
            learning_rate=trained.learning_rate,
            images_per_second=trained.speed,
            seconds=self.budget.elapsed,
        )

    @torch.no_grad()
    def validate(self) -> tuple[float, ConfusionMatrix]:
        """Mean cross-entropy and the pooled confusion matrix over whole images."""
        net = self.scored.eval()
        share_buffers(self.fabric, net)
        confusion = ConfusionMatrix(net.classes)
        losses = list[float]()
        whole = self.loaders.val
        for tiles in self.progress.track(plainly(whole), what="validate", total=len(whole)):
            for image, labels in tiles:
                images, target = self._on_device(image, labels)
                with self.fabric.autocast():
                    logits = net(images)
                losses.append(float(cross_entropy(logits, target)))
                confusion.update(target, logits.argmax(1), images=0)
            confusion.images += 1
        return mean_of(self.fabric, sum(losses), len(losses)), pooled(self.fabric, confusion)

    def _waited(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches; the time spent waiting for them is noted."""
        while True:
            with self.watch("waiting for data"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def _step(self) -> None:
        with self.watch("optimiser"):
            if self.config.optim.clip is not None:
                norm = self.config.optim.clip
                self.fabric.clip_gradients(
                    self.net, self.stepper, max_norm=norm, error_if_nonfinite=False
                )
            self.stepper.step()
            self.optimizer.zero_grad()
            if self.average is not None:
                self.average.update(
                    self.model, step=self.budget.done // (self.config.optim.accumulate or 1)
                )

    def _set_rate(self) -> float:
        fraction = self.budget.progress
        if self.budget.seconds is not None:
            fraction = of_first(self.fabric, fraction)
        factor = rate_factor(fraction, warmup=self.config.optim.warmup, decay=self.config.optim.decay)
        factor *= self.budget.rate
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        return self.config.optim.learning_rate * factor

    def _finite(self, loss: Tensor) -> float:
        value = mean_of(self.fabric, float(loss.detach()))
        if not math.isfinite(value):
            raise NotFiniteError(
                f"the loss became {value}: the training stops, the best model so far is kept; "
                "try a smaller learning rate, --precision float32, or `--seed` another"
            )
        return value

    def _on_device(self, image: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        images = (
            self.fabric.to_device(image)
            .float()
            .div_(255)
            .contiguous(memory_format=torch.channels_last)
        )
        return images, self.fabric.to_device(labels).long()


def in_step(number: int, *, of: int, size: int) -> int:
    """How many batches share the step of batch `number` (1 to `of`) when `size` are put together,
    fewer at the end.
    """
    return size if number <= of - of % size else of % size


def time_left(budget: Budget) -> str:
    """For the end of a line; empty where nothing is known."""
    left = budget.seconds_left
    return "" if left is None else f", {left / 60:.0f} min left in all"
