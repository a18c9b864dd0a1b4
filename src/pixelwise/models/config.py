"""What a network is, in names and numbers; importing this does not import PyTorch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pixelwise.errors import ConfigError

# Lowest and highest factor by which a network may resize an image before looking at it.
SCALES = (0.25, 4.0)

RGB_CHANNELS = 3


def check_scales(scales: Sequence[float]) -> None:
    """Raises ConfigError for a scale outside SCALES."""
    for scale in scales:
        if not SCALES[0] <= scale <= SCALES[1]:
            raise ConfigError(
                f"scale {scale}: choose from {SCALES[0]} to {SCALES[1]}, where 1 changes nothing"
            )


@dataclass(frozen=True)
class ModelConfig:
    """All that is needed to build a network before its weights are loaded."""

    decoder: str
    """One of DECODERS, or a library and its network, such as `torchvision.fcn`."""

    encoder: str
    """A timm network, or one of PAPER_ENCODERS; the library's own name of it."""

    classes: int
    """Channels of the logits."""

    upsample: str | None = None
    """One of UPSAMPLE, for a decoder that has the choice; None: the decoder's own."""

    plain: bool = False
    """As published, without this project's additions, which are the normalisation of the encoder's
    features and, in U-Net and LinkNet, class scores added up over the stages."""

    channels: int = 3
    """Channels of the pictures: 3 for RGB, or bands that the header names."""

    temperature: float = 1.0
    """What divides the logits, so that confidence is calibrated; the labels stay."""

    scale: float = 1.0
    """Factor within SCALES by which the trained network resizes an image before looking at it."""

    # not in its text, which names an architecture
    thresholds: tuple[float, ...] | None = field(default=None, repr=False)
    """Of classes that overlap, the score (a sigmoid) from which a pixel is of each; None where a
    pixel is of one class."""

    bgr: bool = False
    """Whether another library's network takes blue, green, red."""

    options: Mapping[str, Any] | None = None
    """Those with which another library builds its network."""

    final_norm: bool = False
    """Whether the last features of one of timm's pre-activation ResNets go through its final
    normalisation and ReLU; not so in files of earlier versions, which do not say."""

    def __post_init__(self) -> None:
        if self.thresholds is None:
            return
        object.__setattr__(self, "thresholds", tuple(self.thresholds))  # JSON has lists
        if len(self.thresholds) != self.classes or not all(0 < t < 1 for t in self.thresholds):
            raise ValueError(
                f"thresholds {self.thresholds}: they must be {self.classes} numbers from 0 to 1"
            )

    @property
    def library(self) -> str | None:
        """The other library whose network it is; None for those of DECODERS."""
        library, separator, _ = self.decoder.partition(".")
        return library if separator else None

    @property
    def multilabel(self) -> bool:
        """Whether classes overlap."""
        return self.thresholds is not None
