"""The image itself as the parameter, moved until it has the content of one image and the style of
another.

Source: Gatys, Ecker, Bethge 2016; Zhang et al., "Dive into Deep Learning", section 14.12.
Coarse-to-fine: Gatys et al. 2017, "Controlling perceptual factors", section 6.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.errors import ConfigError, TrainingError
from pixelwise.progress import Progress
from pixelwise.style_transfer.config import StyleConfig
from pixelwise.style_transfer.features import StyleNetwork
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


# Called with each step and a function that makes the image so far, (3, H, W) in [0, 1]; returns
# True to stop.
OnStep = Callable[[Step, Callable[[], Tensor]], bool]


@dataclass(frozen=True)
class StyleResult:
    """An image in the style of another."""

    image: Tensor
    """(3, H, W), in [0, 1]."""

    history: list[Step]
    """All steps, in order."""

    stopped: bool
    """Whether `on_step` ended the work."""


def transfer_style(
    content: Tensor,
    styles: Sequence[tuple[Tensor, float]],
    network: StyleNetwork,
    config: StyleConfig,
    *,
    progress: Progress | None = None,
    on_step: OnStep = lambda step, image: False,
) -> StyleResult:
    """Give `content` (3, H, W) the style of images (3, h, w) with their weights; all floats in
    [0, 1].

    `on_step` is called with each step and a function that makes the image so far; where it returns
    True the work ends. Raises ConfigError for an image too small for the network and TrainingError
    where the loss stays no number.
    """
    _check_images(content, styles, network)
    if config.tile is not None and network.halo is None:
        raise ConfigError(
            "tile: only vgg19 and vgg16 give the whole picture's result in tiles; leave it out"
        )
    torch.manual_seed(config.seed)
    sizes = _level_sizes(content, config.levels, network)
    optimization = _Optimization(network, config, progress or Progress(), on_step)
    image = _start_image(content, styles, config)
    for size, steps in zip(sizes, _level_steps(config.steps, len(sizes)), strict=True):
        image = optimization.run_level(
            resize(image, size),
            resize(content, size),
            _resize_styles(styles, size, config),
            steps=steps,
            last=size == sizes[-1],
        )
        if optimization.stopped:
            break
    image = resize(image, (content.shape[-2], content.shape[-1])).clamp(0, 1)
    result = blend_with_content(image, content, config)
    return StyleResult(result, optimization.history, optimization.stopped)


def blend_with_content(image: Tensor, content: Tensor, config: StyleConfig) -> Tensor:
    """The image with the content's colours where they are kept, mixed with the content by
    `strength`.
    """
    if config.keep_colours:
        lightness = torch.tensor([0.299, 0.587, 0.114])[:, None, None]  # ITU-R BT.601
        image = (content + ((image - content) * lightness).sum(0)).clamp(0, 1)
    if config.strength == 1:
        return image
    return content + config.strength * (image - content)


class _Optimization:
    """The steps of all levels: their history, and the rate, which falls where a loss is no
    number.
    """

    def __init__(
        self, network: StyleNetwork, config: StyleConfig, progress: Progress, on_step: OnStep
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
        styles: list[tuple[Tensor, float]],
        *,
        steps: int,
        last: bool,
    ) -> Tensor:
        """The image (3, h, w) after the steps of one size."""
        config = self.config
        objective = self._objective(content, styles)
        image = self._normalise(start).requires_grad_()
        optimizer = self._optimizer(image)
        checkpoint = image.detach().clone()
        average = _Average(image)
        retries = 0
        for number in range(steps):
            self._set_rate(optimizer, number)
            before = image.detach().clone() if number % SETTLE_STEPS == 0 else None
            losses = _take_step(optimizer, objective, image)
            if not math.isfinite(losses.total):
                retries += 1
                image, optimizer = self._restart(checkpoint, retries)
                continue
            if config.inside:
                image.data.copy_(self._normalise(self._to_colours(image.detach())))
            if before is not None:
                checkpoint = before  # its loss is known to be a number
            self._record(image, losses)
            if last and number >= (1 - config.average) * steps:
                average.add(image.detach())
            if self._must_stop(image.detach(), last=last):
                break
        if retries == steps:
            raise TrainingError(_NOT_A_NUMBER)
        return self._to_colours(average.result(image.detach()))

    def _objective(self, content: Tensor, styles: list[tuple[Tensor, float]]) -> Objective:
        large = content[0].numel() > MAX_WHOLE_PIXELS and self.network.halo is not None
        return Objective(
            self.network,
            self._normalise(content),
            [(self._normalise(style), weight) for style, weight in styles],
            weights=self.config.weights,
            tile=self.config.tile or (TILE if large else None),
            bfloat16=self.config.bfloat16,
        )

    def _optimizer(self, image: Tensor) -> torch.optim.Optimizer:
        if self.config.optimizer == "lbfgs":
            return torch.optim.LBFGS(
                [image], lr=self.rate / self.config.rate, max_iter=1, history_size=20
            )
        return torch.optim.Adam([image], lr=self.rate)

    def _set_rate(self, optimizer: torch.optim.Optimizer, number: int) -> None:
        config = self.config
        rate = self.rate if config.optimizer == "adam" else self.rate / config.rate
        for group in optimizer.param_groups:
            group["lr"] = rate * config.decay ** (number // config.every)

    def _restart(self, checkpoint: Tensor, retries: int) -> tuple[Tensor, torch.optim.Optimizer]:
        """The last image whose loss was a number, and an optimizer of half the rate."""
        if retries > _MAX_RETRIES:
            raise TrainingError(_NOT_A_NUMBER)
        self.rate /= 2
        self.progress.log(
            f"the loss became no number: back by up to {SETTLE_STEPS} steps, rate {self.rate:g}"
        )
        image = checkpoint.clone().requires_grad_()
        return image, self._optimizer(image)

    def _record(self, image: Tensor, losses: Losses) -> None:
        size = (image.shape[-2], image.shape[-1])
        self.history.append(Step(len(self.history) + 1, size, losses))

    def _must_stop(self, image: Tensor, *, last: bool) -> bool:
        if self.on_step(self.history[-1], lambda: self._to_colours(image)):
            self.stopped = True
            return True
        if last and self._has_settled():
            self.progress.log(f"step {len(self.history)}: the loss stands still; done")
            return True
        return False

    def _has_settled(self) -> bool:
        recent = self.history[-SETTLE_STEPS - 1 :]
        level = [step for step in recent if step.size == self.history[-1].size]
        if not self.config.settle or len(level) <= SETTLE_STEPS:
            return False
        first = level[0].losses.total
        return first - level[-1].losses.total < self.config.settle * first

    def _normalise(self, colours: Tensor) -> Tensor:
        return ((colours[None] - self.network.mean) / self.network.std).contiguous()

    def _to_colours(self, image: Tensor) -> Tensor:
        colours: Tensor = (image * self.network.std + self.network.mean)[0].clamp(0, 1)
        return colours


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
        return self._sum / self._count if self._count else image


def _take_step(optimizer: torch.optim.Optimizer, objective: Objective, image: Tensor) -> Losses:
    """Move the image; returns the losses before."""
    evaluated: list[Losses] = []

    def closure() -> float:
        losses = objective.backward(image)
        evaluated.append(losses)
        return losses.total

    optimizer.step(closure)
    return evaluated[0]


def _start_image(
    content: Tensor, styles: Sequence[tuple[Tensor, float]], config: StyleConfig
) -> Tensor:
    if config.start == "noise":
        return torch.rand(content.shape)
    if config.start == "style":
        return resize(styles[0][0], (content.shape[-2], content.shape[-1]))
    return content


def _check_images(
    content: Tensor, styles: Sequence[tuple[Tensor, float]], network: StyleNetwork
) -> None:
    least = max(network.strides[1]) * 2
    for role, image in (("content", content), *(("style", style) for style, _ in styles)):
        height, width = image.shape[-2:]
        if min(height, width) < least:
            raise ConfigError(
                f"the {role} picture is {height} x {width} pixels: at least {least} a side "
                "are needed; enlarge it, or "
                "give a larger --size"
            )
    if not styles or not all(weight > 0 for _, weight in styles):
        raise ConfigError("styles: give one or more, each with a weight above 0")


def _level_sizes(content: Tensor, levels: int, network: StyleNetwork) -> list[tuple[int, int]]:
    """(height, width) of each level, the coarsest first; levels too small for the network are left
    out.
    """
    height, width = content.shape[-2:]
    least = max(network.strides[1]) * 4
    sizes = [(height >> level, width >> level) for level in reversed(range(levels))]
    return [size for size in sizes[:-1] if min(size) >= least] + sizes[-1:]


def _level_steps(steps: int, levels: int) -> list[int]:
    """Two thirds on the coarser of two levels and so on: they cost a quarter, and set the style's
    large forms.
    """
    counts = list[int]()
    remaining = steps
    for _ in range(levels - 1):
        counts.append(remaining * 2 // 3)
        remaining -= counts[-1]
    return [*counts, max(1, remaining)]


def _resize_styles(
    styles: Sequence[tuple[Tensor, float]], size: tuple[int, int], config: StyleConfig
) -> list[tuple[Tensor, float]]:
    """The styles, with the image's area at a `style_scale` of 1."""
    side = (size[0] * size[1]) ** 0.5 * config.style_scale
    resized = []
    for style, weight in styles:
        height, width = style.shape[-2:]
        factor = side / (height * width) ** 0.5
        style_size = (max(32, round(height * factor)), max(32, round(width * factor)))
        resized.append((resize(style, style_size), weight))
    return resized


def resize(image: Tensor, size: tuple[int, ...]) -> Tensor:
    """The image (3, H, W) at `size` (height, width), bicubically; in [0, 1]."""
    if image.shape[-2:] == size:
        return image
    resized = F.interpolate(image[None], size, mode="bicubic", antialias=True, align_corners=False)
    return resized[0].clamp(0, 1)
