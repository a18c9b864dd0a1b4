"""Named sets of options. A recipe changes the defaults; what is given besides goes before it."""

from typing import Any

from pixelwise.errors import unknown_choice_error
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
    "loss": "cross_entropy",
    "augment": "none",
    "scale": (1.0, 1.0),
    "predict_scale": 1.0,
    "drop_small": True,
    "void_as_background": True,
}
"""The course's: Zhang et al., "Dive into Deep Learning", sections 14.9 and 14.11.

Its loss is summed over the 32 images of a batch and stepped with 1e-3 and a weight decay of 1e-3;
on the mean, which is taken here, that is a rate of 0.032 and a decay of 1e-3 / 32. Its transposed
convolution has a bias, which the 1x1 convolution before it makes superfluous, and which is left out
here.
"""

RECIPES: dict[str, dict[str, Any]] = {"default": {}, "book": BOOK}


def config_of(recipe: str, **given: Any) -> TrainConfig:
    """The recipe's config with the options in `given` that are not None. Raises ConfigError for an
    unknown recipe.
    """
    if recipe not in RECIPES:
        raise unknown_choice_error("recipe", recipe, RECIPES)
    chosen = {name: value for name, value in given.items() if value is not None}
    defaults = {
        name: value
        for name, value in RECIPES[recipe].items()
        if name != "epochs" or "minutes" not in chosen
    }
    return TrainConfig(**{**defaults, **chosen, "recipe": recipe})
