"""A training for TensorBoard (extra `tensorboard`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.io.images import read_rgb

FOLDER = "tensorboard"

# Part of TensorBoard's name of a figure, by how its column in the history begins.
_CHARTS = {"train_": "/training", "val_": "/validation"}


class TensorBoard:
    """Events in `run`/tensorboard. Needs the package tensorboard."""

    def __init__(self, run: Path, settings: Mapping[str, Any]) -> None:
        self._run = run
        self._settings = settings

    def write_epoch(self, row: Mapping[str, float], samples: Path | None) -> None:
        """Add an epoch's figures, and its `samples` picture where it has one.

        A resumed run takes back what was written for this epoch and later ones.
        """
        epoch = int(row["epoch"])
        with self._open(purge_step=epoch) as writer:
            for name, value in row.items():
                if name != "epoch":
                    writer.add_scalar(_name_chart(name), value, epoch)
            if samples is not None:
                picture = np.asarray(read_rgb(samples))
                writer.add_image("samples", picture, epoch, dataformats="HWC")

    def finish(self, figures: Mapping[str, float], files: Sequence[Path], *, stopped: bool) -> None:
        """Add the settings as a table; TensorBoard holds no files."""
        rows = [f"| {name} | {value} |" for name, value in self._settings.items()]
        with self._open() as writer:
            writer.add_text("settings", "\n".join(["| setting | value |", "|---|---|", *rows]))

    def _open(self, purge_step: int | None = None) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(self._run / FOLDER, purge_step=purge_step)


def _name_chart(column: str) -> str:
    """Training and validation of a figure stand side by side: `loss/training`."""
    for prefix, part in _CHARTS.items():
        if column.startswith(prefix):
            return column.removeprefix(prefix) + part
    return column
