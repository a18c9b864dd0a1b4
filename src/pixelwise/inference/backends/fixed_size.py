"""A network that takes pictures of one size alone, for pictures that are no larger."""

from dataclasses import dataclass, replace

import numpy as np

from pixelwise.errors import ConfigError
from pixelwise.inference.backends.image_input import ImageInput
from pixelwise.inference.tta import Logits, Pixels, Runner, release_memory, specialize_for_shape

# The mean colour of ImageNet, close to what networks see where they pad by themselves: zero after
# normalisation. Labels of 14 photos of VOC are 99.2 % those of free size so, 98.4 % with the edge's
# colours, 97.8 % with the mirrored picture (animals at 512 x 512).
_PADDING = np.array([124, 116, 104], np.uint8).reshape(3, 1, 1)
# Of other bands than RGB the middle of their range.
_MIDDLE = np.uint8(127)


@dataclass(frozen=True)
class FixedSizeRunner:
    """Pads pictures at the right and the bottom to the size that `runner` takes, and crops its
    logits. `name` is the model's in errors.
    """

    runner: Runner
    input: ImageInput
    name: str

    def __call__(self, rgb: Pixels) -> Logits:
        """Logits (N, C, h, w) of (N, 3, h, w). Raises ConfigError for a picture that is larger."""
        height, width = rgb.shape[-2:]
        below = (self.input.height or height) - height
        beside = (self.input.width or width) - width
        if below < 0 or beside < 0:
            raise ConfigError(
                f"model {self.name}: takes {_side(self.input.height)} x "
                f"{_side(self.input.width)} pixels only, and {height} x {width} came; leave out "
                "--scale above 1, or export without --size"
            )
        if not below and not beside:
            return self.runner(rgb)
        padded = np.empty((*rgb.shape[:2], height + below, width + beside), np.uint8)
        padded[...] = _PADDING if rgb.shape[1] == len(_PADDING) else _MIDDLE
        padded[..., :height, :width] = rgb
        return self.runner(padded)[..., :height, :width]

    def specialize_for_shape(self) -> Runner:
        """As the network's own runner is."""
        return replace(self, runner=specialize_for_shape(self.runner))

    def release_memory(self) -> None:
        """As the network's own runner does."""
        release_memory(self.runner)


def _side(side: int | None) -> str:
    return "any" if side is None else str(side)
