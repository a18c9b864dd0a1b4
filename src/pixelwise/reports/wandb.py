"""A training for Weights & Biases (extra `wandb`): written to the run folder, and sent only where
WANDB_MODE says so.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from pixelwise.io.atomic import write_text
from pixelwise.optional import require_package

# In the run folder: by which name W&B knows the run, for --resume to go on with it.
RUN_ID = "wandb.txt"
_PROJECT = "pixelwise"


class WandB:
    """A run of the project that WANDB_PROJECT names, or `pixelwise`. Needs the package wandb."""

    def __init__(self, run: Path, settings: Mapping[str, Any]) -> None:
        self._run = run
        self._settings = settings
        self._log: Any = None

    def write_epoch(self, row: Mapping[str, float], samples: Path | None) -> None:
        """Log an epoch's figures, and its `samples` picture where it has one."""
        log = self._open()
        values: dict[str, Any] = {name: value for name, value in row.items() if name != "epoch"}
        if samples is not None:
            values["samples"] = require_package("wandb").Image(str(samples))
        log.log(values, step=int(row["epoch"]))

    def finish(self, figures: Mapping[str, float], files: Sequence[Path], *, stopped: bool) -> None:
        """Log the result and the files; the run has ended."""
        log = self._open()
        log.summary.update(dict(figures))
        artifact = require_package("wandb").Artifact(f"{_PROJECT}-{log.id}", type="model")
        for path in files:
            artifact.add_file(str(path))
        log.log_artifact(artifact)
        log.finish(exit_code=int(stopped))
        self._log = None

    def _open(self) -> Any:
        """The run, which is begun, or gone on with."""
        if self._log is None:
            note = self._run / RUN_ID
            if not note.is_file():
                write_text(note, f"{uuid4().hex[:8]}\n")
            wandb = require_package("wandb")
            self._log = wandb.init(
                project=os.environ.get("WANDB_PROJECT", _PROJECT),
                name=self._run.name,
                id=note.read_text(encoding="utf-8").strip(),
                resume="allow",
                dir=str(self._run),
                config={name: str(value) for name, value in self._settings.items()},
                mode=os.environ.get("WANDB_MODE", "offline"),
                settings=wandb.Settings(console="off"),  # it would wrap the progress bars
            )
        return self._log
