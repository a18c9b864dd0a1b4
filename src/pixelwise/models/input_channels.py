"""A network of RGB that takes other bands: its first convolution widened, and its normalisation."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pixelwise.errors import ConfigError
from pixelwise.models.segmenter import Segmenter

RGB_NAMES = ("red", "green", "blue")


def widen_input(model: Segmenter, names: Sequence[str]) -> None:
    """Let a network of RGB take bands of these names, in place.

    The first convolution's weights for a band called red, green or blue are those of that colour;
    for any other they are the mean of the three. All are multiplied by 3 over the number of bands,
    so that what comes out keeps its size. Three bands of which none is called a colour keep the
    weights as they are. Raises ConfigError for an encoder without such a convolution.
    """
    owner, attribute, layer = _find_first(model.encoder.net, model.encoder.name)
    own = [name if name in RGB_NAMES else None for name in names]
    if len(names) != len(RGB_NAMES) or any(own):
        widened = copy.deepcopy(layer)
        widened.in_channels = len(names)
        widened.weight = nn.Parameter(_widen(layer.weight.detach(), own))
        setattr(owner, attribute, widened)
    set_normalisation(model, (0.5,) * len(names), (0.25,) * len(names))


def set_normalisation(model: Segmenter, mean: Sequence[float], std: Sequence[float]) -> None:
    """Let a network expect channels of that mean and standard deviation, in [0, 1]."""
    shape = (1, -1, 1, 1)
    model.mean = torch.tensor(mean, dtype=torch.float32).reshape(shape)
    model.std = torch.tensor(std, dtype=torch.float32).reshape(shape)


def _widen(weight: Tensor, names: Sequence[str | None]) -> Tensor:
    """(O, bands, k, k) of the weight (O, 3, k, k)."""
    mean = weight.mean(dim=1)
    parts = [mean if name is None else weight[:, RGB_NAMES.index(name)] for name in names]
    return torch.stack(parts, dim=1) * (len(RGB_NAMES) / len(names))


def _find_first(net: nn.Module, encoder: str) -> tuple[nn.Module, str, nn.Conv2d]:
    """The convolution that takes the picture, the module that holds it, and its name there."""
    for path, layer in net.named_modules():
        if isinstance(layer, nn.Conv2d) and layer.in_channels == len(RGB_NAMES):
            owner, _, attribute = path.rpartition(".")
            return net.get_submodule(owner), attribute, layer
    raise ConfigError(
        f"encoder '{encoder}' begins with no convolution of red, green and blue, which other bands "
        "could widen; choose another, such as resnet18"
    )
