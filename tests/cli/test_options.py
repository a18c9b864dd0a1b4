import inspect
from collections.abc import Callable

import pytest

from pixelwise.cli import compare, evaluate, explain, suspects, train
from pixelwise.data.sample import DataOptions

TRAINING, SCORING = (explain.networks, train.train), (compare.compare, evaluate.evaluate, suspects.suspects)


@pytest.mark.parametrize("command", [*TRAINING, *SCORING], ids=lambda command: command.__name__)
def test_a_matte_means_the_same_to_every_command(command: Callable[..., None]) -> None:
    """To those that score a model, None is what it means to its training."""
    default = inspect.signature(command).parameters["threshold"].default
    assert default == (None if command in SCORING else DataOptions().matte_threshold)
