"""The command line as a user meets it: exit status, one line, and the right stream."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pixelwise.classes import Classes
from pixelwise.cli.main import main
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter

NAMES = ("background", "circle", "square", "triangle")


@dataclass(frozen=True)
class Finished:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def pixelwise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Finished]:
    """The console script's own entry point, in this process."""

    def run(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["pixelwise", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return Finished(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    config = ModelConfig("fcn32s", "resnet10t", 4)
    save_model(path, build_segmenter(config), Header(config, Classes.named(NAMES)))
    return path


@pytest.fixture
def refused() -> Callable[..., None]:
    """Asserts that a command ended with status 2 and one line that holds the words."""

    def check(result: Finished, *words: str) -> None:
        last = result.stderr.splitlines()[-1]
        assert result.returncode == 2, result.stderr
        assert result.stdout == ""
        assert last.startswith("pixelwise: ")
        assert result.stderr.count("pixelwise: ") == 1
        assert all(word in last for word in words), result.stderr

    return check
