"""Networks of segmentation_models.pytorch: folders of its save_pretrained, and files of weights
with their options beside.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from torch import Tensor, nn

from pixelwise.errors import ConfigError, ModelError, first_line, unknown_choice_error
from pixelwise.models.config import ModelConfig
from pixelwise.models.libraries.input_rules import IMAGENET_MEAN, IMAGENET_STD, InputRules
from pixelwise.models.libraries.library import ImportedModel, Library
from pixelwise.models.libraries.source_files import Source
from pixelwise.models.libraries.state_files import State, fit_state, read_state_file
from pixelwise.optional import require_package

_PACKAGE = "segmentation_models_pytorch"

# Options that are not handed on: it gives logits here, its weights come from a file, and the rest
# stands elsewhere.
_NOT_PASSED = (
    "_model_class",
    "activation",
    "arch",
    "aux_params",
    "class_names",
    "classes",
    "encoder_name",
    "encoder_weights",
    "id2label",
    "in_channels",
)

_EXAMPLE = '{"arch": "unet", "encoder_name": "resnet34", "classes": 2}'


def _build(config: ModelConfig) -> nn.Module:
    smp = require_package(_PACKAGE)
    name = config.decoder.partition(".")[2]
    kinds = smp.MODEL_ARCHITECTURES_MAPPING
    if name.lower() not in kinds:
        raise unknown_choice_error("network of smp", name, kinds)
    options = dict(config.options or {})
    # one logit for two classes: its own way with masks of yes and no
    outputs = 1 if options.pop("binary", False) and config.classes == 2 else config.classes
    try:
        network: nn.Module = kinds[name.lower()](
            config.encoder,
            encoder_weights=None,
            classes=outputs,
            in_channels=config.channels,
            **options,
        )
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise ConfigError(
            f"smp {version('segmentation-models-pytorch')} cannot build {name} on "
            f"{config.encoder} ({first_line(error)}); check its options, or install the version "
            "that wrote them"
        ) from error
    return network


def _run(network: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = network(images)
    return logits


def _align(network: nn.Module) -> int:
    if type(network).__name__ == "PAN":  # halves its coarsest map, of stride 16, three times
        return 128
    return int(network.encoder.output_stride)  # type: ignore[arg-type, union-attr]


def _size(network: nn.Module) -> tuple[int, int] | None:
    """Of a vision transformer whose positions are not resampled."""
    transformer = getattr(network.encoder, "model", None)
    patches = getattr(transformer, "patch_embed", None)
    if not getattr(patches, "strict_img_size", False):
        return None
    height, width = patches.img_size  # type: ignore[union-attr]
    return int(height), int(width)


SMP = Library(_build, _run, lambda network: ("encoder",), _align, _size)


def read_smp(source: Source) -> ImportedModel | None:
    """The model of a folder or file; None where it is not smp's. Raises ModelError for one whose
    options are not known, ConfigError where smp is missing or cannot build it.
    """
    options = source.config
    name = options.get("_model_class") or options.get("arch")
    if source.weights is None or (options and not name):
        return None
    if name is None:
        if _is_smp(read_state_file(source.weights)):
            raise ModelError(
                "the weights are of segmentation_models.pytorch, but no file beside them says of "
                f"which network; write {source.weights.with_suffix('.json').name} with its "
                f"options, such as {_EXAMPLE}"
            )
        return None
    config = _read_options(str(name), options)
    network = _build(config)
    notes = fit_state(
        network,
        read_state_file(source.weights),
        what=f"{name} of smp",
        version=f"smp {version('segmentation-models-pytorch')}",
    )
    rules, assumed = _read_rules(config.encoder, options.get("encoder_weights"))
    names = ("background", "foreground") if (config.options or {}).get("binary") else None
    return ImportedModel(config, network, rules, names, notes=(*notes, *assumed))


def _is_smp(state: State) -> bool:
    return {"encoder", "decoder", "segmentation_head"} <= {n.partition(".")[0] for n in state}


def _read_options(name: str, options: Mapping[str, Any]) -> ModelConfig:
    channels = int(options.get("in_channels", 3))
    if channels != 3:
        raise ModelError(f"takes {channels} channels; of other libraries' models only RGB is read")
    classes = int(options.get("classes", 1))
    own = {key: value for key, value in options.items() if key not in _NOT_PASSED}
    if classes == 1:
        own["binary"] = True
    encoder = str(options.get("encoder_name", "resnet34"))
    return ModelConfig(f"smp.{name}", encoder, max(2, classes), options=own)


def _read_rules(encoder: str, weights: str | None) -> tuple[InputRules, tuple[str, ...]]:
    """What its encoder's first weights expect, and what is assumed of it."""
    smp = require_package(_PACKAGE)
    unknown = (
        "no file says its mean and deviation: ImageNet's are taken; preprocessor_config.json "
        "beside it can name others",
    )
    if weights is None:
        return InputRules(), unknown
    try:
        with _offline():
            raw = smp.encoders.get_preprocessing_params(encoder, weights)
    except Exception:  # on what it does not know it fails in several ways
        return InputRules(), unknown
    largest = (raw.get("input_range") or (0, 1))[1]
    mean = [value / largest for value in raw.get("mean") or IMAGENET_MEAN]
    std = [value / largest for value in raw.get("std") or IMAGENET_STD]
    is_bgr = raw.get("input_space") == "BGR"
    if is_bgr:  # given in the network's order
        mean.reverse()
        std.reverse()
    return InputRules(tuple(mean), tuple(std), is_bgr=is_bgr), ()


@contextmanager
def _offline() -> Iterator[None]:
    """The hub is not asked for what smp knows as well."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
