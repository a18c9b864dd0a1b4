import inspect
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from pixelwise.cli import train
from pixelwise.cli.options_from import OptionSource, options_from
from pixelwise.config_fields import own_options
from pixelwise.datasets.open_dataset import INDEXES
from pixelwise.datasets.options import FORMATS, DataOptions
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.training.config import TrainConfig

# Of the options of predict, some of each kind; `crop` is one of training too.
CHOSEN = (
    "overlay",
    "confidence",
    "threshold",
    "tta",
    "smallest",
    "frames",
    "split_touching",
    "pixel_size",
    "extras",
    "scales",
)


def received(words: list[str]) -> dict[str, Any]:
    """What a command with options of two dataclasses receives."""
    result: dict[str, Any] = {}
    app = typer.Typer()

    @app.command()
    @options_from(OptionSource(TrainConfig, unset=True), OptionSource(PredictOptions, CHOSEN))
    def command(path: Annotated[Path, typer.Argument()], **options: Any) -> None:
        result.update(options, path=path)

    outcome = CliRunner().invoke(app, words, catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return result


def test_what_is_not_given_is_left_out_or_the_fields_default() -> None:
    defaults = {
        "overlay": False,
        "confidence": False,
        "threshold": 0.0,
        "tta": False,
        "smallest": 0,
        "frames": None,
        "split_touching": False,
        "pixel_size": None,
    }
    assert received(["a"]) == {"path": Path("a"), **defaults}


def test_values_come_by_the_fields_names_and_types() -> None:
    words = ["a", "--decoder", "fcn8s", "--crop", "32", "64", "--profile", "--minutes", "2"]
    more = ["--also", "areas", "--also", "logits", "--scale", "0.5", "--smallest-area", "9"]
    values = received([*words, *more])
    assert (values["decoder"], values["crop"], values["profile"]) == ("fcn8s", (32, 64), True)
    assert (values["minutes"], values["extras"]) == (2.0, ("areas", "logits"))
    assert (values["scales"], values["smallest"]) == ((0.5,), 9)


def test_an_unknown_choice_is_passed_on_to_our_own_error() -> None:
    assert received(["a", "--decoder", "unett"])["decoder"] == "unett"


def test_every_option_of_train_is_a_field_or_one_of_eight_own() -> None:
    parameters = set(inspect.signature(train.train).parameters)
    assert set(own_options(TrainConfig)) <= parameters
    # the last two are called otherwise in DataOptions
    fields = {*own_options(TrainConfig), *own_options(DataOptions), "masks", "threshold"}
    assert len(parameters - fields) <= 8


@pytest.mark.parametrize(
    ("option", "expected"), [("--decoder", "linknet"), ("--format", "cityscapes-all")]
)
def test_choices_are_completed(option: str, expected: str) -> None:
    hint = inspect.signature(train.train).parameters[option[2:]].annotation
    assert expected in hint.__metadata__[0].autocompletion(expected[:4])


def test_the_formats_are_those_of_the_readers() -> None:
    assert sorted(FORMATS) == sorted(["auto", *INDEXES])
