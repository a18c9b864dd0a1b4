"""Another library's own network as a Segmenter."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.errors import unknown_choice_error
from pixelwise.models.config import ModelConfig
from pixelwise.models.encoder import Encoder
from pixelwise.models.layers import resize_like
from pixelwise.models.libraries.input_rules import InputRules
from pixelwise.models.libraries.library import Library
from pixelwise.models.libraries.smp_networks import SMP
from pixelwise.models.libraries.torchvision_networks import TORCHVISION
from pixelwise.models.libraries.transformers_networks import TRANSFORMERS
from pixelwise.models.pyramid import Pyramid
from pixelwise.models.segmenter import Segmenter, crop_to, pad_to_multiple, per_channel

LIBRARIES: dict[str, Library] = {
    "torchvision": TORCHVISION,
    "transformers": TRANSFORMERS,
    "smp": SMP,
}


class LibrarySegmenter(Segmenter):
    """A network of one of LIBRARIES, unchanged, with its normalisation before it.

    `encoder` and `decoder` are views of its parts, made when they are asked for, so that each
    weight stands once, under the library's own name. Of a network of one logit, that of the second
    of two classes, the first one's is 0: the softmax of both is the sigmoid of the one. To one that
    takes images of one size alone, all are resized.
    """

    encoder_prefix = "network."

    def __init__(
        self, network: nn.Module, config: ModelConfig, rules: InputRules | None = None
    ) -> None:
        nn.Module.__init__(self)
        self.classes = config.classes
        self.multilabel = config.multilabel
        self.temperature = config.temperature
        self.scale = config.scale
        self.network = network
        self.encoder_name = config.encoder
        self.bgr = config.bgr
        self._library = LIBRARIES[str(config.library)]
        self._align = self._library.align(network)
        self._size = self._library.size(network)
        rules = rules or InputRules()
        self.register_buffer("mean", per_channel(rules.mean))
        self.register_buffer("std", per_channel(rules.std))

    @property
    def encoder(self) -> Encoder:  # type: ignore[override]
        """The network's children that are its encoder, with the names that an Encoder has."""
        return LibraryEncoder(self.encoder_name, self._parts(of_encoder=True))

    @property
    def decoder(self) -> nn.Module:  # type: ignore[override]
        """The network's other children."""
        return nn.ModuleDict(self._parts(of_encoder=False))

    @property
    def gives_cacheable_features(self) -> bool:
        """No: libraries hand on features in classes of their own."""
        return False

    def _parts(self, *, of_encoder: bool) -> dict[str, nn.Module]:
        names = self._library.name_encoder(self.network)
        children = self.network.named_children()
        return {name: child for name, child in children if (name in names) == of_encoder}

    def _logits(self, images: Tensor) -> Tensor:
        if self._size is None:
            padded = pad_to_multiple(images, self._align)
        else:
            padded = F.interpolate(images, self._size, mode="bilinear", align_corners=False)
        logits = self._library.run(self.network, padded.flip(1) if self.bgr else padded)
        if logits.shape[1] < self.classes:
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        if logits.shape[-2:] != padded.shape[-2:]:
            logits = resize_like(logits, padded)
        return crop_to(logits, images) if self._size is None else resize_like(logits, images)


class LibraryEncoder(Encoder):
    """The encoder of a library's network, as far as training asks for it: to learn slower, or not
    at all. It has no stages and gives no pyramid.
    """

    def __init__(self, name: str, parts: dict[str, nn.Module]) -> None:
        nn.Module.__init__(self)
        self.name = name
        self.net = next(iter(parts.values())) if len(parts) == 1 else nn.ModuleDict(parts)
        self.reassembly = None
        self.channels = {}
        self.pyramid = Pyramid({}, {})


def build_library_segmenter(config: ModelConfig) -> LibrarySegmenter:
    """The network of a configuration, with random weights. Raises ConfigError where it cannot be
    built.
    """
    check_library(config)
    return LibrarySegmenter(LIBRARIES[str(config.library)].build(config), config)


def check_library(config: ModelConfig) -> None:
    """Raises ConfigError for a library that is none of LIBRARIES."""
    if config.library not in LIBRARIES:
        raise unknown_choice_error("library", str(config.library), LIBRARIES)
