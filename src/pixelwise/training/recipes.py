"""Named sets of options. A recipe changes the defaults; what is given besides goes before it."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from pixelwise.errors import ConfigError, unknown
from pixelwise.training.config import TrainConfig

BOOK: dict[str, Any] = {
    "decoder": "fcn32s",
    "encoder": "resnet18",
    "plain": True,
    "epochs": 5,
    "crop": (320, 480),
    "batch": 32,
    "precision": "float32",
    "optimizer": "sgd",
    "learning_rate": 0.032,
    "encoder_rate": 1.0,
    "weight_decay": 1e-3 / 32,
    "decay": "constant",
    "warmup": 0.0,
    "ema": 0.0,
    "augment": "none",
    "drop_small": True,
    "void_as_background": True,
}
"""The course's: Zhang et al., "Dive into Deep Learning", sections 14.9 and 14.11.

Its loss is summed over the 32 images of a batch and stepped with 1e-3 and a weight decay of 1e-3; on the mean, which
is taken here, that is a rate of 0.032 and a decay of 1e-3 / 32. Its transposed convolution has a bias, which the 1x1
convolution before it makes superfluous, and which is left out here.
"""

RECIPES: dict[str, dict[str, Any]] = {"default": {}, "book": BOOK}


def config_of(recipe: str, **given: Any) -> TrainConfig:
    """The recipe's config with the options in `given` that are not None. Raises ConfigError for an unknown recipe."""
    if recipe not in RECIPES:
        raise unknown("recipe", recipe, RECIPES)
    chosen = {name: value for name, value in given.items() if value is not None}
    defaults = {name: value for name, value in RECIPES[recipe].items() if name != "epochs" or "minutes" not in chosen}
    return TrainConfig(**{**defaults, **chosen, "recipe": recipe})


def read_fields(texts: Sequence[str]) -> dict[str, Any]:
    """Fields of TrainConfig from texts such as `ema=0.999`, `scale=(0.5, 2)`, `optimizer=sgd`.

    Raises ConfigError for a text without `=`, an unknown field, and a value of another type than the field's.
    """
    known = {f.name: f.type.__name__ if isinstance(f.type, type) else str(f.type) for f in fields(TrainConfig)}
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"'{text}': write NAME=VALUE, as in ema=0.999")
        if name not in known:
            raise unknown("field", name, known)
        found[name] = _read_value(name, value, known[name])
    return found


def _read_value(name: str, text: str, kind: str) -> Any:
    if kind.startswith("str"):
        return text
    try:
        value = ast.literal_eval(text.capitalize() if text in ("true", "false", "none") else text)
    except (ValueError, SyntaxError):
        value = text
    if not any(_FITS[part.strip()](value) for part in kind.split("|")):
        raise ConfigError(f"{name} is '{text}': allowed is {kind}")
    return float(value) if kind.startswith("float") and value is not None else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FITS: dict[str, Callable[[Any], bool]] = {
    "int": lambda value: _is_number(value) and isinstance(value, int),
    "float": _is_number,
    "bool": lambda value: isinstance(value, bool),
    "None": lambda value: value is None,
    "tuple[int, int]": lambda value: isinstance(value, tuple) and len(value) == 2 and all(map(_FITS["int"], value)),
    "tuple[float, float]": lambda value: isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value)),
}
