import inspect
from collections.abc import Callable

import pytest

from pixelwise.cli import compare, evaluate, explain, suspects, train
from pixelwise.data.sample import DataOptions

COMMANDS = (compare.compare, evaluate.evaluate, explain.networks, suspects.suspects, train.train)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_a_matte_means_the_same_to_every_command(command: Callable[..., None]) -> None:
    assert inspect.signature(command).parameters["threshold"].default == DataOptions().matte_threshold
