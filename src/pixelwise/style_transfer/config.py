"""The options of a style transfer; importing this does not import PyTorch."""

import math
from dataclasses import dataclass
from typing import Literal

from pixelwise.config_fields import Range, Rule, check_fields, not_allowed_error, option
from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.hardware import DEVICES, check_device

PRECISIONS = ("auto", "float32", "bfloat16")


def _is_weight(weight: float) -> bool:
    return weight >= 0 and math.isfinite(weight)


def _is_tile(side: int) -> bool:
    # a multiple of the coarsest stride of a VGG, so that tiles' features join without a seam
    return side >= 64 and side % 16 == 0


_WEIGHT = Rule(_is_weight, "0 or more")
_TILE = Rule(_is_tile, "a multiple of 16, at least 64")
_ONE_OR_MORE = Range(1, text="1 or more")
_SHARE = Range(0, 1, text="0 to 1")


@dataclass(frozen=True)
class Weights:
    """Of the three losses. `relative`: each layer's loss is divided by the mean square of what it
    is compared with.
    """

    content: float = 1.0
    style: float = 2.0
    smooth: float = 1.0
    relative: bool = True


@dataclass(frozen=True)
class StyleConfig:
    """How a picture is made. Raises ConfigError for a value that is not allowed."""

    steps: int = option(200, own=True, valid=_ONE_OR_MORE)
    """Optimisation steps in all, over all levels."""

    levels: int = option(2, valid=Range(1, 6, text="1 to 6"))
    """Sizes it goes through, each twice the one before."""

    content_weight: float = option(1.0, valid=_WEIGHT)
    """Weight of the content loss."""

    style_weight: float = option(2.0, valid=_WEIGHT)
    """Weight of the style loss."""

    smooth_weight: float = option(1.0, valid=_WEIGHT)
    """Weight of the total variation."""

    relative: bool = option(True)
    """Divide each layer's loss by the mean square of what it is compared with."""

    optimizer: Literal["adam", "lbfgs"] = option("adam")
    """Optimiser."""

    rate: float = option(0.05, valid=Range(0, 10, low_open=True, text="above 0, at most 10"))
    """Learning rate of Adam; L-BFGS takes 1."""

    decay: float = option(0.8, valid=Range(0, 1, low_open=True, text="above 0, at most 1"))
    """Factor of the learning rate after every `every` steps."""

    every: int = option(50, valid=_ONE_OR_MORE)
    """Steps after which the learning rate decays."""

    start: Literal["content", "noise", "style"] = option("content")
    """Picture to start from."""

    average: float = option(0.0, valid=_SHARE)
    """Share of the last steps whose pictures are averaged (Polyak, Juditsky 1992)."""

    strength: float = option(1.0, valid=_SHARE)
    """Mix of content (0) and result (1)."""

    style_scale: float = option(1.0, valid=Range(0.1, 4, text="0.1 to 4"))
    """Scale of the style picture; at 1 its area is that of the content."""

    keep_colours: bool = option(False)
    """Take only the lightness from the result (Gatys et al. 2016, "Preserving color in neural
    artistic style transfer", section 3).
    """

    inside: bool = option(True)
    """Clip colours to what can be shown after each step, not only at the end."""

    tile: int | None = option(None, own=True, valid=_TILE)
    """Side in pixels of the tiles that the network sees, a multiple of 16; large pictures are tiled
    by default.
    """

    settle: float = option(0.0, valid=Range(0, 1, high_open=True, text="0 to below 1"))
    """Stop the last level where 20 steps reduce the loss by less than this share."""

    bfloat16: bool = option(False)
    """Compute in bfloat16; --precision sets it."""

    seed: int = option(0, own=True, valid=Range(0, 2**63 - 1, text="0 or more, below 2^63"))
    """Random seed of a start from noise."""

    def __post_init__(self) -> None:
        check_fields(self)
        # without any loss there is nothing to move the image
        if not (self.content_weight or self.style_weight or self.smooth_weight):
            allowed = "above 0 where the two other weights are 0"
            raise not_allowed_error("content_weight", self.content_weight, allowed)

    @property
    def weights(self) -> Weights:
        """Of the losses."""
        return Weights(
            self.content_weight,
            self.style_weight,
            self.smooth_weight,
            self.relative,
        )


@dataclass(frozen=True)
class Setup:
    """What the work is done with. Raises ConfigError for a value that is not allowed."""

    size: tuple[int, int] = option((600, 600), own=True, metavar="H W")
    """Height and width that the result fits into, in the content's shape."""

    network: str = option("vgg19", own=True)
    """Network whose features are compared: vgg19, vgg16 or a timm encoder."""

    weights: str = option("auto", own=True, metavar="auto|FILE")
    """Weights of the network: auto or a file."""

    device: str = option("auto", own=True, choices=DEVICES)
    """Device; auto is the GPU where there is one."""

    precision: str = option("auto", own=True, choices=PRECISIONS)
    """Precision; auto measures which is faster."""

    def __post_init__(self) -> None:
        check_device(self.device)
        if min(self.size) < 32:
            raise ConfigError(f"size is {self.size}: allowed is (height, width), each at least 32")
        if self.precision not in PRECISIONS:
            raise unknown_choice_error("precision", self.precision, PRECISIONS)


# The settings of "Dive into Deep Learning", section 14.12, for VGG-19 with torchvision's weights at
# D2L_SIZE. Style weighs 1e4, as the English edition writes. The Chinese one writes 1e3 and sums
# `10 * styles_l`, a list: ten times over. (Its first edition, in MXNet, has 1e3 and the plain sum.)
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
D2L_NETWORK = "vgg19"
