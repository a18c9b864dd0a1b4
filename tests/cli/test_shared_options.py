import inspect
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from pixelwise.cli import compare, evaluate, explain, suspects, train
from pixelwise.cli.main import app
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError

TRAINING = (explain.networks, train.train)
SCORING = (compare.compare, evaluate.evaluate, suspects.suspects)


@pytest.mark.parametrize("command", [*TRAINING, *SCORING], ids=lambda command: command.__name__)
def test_a_matte_means_the_same_to_every_command(command: Callable[..., None]) -> None:
    """To those that score a model, None is what it means to its training."""
    default = inspect.signature(command).parameters["threshold"].default
    assert default == (None if command in SCORING else DataOptions().matte_threshold)


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "animals", "a.jpg", "--out", "masks", "--estimate"],
        ["predict", "animals", "a.jpg", "--out", "masks", "--workers", "2"],
        ["evaluate", "animals", "data", "--workers", "2"],
        ["train", "data", "--out", "run", "--workers", "2"],
    ],
)
def test_what_says_nothing_without_a_cluster_is_refused(words: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"--(estimate|workers) goes with --cluster"):
        CliRunner().invoke(app, words, catch_exceptions=False)
