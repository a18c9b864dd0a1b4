"""Named sets of options, and options given by keyword sorted into their dataclasses."""

from typing import Any

from pixelwise.config_fields import check_names, option_fields, select_fields
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.training.config import RECIPE_ALIASES, TrainConfig

# The course's: Zhang et al., "Dive into Deep Learning", sections 14.9 and 14.11. Its loss is summed
# over the 32 images of a batch and stepped with 1e-3 and a weight decay of 1e-3; on the mean, which
# is taken here, that is a rate of 0.032 and a decay of 1e-3 / 32. Its transposed convolution has a
# bias, which the 1x1 convolution before it makes superfluous, and which is left out here.
D2L: dict[str, Any] = {
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
    "ema_share": 0.0,
    "bn_batches": 0,
    "keep_after": 0.0,
    "frozen_stages": 0,
    "one_size": False,
    "validate_every": 1,
    "loss": "cross_entropy",
    "augment": "none",
    "scale": (1.0, 1.0),
    "predict_scale": 1.0,
    "drop_small": True,
    "void_as_background": True,
}

# The course sheets' for U-Net and LinkNet on portraits: from scratch, Adam at 0.001, which falls to
# a tenth after 7 and after 14 of 20 epochs. Images keep their shape, which the sheets' do not.
PORTRAITS: dict[str, Any] = {
    **D2L,
    "decoder": "unet",
    "encoder": "unet",
    "weights": "none",
    "epochs": 20,
    "crop": (256, 256),
    "batch": 8,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "decay": "steps",
    "drop_small": False,
    "void_as_background": False,
}

RECIPES: dict[str, dict[str, Any]] = {"default": {}, "d2l": D2L, "portraits": PORTRAITS}


def make_config(recipe: str, **options: Any) -> TrainConfig:
    """The recipe's config with those of `options` that are not None. Raises ConfigError for an
    unknown recipe.
    """
    recipe = RECIPE_ALIASES.get(recipe, recipe)
    if recipe not in RECIPES:
        raise unknown_choice_error("recipe", recipe, RECIPES)
    explicit = {name: value for name, value in options.items() if value is not None}
    defaults = dict(RECIPES[recipe])
    if "minutes" in explicit:
        defaults.pop("epochs", None)
    return TrainConfig.from_flat(**{**defaults, **explicit, "recipe": recipe})


def split_options(
    config: TrainConfig | None, options: dict[str, Any]
) -> tuple[TrainConfig, DataOptions]:
    """Options given by keyword, for the dataclass that has them; what both have, for both. Beside a
    config, `seed` may be given for the reading alone. Raises ConfigError.
    """
    training = option_fields(TrainConfig)
    for name in options:
        if config and name in training and name != "seed":
            raise ConfigError(
                f"option '{name}' is given beside a config, which has it: put it into the config"
            )
    check_names(options, TrainConfig, DataOptions)
    if config is None:
        explicit = select_fields(options, TrainConfig)
        config = make_config(explicit.pop("recipe", "default"), **explicit)
    reading = {"seed": config.run.seed, **select_fields(options, DataOptions)}
    return config, DataOptions(**reading)
