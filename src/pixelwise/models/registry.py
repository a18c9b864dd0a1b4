"""Names and numbers become modules here, and nowhere else."""

from collections.abc import Callable
from functools import partial

from torch import nn

from pixelwise.classes import MAX_CLASSES
from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.models.config import RGB_CHANNELS, ModelConfig, check_scales
from pixelwise.models.decoders.deeplabv3plus import DeepLabV3Plus
from pixelwise.models.decoders.dpt import DPT
from pixelwise.models.decoders.fcn import FCN
from pixelwise.models.decoders.fpn import FPN
from pixelwise.models.decoders.light import Light
from pixelwise.models.decoders.linknet import LinkNet
from pixelwise.models.decoders.lraspp import LRASPP
from pixelwise.models.decoders.pspnet import PSPNet
from pixelwise.models.decoders.segformer import SegFormer
from pixelwise.models.decoders.unet import UNet
from pixelwise.models.decoders.unetplusplus import UNetPlusPlus
from pixelwise.models.decoders.upernet import UPerNet
from pixelwise.models.encoder import Encoder
from pixelwise.models.input_channels import widen_input
from pixelwise.models.libraries.library_segmenter import build_library_segmenter, check_library
from pixelwise.models.pretrained import load_weights
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.timm_features import has_final_norm
from pixelwise.models.upsampling import UPSAMPLE

# Far more bands than satellites have.
MAX_CHANNELS = 512

DECODERS: dict[str, Callable[..., nn.Module]] = {
    "light": Light,
    "fcn32s": partial(FCN, stride=32),
    "fcn16s": partial(FCN, stride=16),
    "fcn8s": partial(FCN, stride=8),
    "unet": UNet,
    "linknet": LinkNet,
    "deeplabv3plus": DeepLabV3Plus,
    "dpt": DPT,
    "fpn": FPN,
    "lraspp": LRASPP,
    "pspnet": PSPNet,
    "segformer": SegFormer,
    "unetplusplus": UNetPlusPlus,
    "upernet": UPerNet,
}

# Decoders with additions to their paper, which `plain` leaves out. The others have none.
EXTENDED_DECODERS = ("unet", "linknet")

# Decoders that enlarge by a step that can be chosen. The others interpolate.
UPSAMPLING_DECODERS = ("fcn32s", "fcn16s", "fcn8s", "unet", "linknet")

DEFAULT_ENCODER = "tf_efficientnet_lite0"

# Strides at which a decoder takes features.
REQUIRED_STRIDES: dict[str, set[int]] = {
    "light": {8, 16},
    "fcn32s": {32},
    "fcn16s": {16, 32},
    "fcn8s": {8, 16, 32},
    "unet": {8, 16},
    "linknet": {4, 8, 16, 32},
    "deeplabv3plus": {4},
    "dpt": {4, 8, 16, 32},
    "fpn": {4, 8, 16, 32},
    "lraspp": {8},
    "pspnet": set(),
    "segformer": {4, 8, 16, 32},
    "unetplusplus": {8, 16},
    "upernet": {4, 8, 16, 32},
}

# Coarsest stride for which a decoder's paper dilates the encoder's last stages.
OUTPUT_STRIDES = {"deeplabv3plus": 16, "lraspp": 16, "pspnet": 8}


def build_segmenter(config: ModelConfig) -> Segmenter:
    """The network of a configuration, with random weights.

    Raises ConfigError for unknown names and impossible numbers.
    """
    check_model_config(config)
    if config.library is not None:
        return build_library_segmenter(config)
    encoder = Encoder(
        config.encoder,
        plain=config.plain,
        pool_indices=config.upsample == "unpool",
        output_stride=OUTPUT_STRIDES.get(config.decoder, 32),
        final_norm=config.final_norm,
    )
    required = REQUIRED_STRIDES[config.decoder]
    if not required <= encoder.channels.keys():
        raise ConfigError(
            f"encoder '{config.encoder}' has strides {sorted(encoder.channels)}; decoder "
            f"'{config.decoder}' needs "
            f"{', '.join(map(str, sorted(required)))}, as in resnet18"
        )
    options: dict[str, object] = {}
    if config.upsample is not None:
        options["upsample"] = config.upsample
    if config.decoder in EXTENDED_DECODERS:
        options["plain"] = config.plain
    decoder = DECODERS[config.decoder](encoder.pyramid, config.classes, **options)
    model = Segmenter(
        encoder,
        decoder,
        classes=config.classes,
        temperature=config.temperature,
        scale=config.scale,
        multilabel=config.multilabel,
    )
    if config.channels != RGB_CHANNELS:
        widen_input(model, [""] * config.channels)
    return model


def check_model_config(config: ModelConfig) -> None:
    """Raises ConfigError for unknown names and impossible numbers; the encoder is not built."""
    if config.library is not None:
        check_library(config)
    elif config.decoder not in DECODERS:
        raise unknown_choice_error("decoder", config.decoder, DECODERS)
    if config.upsample is not None:
        _check_upsample(config.decoder, config.upsample)
    if not 1 <= config.classes <= MAX_CLASSES:
        raise ConfigError(f"{config.classes} classes: choose 1 to {MAX_CLASSES}")
    if not 1 <= config.channels <= MAX_CHANNELS:
        raise ConfigError(f"{config.channels} channels: choose 1 to {MAX_CHANNELS}")
    if not 0 < config.temperature < float("inf"):
        raise ConfigError(f"temperature {config.temperature}: choose a number above 0")
    check_scales([config.scale])


def _check_upsample(decoder: str, upsample: str) -> None:
    if upsample not in UPSAMPLE:
        raise unknown_choice_error("upsample", upsample, UPSAMPLE)
    if decoder not in UPSAMPLING_DECODERS:
        raise ConfigError(
            f"upsample '{upsample}' does not go with decoder '{decoder}', which always "
            f"interpolates; leave it out, or choose one of {', '.join(UPSAMPLING_DECODERS)}"
        )


def build_model(
    decoder: str = "light",
    *,
    encoder: str = DEFAULT_ENCODER,
    classes: int,
    weights: str = "none",
    upsample: str | None = None,
    plain: bool = False,
) -> Segmenter:
    """A network that takes float RGB (N, 3, H, W) in [0, 1] and gives logits (N, classes, H, W).

    `weights` are those of the encoder: `none`, `auto` (an installed package, else the network's own
    download) or a file. `upsample` is how an FCN, U-Net or LinkNet enlarges: `transposed` (learned,
    and their own way), `bilinear` (fixed), `subpixel` or `unpool`. `plain` is the network as its
    paper has it. Raises ConfigError for unknown names and WeightsError where the weights cannot be
    had.
    """
    config = ModelConfig(
        decoder, encoder, classes, upsample, plain, final_norm=has_final_norm(encoder)
    )
    model = build_segmenter(config)
    load_weights(model.encoder, weights)
    return model
