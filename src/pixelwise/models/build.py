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
from pixelwise.models.upsampling import UPSAMPLE
from pixelwise.models.weights import load_weights
from pixelwise.tasks.labels import MAX_CLASSES

DECODERS: dict[str, Callable[..., nn.Module]] = {
    "fcn32s": partial(FCN, stride=32),
    "fcn16s": partial(FCN, stride=16),
    "fcn8s": partial(FCN, stride=8),
    "unet": UNet,
    "linknet": LinkNet,
}

DEFAULT_ENCODER = "tf_efficientnet_lite0"


NEEDED = {"fcn32s": {32}, "fcn16s": {16, 32}, "fcn8s": {8, 16, 32}, "unet": {8, 16}, "linknet": {4, 8, 16, 32}}
"""Strides at which a decoder takes features."""


@dataclass(frozen=True)
class ModelConfig:
    """All that is needed to build a network before its weights are loaded.

    upsample: one of UPSAMPLE. plain: as published, without this project's additions, which are the normalisation of
    the encoder's features and, in U-Net and LinkNet, class scores added up over the stages.
    """

    decoder: str
    encoder: str
    classes: int
    upsample: str = "transposed"
    plain: bool = False

    def build(self) -> Segmenter:
        """The network with random weights. Raises ConfigError for unknown names and impossible numbers."""
        if self.decoder not in DECODERS:
            raise unknown("decoder", self.decoder, DECODERS)
        if self.upsample not in UPSAMPLE:
            raise unknown("upsample", self.upsample, UPSAMPLE)
        if not 1 <= self.classes <= MAX_CLASSES:
            raise ConfigError(f"{self.classes} classes: choose 1 to {MAX_CLASSES}")
        encoder = Encoder(self.encoder, plain=self.plain, places=self.upsample == "unpool")
        if not NEEDED[self.decoder] <= encoder.channels.keys():
            raise ConfigError(
                f"encoder '{self.encoder}' has strides {sorted(encoder.channels)}; decoder '{self.decoder}' needs "
                f"{', '.join(map(str, sorted(NEEDED[self.decoder])))}, as in resnet18"
            )
        decoder = DECODERS[self.decoder](encoder.pyramid, self.classes, upsample=self.upsample, plain=self.plain)
        return Segmenter(encoder, decoder, classes=self.classes)


def build_model(
    decoder: str = "unet",
    *,
    encoder: str = DEFAULT_ENCODER,
    classes: int,
    weights: str = "none",
    upsample: str = "transposed",
    plain: bool = False,
) -> Segmenter:
    """A network that takes float RGB (N, 3, H, W) in [0, 1] and gives logits (N, classes, H, W).

    `weights` are those of the encoder: `none`, `auto` (an installed package, else the network's own download) or a
    file. `upsample` is how the decoder enlarges: `transposed` (learned), `bilinear` (fixed), `subpixel` or `unpool`.
    `plain` is the network as its paper has it. Raises ConfigError for unknown names and WeightsError where the weights
    cannot be had.
    """
    model = ModelConfig(decoder, encoder, classes, upsample, plain).build()
    load_weights(model.encoder, weights)
    return model
