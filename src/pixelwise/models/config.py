"""What a network is, in names and numbers; importing this does not import PyTorch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixelwise.models.segmenter import Segmenter


@dataclass(frozen=True)
class ModelConfig:
    """All that is needed to build a network before its weights are loaded.

    upsample: one of UPSAMPLE. plain: as published, without this project's additions, which are the normalisation of
    the encoder's features and, in U-Net and LinkNet, class scores added up over the stages. temperature: what divides
    the logits, so that confidence is calibrated; the labels stay.
    """

    decoder: str
    encoder: str
    classes: int
    upsample: str = "transposed"
    plain: bool = False
    temperature: float = 1.0

    def build(self) -> "Segmenter":
        """The network with random weights. Raises ConfigError for unknown names and impossible numbers."""
        from pixelwise.models.build import assemble  # a model file's header is read without PyTorch

        return assemble(self)
