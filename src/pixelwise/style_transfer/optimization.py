"""The image itself as the parameter, moved until it has the content of one image and the style of
another.

Source: Gatys, Ecker, Bethge 2016; Zhang et al., "Dive into Deep Learning", section 14.12.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.errors import ConfigError
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress
from pixelwise.style_transfer.config import StyleConfig
from pixelwise.style_transfer.features import StyleNetwork
from pixelwise.style_transfer.levels import (
    WeightedStyle,
    check_images,
    create_start,
    level_sizes,
    level_steps,
    resize,
    resize_styles,
)
from pixelwise.style_transfer.steps import OnStep, Optimization, Step

# Lightness of R, G and B in ITU-R BT.601.
_LIGHTNESS = (0.299, 0.587, 0.114)


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
    styles: Sequence[WeightedStyle],
    network: StyleNetwork,
    config: StyleConfig,
    *,
    progress: Progress | None = None,
    on_step: OnStep = lambda step, image: False,
) -> StyleResult:
    """Give `content` (3, H, W) the style of images (3, h, w) with their weights; all floats in
    [0, 1], on the CPU. The work is done where the network is.

    `on_step` is called with each step and a function that makes the image so far; where it returns
    True the work ends. Raises ConfigError for an image too small for the network and TrainingError
    where the loss stays no number.
    """
    check_images(content, styles, network)
    if config.tile is not None and network.halo is None:
        raise ConfigError(
            "tile: only vgg19 and vgg16 give the whole picture's result in tiles; leave it out"
        )
    torch.manual_seed(config.seed)
    optimization = Optimization(network, config, progress or default_progress(), on_step)
    image = _run_levels(optimization, content, styles)
    height, width = content.shape[-2:]
    # a stop may come before the last level
    image = resize(image, (height, width)).clamp(0, 1)
    result = blend_with_content(image, content, config)
    return StyleResult(result, optimization.history, optimization.stopped)


def _run_levels(
    optimization: Optimization,
    content: Tensor,
    styles: Sequence[WeightedStyle],
) -> Tensor:
    """The image (3, h, w) after the last level, or after that in which the work was stopped."""
    config = optimization.config
    device = optimization.network.mean.device
    # drawn on the CPU, so that a start from noise is the same on every device
    image = create_start(content, styles, config).to(device)
    content = content.to(device)
    styles = [(style.to(device), weight) for style, weight in styles]
    sizes = level_sizes(content, config.levels, optimization.network)
    steps = level_steps(config.steps, len(sizes))
    for size, level_step_count in zip(sizes, steps, strict=True):
        image = optimization.run_level(
            resize(image, size),
            resize(content, size),
            resize_styles(styles, size, config),
            steps=level_step_count,
            last=size == sizes[-1],
        )
        if optimization.stopped:
            break
    return image.cpu()


def blend_with_content(image: Tensor, content: Tensor, config: StyleConfig) -> Tensor:
    """The image with the content's colours where they are kept, mixed with the content by
    `strength`.
    """
    if config.keep_colours:
        weights = torch.tensor(_LIGHTNESS)[:, None, None]  # (3, 1, 1)
        change = image - content
        lightness = (change * weights).sum(0)  # (H, W)
        image = (content + lightness).clamp(0, 1)
    if config.strength == 1:
        return image
    change = image - content
    return content + config.strength * change
