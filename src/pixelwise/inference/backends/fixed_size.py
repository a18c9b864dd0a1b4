"""A network that takes pictures of one size alone, for pictures that are no larger."""

from dataclasses import dataclass, replace

import numpy as np

from pixelwise.errors import ConfigError
from pixelwise.inference.backends.image_input import ImageInput
from pixelwise.inference.tta import Logits, Pixels, Runner, release_memory, specialize_for_shape


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
        # the edge's colours go on: a border of one colour would be an object of its own
        padded = np.pad(rgb, ((0, 0), (0, 0), (0, below), (0, beside)), mode="edge")
        return self.runner(padded)[..., :height, :width]

    def specialize_for_shape(self) -> Runner:
        """As the network's own runner is."""
        return replace(self, runner=specialize_for_shape(self.runner))

    def release_memory(self) -> None:
        """As the network's own runner does."""
        release_memory(self.runner)


def _side(side: int | None) -> str:
    return "any" if side is None else str(side)
