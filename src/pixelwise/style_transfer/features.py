"""Networks whose features carry content and style: VGG-19 and VGG-16 as in the sources, or any
encoder's strides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import vgg

from pixelwise.errors import ConfigError, WeightsError
from pixelwise.models.encoder import Encoder
from pixelwise.models.pretrained import download_torchvision, load_weights, read_state

# Of ImageNet's colours, as torchvision's networks were trained with.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Layers:
    """Which outputs of a chain of layers are style and which content, by their number in the
    chain.
    """

    style: tuple[int, ...]
    content: tuple[int, ...]


# Convolutions of torchvision's networks: for style the first of each block, for content the last of
# block 4. Source: Zhang et al., "Dive into Deep Learning", section 14.12.4; Gatys, Ecker, Bethge
# 2016, section 2, take the same blocks.
VGG = {
    "vgg19": Layers(style=(0, 5, 10, 19, 28), content=(25,)),
    "vgg16": Layers(style=(0, 5, 10, 17, 24), content=(21,)),
}

# torchvision's names for the lists of layers.
_TORCHVISION_CONFIGS = {"vgg19": "E", "vgg16": "D"}

# Pixels beyond a tile that its features see: 85 for VGG-19 up to its fifth block, in multiples of
# the stride of 16.
HALO = 96


class StyleNetwork(nn.Module):
    """Frozen features of normalised images (1, 3, H, W): (content maps, style maps), fine to
    coarse.

    `strides` of the content and of the style maps say how many pixels an entry stands for. `halo`
    is how far beyond a tile its features look; None where tiles cannot be exact.
    """

    mean: Tensor
    std: Tensor
    strides: tuple[tuple[int, ...], tuple[int, ...]]
    halo: int | None = None

    def __init__(self, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> None:
        super().__init__()
        # not persistent: they are the package's, not the weights' file's
        self.register_buffer("mean", torch.tensor(mean).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).reshape(1, 3, 1, 1), persistent=False)

    def freeze(self) -> "StyleNetwork":
        """In evaluation mode, without gradients for its weights; channels last, in which bfloat16
        is quick.
        """
        self.requires_grad_(requires_grad=False)
        return self.eval().to(memory_format=torch.channels_last)


class VggFeatures(StyleNetwork):
    """The chain of a VGG up to its last style layer.

    A map is taken after the ReLU that follows its convolution, the last one before: torchvision's
    ReLU works in place, so that is what the course's loop over the layers sees.
    """

    halo = HALO

    def __init__(self, name: str) -> None:
        super().__init__()
        self.layers = VGG[name]
        last = max(*self.layers.style, *self.layers.content)
        # without the classifier, of 120 million weights, that the whole network would bring
        chain = vgg.make_layers(vgg.cfgs[_TORCHVISION_CONFIGS[name]])
        self.features = chain[: last + 1]
        self.last = last
        content_strides = [self._stride_at(number) for number in self.layers.content]
        style_strides = [self._stride_at(number) for number in self.layers.style]
        self.strides = (tuple(content_strides), tuple(style_strides))

    def _stride_at(self, number: int) -> int:
        """Of the layer's input: 2 for each pooling before it."""
        before = self.features[:number]
        poolings = sum(isinstance(layer, nn.MaxPool2d) for layer in before)
        return int(2**poolings)

    def forward(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Content and style maps (1, C, h, w)."""
        content = list[Tensor]()
        style = list[Tensor]()
        x = images
        for number, layer in enumerate(self.features):
            # not in place, which would overwrite the map before it that backward needs
            x = nn.functional.relu(x) if isinstance(layer, nn.ReLU) else layer(x)
            if number != self.last and not isinstance(layer, nn.ReLU):
                continue
            convolution = number if number == self.last else number - 1
            if convolution in self.layers.content:
                content.append(x)
            if convolution in self.layers.style:
                style.append(x)
        return content, style


class EncoderFeatures(StyleNetwork):
    """An encoder's features by stride: all are style, the last but one is content."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder.mean, encoder.std)
        self.encoder = encoder
        strides = tuple(encoder.channels)
        if encoder.reassembly is not None:
            # its pyramid comes from layers that no pretraining has taught
            strides = strides[:1]
        if len(strides) < 3:
            raise ConfigError(
                f"network '{encoder.name}' has too few strides, {len(strides)}: style needs 3 or "
                "more, as resnet18 has"
            )
        self.strides = ((strides[-2],), strides)

    def forward(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Content and style maps (1, C, h, w)."""
        side = self.encoder.align
        height, width = images.shape[-2:]
        right = -width % side
        bottom = -height % side
        # replicated: zeros would be a dark border, with a style of its own
        padded = nn.functional.pad(images, (0, right, 0, bottom), mode="replicate")
        maps = list(self.encoder.net(padded))
        return [maps[-2]], maps


def load_network(name: str, weights: str) -> tuple[StyleNetwork, str]:
    """A network (`vgg19`, `vgg16`, or a timm encoder) with `weights`, `auto` or a file, and where
    they came from.

    Raises ConfigError for an unknown name and WeightsError, with the ways out, where the weights
    cannot be had.
    """
    if weights == "none":
        raise ConfigError(
            "weights 'none': untrained features carry no style; give 'auto' or a file"
        )
    if name not in VGG:
        encoder = Encoder(name, plain=True)
        source = load_weights(encoder, weights)
        return EncoderFeatures(encoder).freeze(), source
    network = VggFeatures(name)
    if weights == "auto":
        _download(network, name)
        return network.freeze(), f"{name}: ImageNet weights of torchvision"
    _load_file(network, name, weights)
    return network.freeze(), f"{name}: weights from {weights}"


def _load_file(network: VggFeatures, name: str, weights: str) -> None:
    state = {}
    for key, value in read_state(Path(weights)).items():
        # of the whole network, or of its convolutions alone
        state[key.removeprefix("features.")] = value
    expected = network.features.state_dict()
    wrong = []
    for key, tensor in expected.items():
        if key not in state or state[key].shape != tensor.shape:
            wrong.append(key)
    if wrong:
        raise WeightsError(
            f"weights {weights}: no {name} in it; {len(wrong)} of {len(expected)} tensors are "
            "missing or of another "
            f"shape, the first is features.{wrong[0]}; give torchvision's {name} as "
            ".safetensors or .pth"
        )
    network.features.load_state_dict({key: state[key] for key in expected})


def _download(network: VggFeatures, name: str) -> None:
    try:
        state = download_torchvision(f"{name.upper()}_Weights")
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"{name}: its weights are neither on this machine nor can they be downloaded "
            f"({error}); give --weights "
            "FILE with torchvision's weights, or --network tf_efficientnet_lite0, whose "
            "weights come with pixelwise and whose strokes are noisier"
        ) from error
    names = network.features.state_dict()
    convolutions = {key: state[f"features.{key}"] for key in names}
    network.features.load_state_dict(convolutions)
