"""How a style transfer is made: its options, and those of the course."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from pixelwise.errors import ConfigError
from pixelwise.style_transfer.objective import Weights

Optimizer = Literal["adam", "lbfgs"]
Start = Literal["content", "noise", "style"]


@dataclass(frozen=True)
class StyleConfig:
    """How an image is made. Raises ConfigError for values that cannot be."""

    steps: int = 200
    """Steps in all, over all levels."""

    levels: int = 2
    """Sizes that the image goes through, each twice the one before."""

    content_weight: float = 1.0
    """Weight of the distance to the content."""

    style_weight: float = 2.0
    """Weight of the distance to the style."""

    smooth_weight: float = 1.0
    """Weight of the total variation: how smooth the image is."""

    relative: bool = True
    """Divide each layer's loss by the mean square of what it is compared with, so that the weights
    suit any network."""

    optimizer: Optimizer = "adam"
    """Optimizer: adam, or L-BFGS, which takes fewer and costlier steps."""

    rate: float = 0.05
    """Learning rate of Adam; L-BFGS takes 1."""

    decay: float = 0.8
    """Factor on the rate every `every` steps."""

    every: int = 50
    """Steps between two decays of the rate."""

    start: Start = "content"
    """What the image begins as: the content, noise or the style."""

    average: float = 0.0
    """Share of the last steps whose images are averaged (Polyak, Juditsky 1992)."""

    strength: float = 1.0
    """0 gives the content, 1 the result, anything between a mix."""

    style_scale: float = 1.0
    """Size of the style image beside the content's, of equal area at 1."""

    keep_colours: bool = False
    """Take only lightness from the result (Gatys et al. 2016, "Preserving color in neural artistic
    style transfer", section 3)."""

    inside: bool = True
    """Clamp colours that cannot be shown after each step, not only at the end."""

    tile: int | None = None
    """Pixels a side that the network sees at once, a multiple of 16; by default all, and 768 for
    images of more than a megapixel."""

    settle: float = 0.0
    """The last level ends where 20 steps lower the loss by less than this share."""

    bfloat16: bool = False
    """Run the network in bfloat16."""

    seed: int = 0
    """Random seed of a start from noise."""

    def __post_init__(self) -> None:
        for name, valid, allowed in self._rules():
            if not valid:
                raise ConfigError(f"{name} is {getattr(self, name)!r}: allowed is {allowed}")

    def _rules(self) -> list[tuple[str, bool, str]]:
        """Of each field: whether its value can be, and what can be."""
        optimizers = get_args(Optimizer)
        starts = get_args(Start)
        weights = {
            name: getattr(self, name)
            for name in ("content_weight", "style_weight", "smooth_weight")
        }
        fitting_tile = self.tile is None or (self.tile >= 64 and self.tile % 16 == 0)
        some_weight = any(weights.values())
        return [
            ("steps", self.steps >= 1, "1 or more"),
            ("levels", 1 <= self.levels <= 6, "1 to 6"),
            ("optimizer", self.optimizer in optimizers, f"one of {', '.join(optimizers)}"),
            ("start", self.start in starts, f"one of {', '.join(starts)}"),
            ("rate", 0 < self.rate <= 10, "above 0, at most 10"),
            ("every", self.every >= 1, "1 or more"),
            ("decay", 0 < self.decay <= 1, "above 0, at most 1"),
            ("seed", 0 <= self.seed < 2**63, "0 or more, below 2^63"),
            ("average", 0 <= self.average <= 1, "0 to 1"),
            ("strength", 0 <= self.strength <= 1, "0 to 1"),
            ("style_scale", 0.1 <= self.style_scale <= 4, "0.1 to 4"),
            ("settle", 0 <= self.settle < 1, "0 to below 1"),
            ("tile", fitting_tile, "a multiple of 16, at least 64"),
            *(
                (name, weight >= 0 and math.isfinite(weight), "0 or more")
                for name, weight in weights.items()
            ),
            ("content_weight", some_weight, "above 0 where the two other weights are 0"),
        ]

    @property
    def weights(self) -> Weights:
        """Of the losses."""
        return Weights(self.content_weight, self.style_weight, self.smooth_weight, self.relative)


# The course's settings (Zhang et al., "Dive into Deep Learning", section 14.12), for VGG-19 with
# torchvision's weights at D2L_SIZE. Style weighs 1e4, as the English edition writes. The Chinese
# one writes 1e3 and sums `10 * styles_l`, a list: ten times over. (Its first edition, in MXNet, has
# 1e3 and the plain sum.)
D2L = StyleConfig(
    steps=500,
    levels=1,
    content_weight=1.0,
    style_weight=1e4,
    smooth_weight=10.0,
    relative=False,
    rate=0.3,
    every=50,
    inside=False,
)
D2L_SIZE = (300, 450)
