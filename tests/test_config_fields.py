import inspect
from dataclasses import dataclass
from typing import Literal, get_args

import pytest

import pixelwise
from pixelwise.config_fields import Range, check_fields, field_docs, option, option_fields
from pixelwise.datasets.options import DataOptions
from pixelwise.errors import ConfigError
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.models.registry import DECODERS
from pixelwise.models.upsampling import UPSAMPLE
from pixelwise.style_transfer.config import Setup, StyleConfig
from pixelwise.training.config import Decoder, Strength, TrainConfig, Upsample
from pixelwise.training.losses import CLASS_WEIGHTS
from pixelwise.training.recipes import RECIPES
from pixelwise.training.run_options import Recipe
from pixelwise.training.transforms import AUGMENTATIONS

KINDS = (TrainConfig, DataOptions, PredictOptions, Setup, StyleConfig)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_has_a_docstring(kind: type) -> None:
    for name, known in option_fields(kind).items():
        assert known.doc.endswith("."), name


def test_the_choices_are_those_of_the_tables_they_name() -> None:
    assert set(get_args(Decoder)) == set(DECODERS)
    assert set(get_args(Upsample)) == set(UPSAMPLE)
    assert set(get_args(Strength)) == set(AUGMENTATIONS)
    assert set(get_args(Recipe)) == set(RECIPES)
    assert option_fields(TrainConfig)["class_weights"].choices == CLASS_WEIGHTS


@dataclass(frozen=True)
class Example:
    kind: Literal["tree", "shrub"] = option("tree", suggest=True)
    """What grows,
    in two lines.
    """
    share: float = option(0.5, valid=Range(0, 1, high_open=True, text="a share below 1"))
    height: int | None = option(None, valid=Range(1, text="1 or more"))

    def __post_init__(self) -> None:
        check_fields(self)


def test_the_strings_under_fields_are_their_docs() -> None:
    assert field_docs(Example) == {"kind": "What grows, in two lines."}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "tre"}, "unknown kind 'tre': choose one of shrub, tree; did you mean 'tree'"),
        ({"share": 1.0}, "share is 1.0: allowed is a share below 1"),
        ({"share": float("nan")}, "share is nan: allowed is a share below 1"),
        ({"height": 0}, "height is 0: allowed is 1 or more"),
    ],
)
def test_a_value_out_of_range_is_refused_with_what_is_allowed(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Example(**values)  # type: ignore[arg-type]


def test_flat_names_reach_their_groups() -> None:
    config = TrainConfig.from_flat(decoder="fcn8s", epochs=3, seed=7)
    assert (config.model.decoder, config.optim.epochs, config.run.seed) == ("fcn8s", 3, 7)
    assert TrainConfig.from_flat(**config.flat()) == config
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        config.with_options(epoch=3)


def test_the_old_name_of_a_recipe_is_understood() -> None:
    assert TrainConfig.from_flat(recipe="book").run.recipe == "d2l"


def test_a_single_name_where_a_tuple_is_needed_is_not_read_by_letters() -> None:
    with pytest.raises(
        ConfigError, match=r"largest is 'red': allowed is a tuple, such as \('red',\)"
    ):
        PredictOptions(largest="red")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="crop is 64: allowed is two multiples of 32"):
        TrainConfig.from_flat(crop=64)


def test_a_functions_signature_lists_the_options_that_it_takes() -> None:
    for function, kinds in (
        (pixelwise.train, (TrainConfig, DataOptions)),
        (pixelwise.preview, (TrainConfig, DataOptions)),
        (pixelwise.predict, (PredictOptions,)),
        (pixelwise.stylize, (StyleConfig,)),
    ):
        parameters = inspect.signature(function).parameters
        for kind in kinds:
            for name, known in option_fields(kind).items():
                assert parameters[name].default == known.default
                assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert all(entry.kind is not inspect.Parameter.VAR_KEYWORD for entry in parameters.values())
    with pytest.raises(ConfigError, match="did you mean 'decoder'"):
        pixelwise.train("data", "out", decodr="unet")
