"""The steps of a style transfer: the image as the parameter of an optimizer, at one size after the
other.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.errors import TrainingError
from pixelwise.progress import Progress
from pixelwise.style_transfer.config import StyleConfig
from pixelwise.style_transfer.features import StyleNetwork
from pixelwise.style_transfer.levels import WeightedStyle
from pixelwise.style_transfer.objective import Losses, Objective

# Steps over which the loss is compared with what it was, to see whether it still falls; also those
# between two images that a loss which is no number goes back to.
SETTLE_STEPS = 20

_MAX_RETRIES = 3
_NOT_A_NUMBER = "the loss stays no number; try a smaller rate, adam, or smaller weights"

# Where no tile is asked for: images of more pixels than MAX_WHOLE_PIXELS go in tiles of TILE, which
# then see about as many.
TILE = 768
MAX_WHOLE_PIXELS = 1_000_000


@dataclass(frozen=True)
class Step:
    """One step of the optimization."""

    number: int
    """From 1, over all levels."""

    size: tuple[int, int]
    """(height, width) of the level."""

    losses: Losses
    """Before the step."""


# Called with each step and a function that makes the image so far, (3, H, W) in [0, 1] on the CPU;
# returns True to stop.
OnStep = Callable[[Step, Callable[[], Tensor]], bool]


class Optimization:
    """The steps of all levels: their history, and the rate, which falls where a loss is no
    number.
    """

    def __init__(
        self,
        network: StyleNetwork,
        config: StyleConfig,
        progress: Progress,
        on_step: OnStep,
    ) -> None:
        self.network = network
        self.config = config
        self.progress = progress
        self.on_step = on_step
        self.rate = config.rate
        self.history: list[Step] = []
        self.stopped = False

    def run_level(
        self,
        start: Tensor,
        content: Tensor,
        styles: list[WeightedStyle],
        *,
        steps: int,
        last: bool,
    ) -> Tensor:
        """The image (3, h, w) after the steps of one size."""
        objective = self._build_objective(content, styles)
        image = self._normalise(start).requires_grad_()  # (1, 3, h, w)
        optimizer = self._build_optimizer(image)
        checkpoint = image.detach().clone()
        average = _Average(image)
        first_averaged = (1 - self.config.average) * steps
        retries = 0
        for number in range(steps):
            self._set_rate(optimizer, number)
            before = image.detach().clone() if number % SETTLE_STEPS == 0 else None
            losses = _take_step(optimizer, objective, image)
            if not math.isfinite(losses.total):
                retries += 1
                image, optimizer = self._restart(checkpoint, retries)
                continue
            self._clip(image)
            if before is not None:
                checkpoint = before  # its loss is known to be a number
            self._record(image, losses)
            if last and number >= first_averaged:
                average.add(image.detach())
            if self._must_stop(image.detach(), last=last):
                break
        if retries == steps:
            raise TrainingError(_NOT_A_NUMBER)
        result = average.result(image.detach())
        return self._to_colours(result)

    def _clip(self, image: Tensor) -> None:
        if self.config.inside:
            clipped = self._to_colours(image.detach())
            # its data alone, so that the optimizer's state stays with the same leaf
            image.data.copy_(self._normalise(clipped))

    def _build_objective(self, content: Tensor, styles: list[WeightedStyle]) -> Objective:
        pixels = content[0].numel()
        tile = self.config.tile
        if tile is None and pixels > MAX_WHOLE_PIXELS and self.network.halo is not None:
            tile = TILE
        normalised_styles = []
        for style, weight in styles:
            normalised_styles.append((self._normalise(style), weight))
        return Objective(
            self.network,
            self._normalise(content),
            normalised_styles,
            weights=self.config.weights,
            tile=tile,
            bfloat16=self.config.bfloat16,
        )

    def _build_optimizer(self, image: Tensor) -> torch.optim.Optimizer:
        if self.config.optimizer == "lbfgs":
            # one evaluation a step, so that a step costs as much as Adam's
            return torch.optim.LBFGS(
                [image],
                lr=self.rate / self.config.rate,
                max_iter=1,
                history_size=20,
            )
        return torch.optim.Adam([image], lr=self.rate)

    def _set_rate(self, optimizer: torch.optim.Optimizer, number: int) -> None:
        config = self.config
        rate = self.rate
        if config.optimizer == "lbfgs":
            # L-BFGS starts at 1, whatever rate Adam would take
            rate = self.rate / config.rate
        decays = number // config.every
        for group in optimizer.param_groups:
            group["lr"] = rate * config.decay**decays

    def _restart(self, checkpoint: Tensor, retries: int) -> tuple[Tensor, torch.optim.Optimizer]:
        """The last image whose loss was a number, and an optimizer of half the rate."""
        if retries > _MAX_RETRIES:
            raise TrainingError(_NOT_A_NUMBER)
        self.rate /= 2
        self.progress.log(
            f"the loss became no number: back by up to {SETTLE_STEPS} steps, rate {self.rate:g}"
        )
        image = checkpoint.clone().requires_grad_()
        # a new one: the moments of the old one hold numbers that are none
        return image, self._build_optimizer(image)

    def _record(self, image: Tensor, losses: Losses) -> None:
        height, width = image.shape[-2:]
        number = len(self.history) + 1
        self.history.append(Step(number, (height, width), losses))

    def _must_stop(self, image: Tensor, *, last: bool) -> bool:
        if self.on_step(self.history[-1], lambda: self._to_colours(image).cpu()):
            self.stopped = True
            return True
        if last and self._has_settled():
            self.progress.log(f"step {len(self.history)}: the loss stands still; done")
            return True
        return False

    def _has_settled(self) -> bool:
        recent = self.history[-SETTLE_STEPS - 1 :]
        size = self.history[-1].size
        # losses of another size are not comparable
        level = [step for step in recent if step.size == size]
        if not self.config.settle or len(level) <= SETTLE_STEPS:
            return False
        first = level[0].losses.total
        fall = first - level[-1].losses.total
        return fall < self.config.settle * first

    def _normalise(self, colours: Tensor) -> Tensor:
        """(3, H, W) in [0, 1] to (1, 3, H, W)."""
        shifted = colours[None] - self.network.mean
        return (shifted / self.network.std).contiguous()

    def _to_colours(self, image: Tensor) -> Tensor:
        """The inverse of `_normalise`, clipped."""
        scaled = image * self.network.std
        colours: Tensor = (scaled + self.network.mean)[0]
        return colours.clamp(0, 1)


class _Average:
    """The mean of the images of the last steps."""

    def __init__(self, image: Tensor) -> None:
        self._sum = torch.zeros_like(image)
        self._count = 0

    def add(self, image: Tensor) -> None:
        self._sum = self._sum + image
        self._count += 1

    def result(self, image: Tensor) -> Tensor:
        """The mean, or `image` where none was added."""
        if not self._count:
            return image
        return self._sum / self._count


def _take_step(optimizer: torch.optim.Optimizer, objective: Objective, image: Tensor) -> Losses:
    """Move the image; returns the losses before."""
    evaluated: list[Losses] = []

    def closure() -> float:
        losses = objective.backward(image)
        evaluated.append(losses)
        return losses.total

    optimizer.step(closure)
    return evaluated[0]
