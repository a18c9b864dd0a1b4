"""Random changes of bands that are no colours: each by itself, as a sensor's gain and offset
vary.
"""

import torch
from torch import Tensor

# Of the change of all bands together, how much each has of its own.
_OWN_SHARE = 0.5
# Of the range, how much the brightness moves where the contrast changes by its whole.
_BRIGHTNESS = 0.3


def jitter_bands(image: Tensor, jitter: float, rng: torch.Generator) -> Tensor:
    """uint8 (channels, h, w) with another gain and offset: one for all bands, and half as much more
    for each by itself; `jitter` is the largest relative change of the contrast, and the largest
    change of the brightness as a share of the range.
    """
    count = len(image)
    together = _draw(rng, (2, 1)) * jitter
    own = _draw(rng, (2, count)) * (jitter * _OWN_SHARE)
    gain, offset = (together + own).reshape(2, -1, 1, 1)
    values = image.float()
    middle = values.mean(dim=(1, 2), keepdim=True)
    changed = (values - middle) * (1 + gain) + middle + 255 * _BRIGHTNESS * offset
    jittered: Tensor = changed.round_().clamp_(0, 255).to(torch.uint8)
    return jittered


def _draw(rng: torch.Generator, shape: tuple[int, ...]) -> Tensor:
    """Numbers from -1 to 1."""
    return 2 * torch.rand(shape, generator=rng) - 1
