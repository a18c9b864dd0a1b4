"""Trackers of experiments, beside the CSV that is always written: what they are told."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pixelwise.errors import first_line
from pixelwise.optional import require_package
from pixelwise.reports.mlflow import MLflow
from pixelwise.reports.tensorboard import TensorBoard
from pixelwise.reports.wandb import WandB


class Tracker(Protocol):
    """What is told of a training. It begins with the first epoch."""

    def write_epoch(self, row: Mapping[str, float], samples: Path | None) -> None:
        """An epoch's figures, `epoch` among them, and a picture where there is a new one."""

    def finish(self, figures: Mapping[str, float], files: Sequence[Path], *, stopped: bool) -> None:
        """The result, and the files of the run; it may go on later where it was stopped."""


TRACKERS: dict[str, Callable[[Path, Mapping[str, Any]], Tracker]] = {
    "tensorboard": TensorBoard,
    "mlflow": MLflow,
    "wandb": WandB,
}
"""By the package that each needs."""


class Trackers:
    """Those that were asked for. One that fails, as where its server is away, is named and left
    out from then on: no training ends by it.
    """

    def __init__(
        self,
        names: Sequence[str],
        run: Path,
        settings: Mapping[str, Any],
        log: Callable[[str], None],
    ) -> None:
        self._trackers = {name: TRACKERS[name](run, settings) for name in names}
        self._log = log

    def write_epoch(self, row: Mapping[str, float], samples: Path | None) -> None:
        """As `Tracker`."""
        self._tell(lambda tracker: tracker.write_epoch(row, samples))

    def finish(self, figures: Mapping[str, float], files: Sequence[Path], *, stopped: bool) -> None:
        """As `Tracker`."""
        self._tell(lambda tracker: tracker.finish(figures, files, stopped=stopped))

    def _tell(self, call: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                call(tracker)
            except Exception as error:  # those of three packages share no base class
                self._log(f"{name}: {first_line(error)}; the training goes on without it")
                del self._trackers[name]


def require_trackers(names: Sequence[str]) -> None:
    """Raises ConfigError for a tracker whose package is not installed."""
    for name in names:
        require_package(name)
