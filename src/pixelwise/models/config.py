"""What a network is, in names and numbers; importing this does not import PyTorch."""

from collections.abc import Sequence
from dataclasses import dataclass

from pixelwise.errors import ConfigError

SCALES = (0.25, 4.0)
"""Lowest and highest factor by which an image may be resized to be looked at."""


def check_scales(scales: Sequence[float]) -> None:
    """Raises ConfigError for a scale outside SCALES."""
    for scale in scales:
        if not SCALES[0] <= scale <= SCALES[1]:
            raise ConfigError(
                f"scale {scale}: choose from {SCALES[0]} to {SCALES[1]}, where 1 changes nothing"
            )


@dataclass(frozen=True)
class ModelConfig:
    """All that is needed to build a network before its weights are loaded.

    upsample: one of UPSAMPLE. plain: as published, without this project's additions, which are the
    normalisation of the encoder's features and, in U-Net and LinkNet, class scores added up over
    the stages. temperature: what divides the logits, so that confidence is calibrated; the labels
    stay. scale: at which size, as a factor of the image's own, the trained network looks at an
    image, within SCALES.
    """

    decoder: str
    encoder: str
    classes: int
    upsample: str = "transposed"
    plain: bool = False
    temperature: float = 1.0
    scale: float = 1.0
