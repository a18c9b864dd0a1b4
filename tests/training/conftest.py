"""A training that takes a second, one that is finished, and listeners that interfere."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import pixelwise
from pixelwise.models.checkpoint import load_model
from pixelwise.progress import Progress
from pixelwise.training import run_record
from pixelwise.training.run_record import Pictures


@pytest.fixture(scope="session")
def quick() -> dict[str, Any]:
    """Options of a training on `shapes` that takes a second."""
    return {
        "encoder": "test_resnet",
        "decoder": "fcn32s",
        "weights": "none",
        "crop": (32, 32),
        "batch": 4,
        "workers": 0,
        "precision": "float32",
    }


@pytest.fixture(scope="session")
def trained(shapes: Path, quick: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder after one epoch, to copy."""
    run = tmp_path_factory.mktemp("trained") / "run"
    pixelwise.train(shapes, run, epochs=1, **quick)
    return run


@pytest.fixture(autouse=True)
def plain_pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Drawing takes most of a short training: what is not about pictures goes without them, and
    without the scores in its report.
    """
    if "drawn" in request.fixturenames:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_record, "draw_curves", lambda history, path: path.touch())
        patch.setattr(Pictures, "_draw_samples", lambda self: (self.run / "samples.png").touch())
        patch.setattr(Pictures, "report", lambda *_: None)
        yield


@pytest.fixture
def drawn() -> None:
    """The run's pictures are drawn."""


class Stopper(Progress):
    """Asks to stop, as Ctrl-C does, when the postfix is set for the `step`th time."""

    def __init__(self, step: int) -> None:
        self.left = step

    def set_postfix(self, text: str) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


class Listener(Progress):
    """Keeps the lines of the log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, text: str) -> None:
        self.lines.append(text)


class Broken(Progress):
    """Raises an error in the first step."""

    def set_postfix(self, text: str) -> None:
        raise RuntimeError("broken")


@pytest.fixture
def stopper() -> type[Stopper]:
    return Stopper


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def broken() -> Broken:
    return Broken()


@pytest.fixture
def hungry() -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """A loss that no memory can hold."""

    def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return logits.sum() + torch.empty(10**15)

    return loss


@pytest.fixture
def read_weights() -> Callable[[Path], dict[str, torch.Tensor]]:
    """The weights of a run's model by name."""

    def read(run: Path) -> dict[str, torch.Tensor]:
        return dict(load_model(run)[0].state_dict())

    return read
