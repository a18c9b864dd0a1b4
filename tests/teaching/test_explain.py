"""Each lesson is drawn by one function."""

from pathlib import Path

import pytest
import torch

import pixelwise
from pixelwise.cli import explain as commands
from pixelwise.errors import ConfigError
from pixelwise.io.images import oriented_size
from pixelwise.teaching.explain import LESSONS


def test_every_lesson_of_the_command_is_here() -> None:
    names = {
        command.name or command.callback.__name__ for command in commands.app.registered_commands
    }
    assert names == set(LESSONS)


def test_a_transposed_convolution_is_computed_and_drawn(tmp_path: Path) -> None:
    kernel = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    result = pixelwise.explain("transposed", kernel, kernel, out=tmp_path / "t.png")
    assert result.tolist() == [[0, 0, 1], [0, 4, 6], [4, 12, 9]]
    assert oriented_size(tmp_path / "t.png")[1] > 100


def test_augmentation_is_drawn_of_a_data_set(shapes: Path, tmp_path: Path) -> None:
    pixelwise.explain("augmentation", shapes, out=tmp_path / "a.png", crop=(32, 48))
    assert oriented_size(tmp_path / "a.png")[1] > 100


def test_an_unknown_lesson_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'scores'"):
        pixelwise.explain("score", out=tmp_path / "x.png")
