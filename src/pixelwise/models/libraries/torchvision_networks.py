"""torchvision's segmentation networks, from files of their weights."""

from importlib.metadata import version
from pathlib import Path

from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.models.config import ModelConfig
from pixelwise.models.libraries.input_rules import InputRules, side_of_short_edge
from pixelwise.models.libraries.library import ImportedModel, Library
from pixelwise.models.libraries.source_files import Source
from pixelwise.models.libraries.state_files import State, fit_state, read_state_file
from pixelwise.models.remote_models import hash_file

NETWORKS = (
    "fcn_resnet50",
    "fcn_resnet101",
    "deeplabv3_resnet50",
    "deeplabv3_resnet101",
    "deeplabv3_mobilenet_v3_large",
    "lraspp_mobilenet_v3_large",
)

# Shorter edge of the pictures on which its published networks are scored.
_SHORT_EDGE = 520

# The published files have the first figures of their SHA-256 at the end of their names.
_DIGITS = 8
_LICENCE = "bsd-3-clause"


def _build(config: ModelConfig) -> nn.Module:
    head, _, name = config.decoder.partition(".")
    network = f"{name}_{config.encoder}"
    if network not in NETWORKS:
        raise unknown_choice_error(f"network of {head}", network, NETWORKS)
    if config.channels != 3:
        raise ConfigError(f"{network} of torchvision takes RGB, not {config.channels} channels")
    options = {"weights": None, "weights_backbone": None, "num_classes": config.classes}
    if not name.startswith("lraspp"):
        options["aux_loss"] = False
    model: nn.Module = get_model(network, **options)
    return model


def _run(network: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = network(images)["out"]
    return logits


TORCHVISION = Library(_build, _run, lambda network: ("backbone",), lambda network: 1)


def read_torchvision(source: Source) -> ImportedModel | None:
    """The model of a file of weights; None where they are of no network of torchvision. Raises
    ModelError.
    """
    if source.weights is None:
        return None
    state = read_state_file(source.weights)
    network_name = recognise(state)
    if network_name is None:
        return None
    name, _, encoder = network_name.partition("_")
    config = ModelConfig(f"torchvision.{name}", encoder, _count_classes(state))
    network = _build(config)
    installed = f"torchvision {version('torchvision')}"
    notes = fit_state(network, state, what=f"{network_name} of torchvision", version=installed)
    if not _is_published(source.weights, network_name):
        return ImportedModel(config, network, InputRules(), notes=notes)
    return ImportedModel(
        config,
        network,
        InputRules(side=side_of_short_edge(_SHORT_EDGE)),
        tuple(get_model_weights(network_name).DEFAULT.meta["categories"]),
        notes=notes,
        licence=_LICENCE,
    )


def recognise(state: State) -> str | None:
    """Which of NETWORKS the weights are of; None for none of them."""
    if "classifier.low_classifier.weight" in state:
        return "lraspp_mobilenet_v3_large"
    if not any(name.startswith("backbone.") for name in state):
        return None
    if "classifier.0.convs.0.0.weight" in state:
        head = "deeplabv3"
    elif "classifier.0.weight" in state and "classifier.4.weight" in state:
        head = "fcn"
    else:
        return None
    if "backbone.0.0.weight" in state:
        encoder = "mobilenet_v3_large"
    else:
        encoder = "resnet101" if "backbone.layer3.22.conv1.weight" in state else "resnet50"
    network = f"{head}_{encoder}"
    return network if network in NETWORKS else None


def _count_classes(state: State) -> int:
    last = "classifier.low_classifier.weight"
    return len(state[last if last in state else "classifier.4.weight"])


def _is_published(weights: Path, network: str) -> bool:
    """Whether the file is torchvision's own, to the bit."""
    name = get_model_weights(network).DEFAULT.url.rpartition("/")[2]
    return weights.name == name and hash_file(weights).startswith(weights.stem[-_DIGITS:])
