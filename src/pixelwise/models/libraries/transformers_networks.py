"""Segmentation networks of transformers, from folders of its save_pretrained."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.errors import ConfigError, ModelError, first_line, unknown_choice_error
from pixelwise.models.config import ModelConfig
from pixelwise.models.libraries.input_rules import InputRules, read_preprocessor
from pixelwise.models.libraries.library import ImportedModel, Library
from pixelwise.models.libraries.source_files import Source
from pixelwise.models.libraries.state_files import check_fit, describe_left_out
from pixelwise.optional import require_package

# Sides of images that all strides divide.
_ALIGN = 32

# A score of 0 has no logarithm.
_LEAST_SCORE = 1e-8


@dataclass(frozen=True)
class _Architecture:
    encoder: tuple[str, ...]
    """Its children that are the encoder."""

    has_one_size: bool = False
    """Whether it takes square images of one size alone."""

    resamples_positions: bool = False
    """Whether that may be another size than that of its training, which the preprocessor names."""


ARCHITECTURES = {
    "SegformerForSemanticSegmentation": _Architecture(("segformer",)),
    "UperNetForSemanticSegmentation": _Architecture(("backbone",)),
    "MobileViTForSemanticSegmentation": _Architecture(("mobilevit",)),
    "DPTForSemanticSegmentation": _Architecture(("dpt",), True, True),
    "EomtForUniversalSegmentation": _Architecture(("embeddings", "layers"), True),
}

# Of config.json, what a network is not built from.
_NOT_PASSED = (
    "_name_or_path",
    "architectures",
    "dtype",
    "id2label",
    "label2id",
    "model_type",
    "num_labels",
    "torch_dtype",
    "transformers_version",
)

# Nothing is downloaded, and heads for a training's second loss are left out.
_FIXED = {"use_pretrained_backbone": False, "use_auxiliary_head": False}


def _library_config(config: ModelConfig) -> Any:
    """transformers' own configuration of a network."""
    options = dict(config.options or {})
    raw = {**options["config"], **_FIXED}
    transformers = require_package("transformers")
    own = transformers.AutoConfig.for_model(options["model_type"], **raw)
    own.num_labels = config.classes
    return own


def _kind(config: ModelConfig) -> Any:
    """transformers' class of a network."""
    name = config.decoder.partition(".")[2]
    if name not in ARCHITECTURES:
        raise unknown_choice_error("architecture of transformers", name, ARCHITECTURES)
    return getattr(require_package("transformers"), name)


def _build(config: ModelConfig) -> nn.Module:
    kind = _kind(config)
    try:
        network: nn.Module = kind(_library_config(config))
    except (TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        raise ConfigError(
            f"{_installed()} cannot build {kind.__name__} ({first_line(error)}); install the "
            "version that wrote it"
        ) from error
    network.image_side = _read_side(config)
    return network


def _installed() -> str:
    return f"transformers {version('transformers')}"


def _read_side(config: ModelConfig) -> Any:
    return (config.options or {}).get("side")


def _run(network: nn.Module, images: Tensor) -> Tensor:
    output = network(pixel_values=images)
    if hasattr(output, "logits"):
        logits: Tensor = output.logits
        return logits
    return _score_queries(output, images)


def _score_queries(output: Any, images: Tensor) -> Tensor:
    """Logarithms of the class scores of a network that answers queries with a class and a mask
    each: what of a class its queries claim (Cheng et al. 2021, "Per-Pixel Classification is Not All
    You Need", section 3.4).
    """
    masks = F.interpolate(output.masks_queries_logits, images.shape[-2:], mode="bilinear")
    classes = output.class_queries_logits.softmax(-1)[..., :-1]  # the last is no class
    scores = torch.einsum("nqc,nqhw->nchw", classes, masks.sigmoid())
    return scores.clamp(min=_LEAST_SCORE).log()


def _name_encoder(network: nn.Module) -> tuple[str, ...]:
    return ARCHITECTURES[type(network).__name__].encoder


def _size(network: nn.Module) -> tuple[int, int] | None:
    side = network.image_side
    return None if side is None else (int(side), int(side))  # type: ignore[arg-type]


TRANSFORMERS = Library(_build, _run, _name_encoder, lambda network: _ALIGN, _size)


def read_transformers(source: Source) -> ImportedModel | None:
    """The model of a folder; None where it is not transformers'. Raises ModelError for one that
    cannot be used, ConfigError where transformers is missing or has not its architecture.
    """
    raw = source.config
    if "model_type" not in raw:
        return None
    names = raw.get("architectures") or ["none"]
    rules = read_preprocessor(source.preprocessor) if source.preprocessor else InputRules()
    config = _read_config(str(names[0]), raw, source.preprocessor)
    network, extra = _load(config, source)
    notes = [*describe_left_out(extra)]
    if not source.preprocessor:
        notes.append("no preprocessor_config.json: ImageNet's mean and deviation are taken")
    reduces = source.preprocessor.get("do_reduce_labels", source.preprocessor.get("reduce_labels"))
    return ImportedModel(config, network, rules, first_value=int(bool(reduces)), notes=tuple(notes))


def _read_config(name: str, raw: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> ModelConfig:
    if name not in ARCHITECTURES:
        raise unknown_choice_error("architecture of transformers", name, ARCHITECTURES)
    if raw.get("num_channels", 3) != 3:
        raise ModelError(
            f"takes {raw['num_channels']} channels; of other libraries' models only RGB is read"
        )
    backbone = raw.get("backbone_config") or {}
    labels = raw.get("id2label") or {}
    options: dict[str, Any] = {
        "model_type": raw["model_type"],
        "config": {key: value for key, value in raw.items() if key not in _NOT_PASSED},
    }
    config = ModelConfig(
        f"transformers.{name}",
        str(backbone.get("model_type") or raw.get("backbone") or raw["model_type"]),
        len(labels) or int(raw.get("num_labels", 2)),
        options=options,
    )
    if ARCHITECTURES[name].has_one_size:
        size = (preprocessor.get("size") or {}) if ARCHITECTURES[name].resamples_positions else {}
        options["side"] = size.get("height") or _library_config(config).image_size
    return config


def _load(config: ModelConfig, source: Source) -> tuple[nn.Module, list[str]]:
    """The network with its weights, and which weights have no place in it.

    By transformers itself, which knows the names of its earlier versions.
    """
    kind = _kind(config)
    folder = source.path if source.path.is_dir() else source.path.parent
    with _quiet():
        try:
            network, info = kind.from_pretrained(
                folder,
                config=_library_config(config),
                ignore_mismatched_sizes=True,
                local_files_only=True,
                output_loading_info=True,
            )
        except Exception as error:  # what it raises has no base class but Exception
            raise ModelError(
                f"{_installed()} cannot read it ({first_line(error)}); it was written by "
                f"{source.config.get('transformers_version', 'an unknown version')}"
            ) from error
    children = {name for name, _ in network.named_children()}
    extra = sorted(info["unexpected_keys"])
    check_fit(
        sorted(info["missing_keys"]),
        [name for name in extra if name.partition(".")[0] in children],
        sorted(str(entry[0]) for entry in info["mismatched_keys"]),
        what=f"{kind.__name__} of transformers",
        version=_installed(),
    )
    network.image_side = _read_side(config)
    return network.float(), extra


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own remarks and bars: what matters is said in this package's words."""
    logging = require_package("transformers").logging
    before = logging.get_verbosity()
    has_bar = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if has_bar:
            logging.enable_progress_bar()
