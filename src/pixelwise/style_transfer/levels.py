"""The sizes that a style transfer goes through, coarse to fine, and the images at each of them.

Source: Gatys et al. 2017, "Controlling perceptual factors in neural style transfer", section 6.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.errors import ConfigError
from pixelwise.style_transfer.config import StyleConfig
from pixelwise.style_transfer.features import StyleNetwork

# A style image (3, h, w) and its weight.
WeightedStyle = tuple[Tensor, float]

# Least side of a style image, in pixels: its features must not vanish at a small `style_scale`.
_MIN_STYLE_SIDE = 32


def check_images(
    content: Tensor,
    styles: Sequence[WeightedStyle],
    network: StyleNetwork,
) -> None:
    """Raises ConfigError for an image too small for the network, and for styles without weight."""
    # two entries a side at the coarsest stride: of a single one a Gram matrix says little
    least = max(network.strides[1]) * 2
    _check_side("content", content, least)
    for style, _ in styles:
        _check_side("style", style, least)
    if not styles or not all(weight > 0 for _, weight in styles):
        raise ConfigError("styles: give one or more, each with a weight above 0")


def _check_side(role: str, image: Tensor, least: int) -> None:
    height, width = image.shape[-2:]
    if min(height, width) < least:
        raise ConfigError(
            f"the {role} picture is {height} x {width} pixels: at least {least} a side "
            "are needed; enlarge it, or "
            "give a larger --size"
        )


def create_start(content: Tensor, styles: Sequence[WeightedStyle], config: StyleConfig) -> Tensor:
    """The image (3, H, W) that the optimization starts from."""
    if config.start == "noise":
        return torch.rand(content.shape)
    if config.start == "style":
        first, _ = styles[0]
        height, width = content.shape[-2:]
        return resize(first, (height, width))
    return content


def level_sizes(content: Tensor, levels: int, network: StyleNetwork) -> list[tuple[int, int]]:
    """(height, width) of each level, the coarsest first; levels too small for the network are left
    out.
    """
    height, width = content.shape[-2:]
    least = max(network.strides[1]) * 4
    sizes = []
    # the last level is the image itself, however small
    for level in range(levels - 1, 0, -1):
        size = (height >> level, width >> level)
        if min(size) >= least:
            sizes.append(size)
    return [*sizes, (height, width)]


def level_steps(steps: int, levels: int) -> list[int]:
    """Two thirds on the coarser of two levels and so on: they cost a quarter, and set the style's
    large forms.
    """
    counts = list[int]()
    remaining = steps
    for _ in range(levels - 1):
        count = remaining * 2 // 3
        counts.append(count)
        remaining -= count
    # at least one at the full size, which would else be a mere enlargement
    return [*counts, max(1, remaining)]


def resize_styles(
    styles: Sequence[WeightedStyle],
    size: tuple[int, int],
    config: StyleConfig,
) -> list[WeightedStyle]:
    """The styles, with the image's area at a `style_scale` of 1."""
    height, width = size
    # sides of squares of the same area: a style keeps its own shape
    side = (height * width) ** 0.5 * config.style_scale
    resized = []
    for style, weight in styles:
        style_height, style_width = style.shape[-2:]
        factor = side / (style_height * style_width) ** 0.5
        new_height = max(_MIN_STYLE_SIDE, round(style_height * factor))
        new_width = max(_MIN_STYLE_SIDE, round(style_width * factor))
        fitted = resize(style, (new_height, new_width))
        resized.append((fitted, weight))
    return resized


def resize(image: Tensor, size: tuple[int, ...]) -> Tensor:
    """The image (3, H, W) at `size` (height, width), bicubically; in [0, 1]."""
    if image.shape[-2:] == size:
        return image
    resized = F.interpolate(
        image[None],
        size,
        mode="bicubic",
        antialias=True,
        align_corners=False,
    )
    # bicubic interpolation overshoots at edges
    return resized[0].clamp(0, 1)
