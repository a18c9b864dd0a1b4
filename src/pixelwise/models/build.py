"""Names and numbers become modules here, and nowhere else."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from pixelwise.errors import ConfigError, unknown
from pixelwise.models.decoders.fcn import FCN
from pixelwise.models.decoders.linknet import LinkNet
from pixelwise.models.decoders.unet import UNet
from pixelwise.models.encoder import Encoder
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.weights import load_weights
from pixelwise.tasks.labels import MAX_CLASSES

DECODERS: dict[str, Callable[[dict[int, int], int], nn.Module]] = {
    "fcn32s": partial(FCN, stride=32),
    "fcn16s": partial(FCN, stride=16),
    "fcn8s": partial(FCN, stride=8),
    "unet": UNet,
    "linknet": LinkNet,
}

DEFAULT_ENCODER = "tf_efficientnet_lite0"


@dataclass(frozen=True)
class ModelConfig:
    """All that is needed to build a network before its weights are loaded."""

    decoder: str
    encoder: str
    classes: int

    def build(self) -> Segmenter:
        """The network with random weights. Raises ConfigError for unknown names and impossible numbers."""
        if self.decoder not in DECODERS:
            raise unknown("decoder", self.decoder, DECODERS)
        if not 1 <= self.classes <= MAX_CLASSES:
            raise ConfigError(f"{self.classes} classes: choose 1 to {MAX_CLASSES}")
        encoder = Encoder(self.encoder)
        if max(encoder.channels) != 32 or not {8, 16} <= encoder.channels.keys():
            raise ConfigError(
                f"encoder '{self.encoder}' has strides {sorted(encoder.channels)}; the decoders need 8, 16 and 32, "
                "as in resnet18"
            )
        return Segmenter(encoder, DECODERS[self.decoder](encoder.channels, self.classes), classes=self.classes)


def build_model(
    decoder: str = "unet", *, encoder: str = DEFAULT_ENCODER, classes: int, weights: str = "none"
) -> Segmenter:
    """A network that takes float RGB (N, 3, H, W) in [0, 1] and gives logits (N, classes, H, W).

    `weights` are those of the encoder: `none`, `auto` (an installed package, else timm's own download) or a file.
    Raises ConfigError for unknown names and WeightsError where the weights cannot be had.
    """
    model = ModelConfig(decoder, encoder, classes).build()
    load_weights(model.encoder, weights)
    return model
