"""The picture itself as the parameter, moved until it has the content of one picture and the style
of another.

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

SETTLED = 20
"""Steps over which the loss is compared with what it was, to see whether it still moves."""

_RETRIES = 3
_NO_NUMBER = "the loss stays no number; try a smaller rate, adam, or smaller weights"


TILE = 768
WHOLE = 1_000_000
"""Where no tile is asked for: pictures of more pixels than WHOLE go in tiles of TILE, which then
see about as many.
"""


@dataclass(frozen=True)
class Step:
    """One step: its number from 1, the level's (height, width), the losses before it."""

    number: int
    size: tuple[int, int]
    losses: Losses


Seen = Callable[[Step, Callable[[], Tensor]], bool]
"""Told of each step, with a function that makes the picture so far, (3, H, W) in [0, 1]; True ends
the work.
"""


@dataclass(frozen=True)
class Picture:
    """The result (3, H, W), in [0, 1], and how the losses went; `stopped` where somebody asked
    to.
    """

    image: Tensor
    history: list[Step]
    stopped: bool


def transfer(
    content: Tensor,
    styles: Sequence[tuple[Tensor, float]],
    network: StyleNetwork,
    config: StyleConfig,
    *,
    progress: Progress | None = None,
    seen: Seen = lambda step, picture: False,
) -> Picture:
    """Give `content` (3, H, W) the style of pictures (3, h, w) with their weights; all floats in
    [0, 1].

    `seen` is told each step, with a function that makes the picture so far; where it answers True
    the work ends there. Raises ConfigError for a picture too small for the network and
    TrainingError where the loss stays no number.
    """
    progress = progress or Progress()
    _check(content, styles, network)
    if config.tile is not None and network.halo is None:
        raise ConfigError(
            "tile: only vgg19 and vgg16 give the whole picture's result in tiles; leave it out"
        )
    torch.manual_seed(config.seed)
    sizes = _sizes(content, config.levels, network)
    work = _Work(network, config, progress, seen, _steps(config.steps, len(sizes)), [])
    image = _begin(content, styles, config)
    for level, size in enumerate(sizes):
        image = work.level(
            resized(image, size), resized(content, size), _scaled(styles, size, config), level
        )
        if work.stopped:
            break
    image = resized(image, (content.shape[-2], content.shape[-1])).clamp(0, 1)
    return Picture(finished(image, content, config), work.history, work.stopped)


def finished(image: Tensor, content: Tensor, config: StyleConfig) -> Tensor:
    """The picture with the content's colours where they are kept, mixed with the content by
    `strength`.
    """
    if config.keep_colours:
        lightness = torch.tensor([0.299, 0.587, 0.114])[:, None, None]  # ITU-R BT.601
        image = (content + ((image - content) * lightness).sum(0)).clamp(0, 1)
    return content + config.strength * (image - content) if config.strength < 1 else image


class _Work:
    """The levels' common state."""

    def __init__(
        self,
        network: StyleNetwork,
        config: StyleConfig,
        progress: Progress,
        seen: Seen,
        steps: list[int],
        history: list[Step],
    ) -> None:
        self.network = network
        self.config = config
        self.progress = progress
        self.seen = seen
        self.steps = steps
        self.history = history
        self.stopped = False
        self.rate = config.rate

    def level(
        self, start: Tensor, content: Tensor, styles: list[tuple[Tensor, float]], level: int
    ) -> Tensor:
        """The picture (3, h, w) after the steps of one size."""
        config = self.config
        scaled = [(self._normal(style), weight) for style, weight in styles]
        target = Objective(
            self.network,
            self._normal(content),
            scaled,
            weights=config.weights,
            tile=self._tile(content),
            bfloat16=config.bfloat16,
        )
        image = self._normal(start).requires_grad_()
        optimizer = self._optimizer(image)
        last = level == len(self.steps) - 1
        good = image.detach().clone()
        mean = torch.zeros_like(image)
        count = 0
        retries = 0
        for number in range(self.steps[level]):
            for group in optimizer.param_groups:
                rate = self.rate if config.optimizer == "adam" else self.rate / config.rate
                group["lr"] = rate * config.decay ** (number // config.every)
            before = image.detach().clone() if number % SETTLED == 0 else None
            losses = _move(optimizer, target, image)
            if not math.isfinite(losses.total):
                retries += 1
                image, optimizer = self._step_back(good, retries)
                continue
            if config.inside:
                image.data.copy_(self._normal(self._shown(image.detach())))
            good = good if before is None else before  # its loss is known to be a number
            size = (image.shape[-2], image.shape[-1])
            self.history.append(Step(len(self.history) + 1, size, losses))
            if last and number >= (1 - config.average) * self.steps[level]:
                mean = mean + image.detach()
                count = count + 1
            made = image.detach()
            if self.seen(self.history[-1], lambda made=made: self._shown(made)):  # type: ignore[misc]
                self.stopped = True
                break
            if last and self._settled():
                self.progress.log(f"step {len(self.history)}: the loss stands still; done")
                break
        if retries == self.steps[level]:
            raise TrainingError(_NO_NUMBER)
        return self._shown(mean / count if count else image.detach())

    def _tile(self, content: Tensor) -> int | None:
        large = content[0].numel() > WHOLE and self.network.halo is not None
        return self.config.tile or (TILE if large else None)

    def _step_back(self, good: Tensor, retries: int) -> tuple[Tensor, torch.optim.Optimizer]:
        if retries > _RETRIES:
            raise TrainingError(_NO_NUMBER)
        self.rate /= 2
        self.progress.log(
            f"the loss became no number: back by up to {SETTLED} steps, rate {self.rate:g}"
        )
        image = good.clone().requires_grad_()
        return image, self._optimizer(image)

    def _optimizer(self, image: Tensor) -> torch.optim.Optimizer:
        if self.config.optimizer == "lbfgs":
            return torch.optim.LBFGS(
                [image], lr=self.rate / self.config.rate, max_iter=1, history_size=20
            )
        return torch.optim.Adam([image], lr=self.rate)

    def _settled(self) -> bool:
        rows = [step for step in self.history[-SETTLED - 1 :] if step.size == self.history[-1].size]
        if not self.config.settle or len(rows) <= SETTLED:
            return False
        return (
            rows[0].losses.total - rows[-1].losses.total < self.config.settle * rows[0].losses.total
        )

    def _normal(self, picture: Tensor) -> Tensor:
        return ((picture[None] - self.network.mean) / self.network.std).contiguous()

    def _shown(self, image: Tensor) -> Tensor:
        picture: Tensor = (image * self.network.std + self.network.mean)[0].clamp(0, 1)
        return picture


def _move(optimizer: torch.optim.Optimizer, target: Objective, image: Tensor) -> Losses:
    """One step; the losses before it."""
    first: list[Losses] = []

    def closure() -> float:
        losses = target.backward(image)
        first.append(losses)
        return losses.total

    optimizer.step(closure)
    return first[0]


def _begin(content: Tensor, styles: Sequence[tuple[Tensor, float]], config: StyleConfig) -> Tensor:
    if config.start == "noise":
        return torch.rand(content.shape)
    if config.start == "style":
        return resized(styles[0][0], (content.shape[-2], content.shape[-1]))
    return content


def _check(content: Tensor, styles: Sequence[tuple[Tensor, float]], network: StyleNetwork) -> None:
    least = max(network.strides[1]) * 2
    for what, picture in (("content", content), *(("style", style) for style, _ in styles)):
        height, width = picture.shape[-2:]
        if min(height, width) < least:
            raise ConfigError(
                f"the {what} picture is {height} x {width} pixels: at least {least} a side "
                "are needed; enlarge it, or "
                "give a larger --size"
            )
    if not styles or not all(weight > 0 for _, weight in styles):
        raise ConfigError("styles: give one or more, each with a weight above 0")


def _sizes(content: Tensor, levels: int, network: StyleNetwork) -> list[tuple[int, int]]:
    """(height, width) of each level, the coarsest first; levels too small for the network are left
    out.
    """
    height, width = content.shape[-2:]
    least = max(network.strides[1]) * 4
    sizes = [(height >> level, width >> level) for level in reversed(range(levels))]
    return [size for size in sizes[:-1] if min(size) >= least] + sizes[-1:]


def _steps(steps: int, levels: int) -> list[int]:
    """Two thirds on the coarser of two levels and so on: they cost a quarter, and set the style's
    large forms.
    """
    counts = list[int]()
    left = steps
    for _ in range(levels - 1):
        counts.append(left * 2 // 3)
        left -= counts[-1]
    return [*counts, max(1, left)]


def _scaled(
    styles: Sequence[tuple[Tensor, float]], size: tuple[int, int], config: StyleConfig
) -> list[tuple[Tensor, float]]:
    """The styles, with the picture's area at a `style_scale` of 1."""
    side = (size[0] * size[1]) ** 0.5 * config.style_scale
    found = []
    for style, weight in styles:
        factor = side / (style.shape[-2] * style.shape[-1]) ** 0.5
        fitted = (
            max(32, round(style.shape[-2] * factor)),
            max(32, round(style.shape[-1] * factor)),
        )
        found.append((resized(style, fitted), weight))
    return found


def resized(picture: Tensor, size: tuple[int, ...]) -> Tensor:
    """The picture (3, H, W) at `size` (height, width), bicubically; in [0, 1]."""
    if picture.shape[-2:] == size:
        return picture
    return F.interpolate(picture[None], size, mode="bicubic", antialias=True, align_corners=False)[
        0
    ].clamp(0, 1)
