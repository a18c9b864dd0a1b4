"""One pass over the data, for training or for validation."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from lightning_fabric import Fabric
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from pixelwise.errors import TrainingError
from pixelwise.interrupt import StopFlag
from pixelwise.models.segmenter import Segmenter
from pixelwise.progress import Progress
from pixelwise.training.auto_config import (
    FOR_VALIDATION,
    enough_memory,
    enough_memory_for_steps,
)
from pixelwise.training.batch_norm import recompute_statistics
from pixelwise.training.config import TrainConfig
from pixelwise.training.distillation import Teacher
from pixelwise.training.distributed import (
    all_reduce_counts,
    any_rank,
    broadcast_from_rank0,
    reduce_mean,
    share_buffers,
)
from pixelwise.training.duration import finishing_time
from pixelwise.training.history import Epoch
from pixelwise.training.loaders import Batch, Epochs, reraise_clean
from pixelwise.training.losses import Loss
from pixelwise.training.optim import freeze_layers
from pixelwise.training.profiling import OperatorProfile, Stopwatch
from pixelwise.training.schedule import Budget, longer_round, rate_factor
from pixelwise.training.tasks import ALPHA, MULTILABEL, ONE_CLASS, PixelCounts, Task

# What follows the last validation takes as long as so many of them: trials of the input scale and
# the report's scores. At most MOST_RESERVED of the minutes are reserved for it.
END_VALIDATIONS = 3
MOST_RESERVED = 0.3


@dataclass(frozen=True)
class Loaders:
    """The batches of both splits."""

    train: DataLoader[Batch]
    epochs: Epochs
    """The training loader's sampler, whose epoch is set before each round."""
    val: DataLoader[list[Batch]]
    statistics: Iterable[Tensor] = ()
    """Images from which batch normalisation's statistics are taken anew before a validation."""
    is_alpha: bool = False
    """Whether targets are levels of alpha."""


class NotFiniteError(TrainingError):
    """The loss was no number."""


@dataclass(frozen=True)
class EpochStats:
    """What one pass of training measured."""

    loss: float
    """Mean over the batches."""
    confusion: PixelCounts
    speed: float
    """Images per second."""
    seconds: float
    passes: int
    """Epochs that were begun."""
    learning_rate: float
    """That of the last step."""


@dataclass(frozen=True)
class Session:
    """Everything that one pass over the data works with."""

    fabric: Fabric
    model: Segmenter
    average: ModelEmaV3 | None
    """The moving average of `model`, which is validated and saved."""
    net: torch.nn.Module
    """Fabric's wrapper of `model`."""
    optimizer: Optimizer
    stepper: Optimizer
    """Fabric's wrapper of the optimiser; its `param_groups` go stale when a state is loaded."""
    loaders: Loaders
    config: TrainConfig
    loss: Loss
    teacher: Teacher | None
    budget: Budget
    stop: StopFlag
    progress: Progress
    watch: Stopwatch = field(default_factory=Stopwatch)

    @property
    def task(self) -> Task:
        """What the network's logits mean."""
        if self.loaders.is_alpha:
            return ALPHA
        return MULTILABEL if self.model.multilabel else ONE_CLASS

    @property
    def scored(self) -> Segmenter:
        """The network that is validated and saved."""
        if self.average is None:
            return self.model
        averaged: Segmenter = self.average.module
        return averaged

    def train_epoch(self, number: int) -> EpochStats:
        """The passes over the training data of a round, from epoch `number` on, cut short where
        somebody asks to stop or the minutes are over.

        Raises NotFiniteError for a loss that is no number.
        """
        self.net.train()
        self.optimizer.zero_grad()
        options = self.config.optim
        freeze_layers(
            self.model,
            number,
            freeze=options.freeze,
            stages=options.frozen_stages or 0,
            whole=options.frozen,
        )
        confusion = self.task.make_counts(self.model.classes)
        start = time.monotonic()
        profiled = self.config.run.profile and number == 1
        profiler = OperatorProfile(
            self.progress.log, enabled=profiled, device=self.config.run.device
        )
        with profiler, enough_memory_for_steps(self.config):
            losses, rate = self._train_batches(confusion, profiler)
        seconds = time.monotonic() - start
        size = self.loaders.train.batch_size or 1
        passes = math.ceil(len(losses) * size / self.loaders.epochs.share)
        speed = self.fabric.world_size * len(losses) * size / seconds
        mean_loss = sum(losses) / max(1, len(losses))
        return EpochStats(
            mean_loss,
            all_reduce_counts(self.fabric, confusion),
            speed,
            seconds,
            min(passes, self.loaders.epochs.passes),
            rate,
        )

    def _train_batches(
        self,
        confusion: PixelCounts,
        profiler: OperatorProfile,
    ) -> tuple[list[float], float]:
        """The losses of the epoch's batches, and the last learning rate."""
        losses = list[float]()
        rate = 0.0
        loader = self.loaders.train
        size = loader.batch_size or 1
        batches = self.progress.track(
            reraise_clean(loader),
            what="train",
            total=len(loader) * size,
            weight=size,
        )
        for image, labels in self._timed(batches):
            profiler.step()
            rate = self._set_rate()
            loss = self._train_batch(image, labels, len(losses) + 1, confusion)
            losses.append(loss)
            self.progress.set_postfix(f"loss {loss:.3f}{finishing_time(self.budget)}")
            if self._must_stop():
                break
        return losses, rate

    def _train_batch(
        self,
        image: Tensor,
        labels: Tensor,
        number: int,
        confusion: PixelCounts,
    ) -> float:
        """Forward and backward of batch `number` (from 1), and the step it completes; its loss."""
        batches = len(self.loaders.train)
        accumulate = self.config.optim.accumulate or 1
        images, target = self._on_device(image, labels)
        with self.watch("forward"):
            logits = self.net(images)  # (N, C, h, w)
            loss = self.loss(logits, target)
            if self.teacher is not None:
                with self.fabric.autocast():
                    loss = loss + self.teacher.loss(images, logits, target)
        with self.watch("backward"):
            # A step's gradient is the mean over its batches, also where the last has fewer.
            share = loss / batches_in_step(number, of=batches, size=accumulate)
            self.fabric.backward(share)
        # After the backward pass is begun: a GPU that is asked for the number stands still.
        value = self._finite(loss)
        self.budget.done += 1
        if number % accumulate == 0 or number == batches:
            self._step()
        with self.watch("scores"):
            predicted = self.task.decide(logits.detach())  # (N, h, w), or layers
            confusion.update(self.task.to_truth(target), predicted, images=len(target))
        return value

    def _must_stop(self) -> bool:
        over = self.budget.seconds is not None and self.budget.over
        return any_rank(self.fabric, bool(self.stop) or over)

    def validate_epoch(self, stats: EpochStats, number: int) -> Epoch:
        """Validate and return the row of epoch `number`. A budget of minutes reserves the time that
        the last validation and the end take.
        """
        start = time.monotonic()
        early = self.budget.progress < self.config.optim.keep_after
        early = broadcast_from_rank0(self.fabric, early)  # clocks differ
        with self.watch("validation"), enough_memory(self.config.run.device, FOR_VALIDATION):
            loss, confusion = self.validate(self.scored)
        self._reserve(time.monotonic() - start)
        train = stats.confusion.scores()
        val = confusion.scores()
        return Epoch(
            epoch=number,
            train_loss=stats.loss,
            train_pixel_accuracy=train.pixel_accuracy,
            train_mean_iou=train.mean_iou,
            val_loss=loss,
            val_pixel_accuracy=val.pixel_accuracy,
            val_mean_iou=val.mean_iou,
            learning_rate=stats.learning_rate,
            images_per_second=stats.speed,
            seconds=self.budget.elapsed,
            early=early,
        )

    @torch.no_grad()
    def validate(self, net: Segmenter) -> tuple[float, PixelCounts]:
        """Mean cross-entropy and the pooled counts over whole images."""
        options = self.config.optim
        if options.bn_batches:
            recompute_statistics(
                net,
                map(self._images_on_device, self.loaders.statistics),
                frozen_stages=options.frozen_stages or 0,
                frozen_encoder=options.frozen,
            )
        net.eval()
        share_buffers(self.fabric, net)
        confusion = self.task.make_counts(net.classes)
        losses = list[float]()
        whole = self.loaders.val
        for tiles in self.progress.track(reraise_clean(whole), what="validate", total=len(whole)):
            for image, labels in tiles:
                images, target = self._on_device(image, labels)
                with self.fabric.autocast():
                    logits = net(images)
                losses.append(float(self.task.validation_loss(logits, target)))
                truth = self.task.to_truth(target)
                confusion.update(truth, self.task.decide(logits), images=0)
            confusion.images += 1
        mean_loss = reduce_mean(self.fabric, sum(losses), len(losses))
        return mean_loss, all_reduce_counts(self.fabric, confusion)

    @torch.no_grad()
    def reserve_end(self) -> None:
        """Reserve time for the last validation and the end of a budget of minutes, before any
        validation has been measured: by the time of two images.
        """
        if self.budget.seconds is None:
            return
        whole = self.loaders.val.dataset
        net = self.scored.eval()
        count = len(self.loaders.val)
        seconds = 0.0
        with enough_memory(self.config.run.device, FOR_VALIDATION):
            for _ in range(2):  # the first pays for allocation and kernel choice
                start = time.monotonic()
                for image, _labels in whole[count // 2]:
                    with self.fabric.autocast():
                        logits = net(self._images_on_device(image))
                    logits.argmax(1).cpu()  # a GPU is waited for
                seconds = time.monotonic() - start
        self._reserve(seconds * count)

    def _reserve(self, validation: float) -> None:
        """Reserve time for a validation of so many seconds, and as often again for the end."""
        if self.budget.seconds is not None:
            needed = (1.1 + END_VALIDATIONS) * validation
            self.budget.reserve = min(needed, MOST_RESERVED * self.budget.seconds)

    def adapt_round(self, stats: EpochStats) -> None:
        """Where minutes are counted, lengthen the rounds to come where validation takes more than
        its share of this one, whose training showed `stats`.
        """
        if self.budget.seconds is None:
            return
        sampler = self.loaders.epochs
        validation = self.budget.reserve / (1.1 + END_VALIDATIONS)
        passes = longer_round(sampler.passes, training=stats.seconds, validation=validation)
        sampler.passes = broadcast_from_rank0(self.fabric, passes)

    def _timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches; the time spent waiting for them goes to the stopwatch."""
        while True:
            with self.watch("waiting for data"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def _step(self) -> None:
        options = self.config.optim
        with self.watch("optimiser"):
            if options.clip is not None:
                self.fabric.clip_gradients(
                    self.net,
                    self.stepper,
                    max_norm=options.clip,
                    error_if_nonfinite=False,
                )
            self.stepper.step()
            self.optimizer.zero_grad()
            if self.average is not None:
                steps = self.budget.done // (options.accumulate or 1)
                self.average.update(self.model, step=steps)

    def _set_rate(self) -> float:
        fraction = self.budget.progress
        if self.budget.seconds is not None:
            fraction = broadcast_from_rank0(self.fabric, fraction)
        options = self.config.optim
        factor = rate_factor(fraction, warmup=options.warmup or 0.0, decay=options.decay)
        factor *= self.budget.rate
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        return (options.learning_rate or 0.0) * factor

    def _finite(self, loss: Tensor) -> float:
        value = reduce_mean(self.fabric, float(loss.detach()))
        if not math.isfinite(value):
            raise NotFiniteError(
                f"the loss became {value}: the training stops, the best model so far is kept; "
                "try a smaller learning rate, --precision float32, or `--seed` another"
            )
        return value

    def _on_device(self, image: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        target: Tensor = self.fabric.to_device(labels)
        return self._images_on_device(image), target if self.model.multilabel else target.long()

    def _images_on_device(self, image: Tensor) -> Tensor:
        """uint8 to floats in [0, 1]."""
        images: Tensor = self.fabric.to_device(image)
        return images.float().div_(255).contiguous(memory_format=torch.channels_last)


def batches_in_step(number: int, *, of: int, size: int) -> int:
    """Batches that share the step of batch `number` (1 to `of`) where `size` make a step, fewer in
    the last one.
    """
    return size if number <= of - of % size else of % size
