"""A training for TensorBoard (extra `tensorboard`), beside the CSV that is always written."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pixelwise.io.images import read_rgb

FOLDER = "tensorboard"

# Part of TensorBoard's name of a figure, by how its column in the history begins.
_CHARTS = {"train_": "/training", "val_": "/validation"}


def write_epoch(run: Path, row: Mapping[str, float], samples: Path | None) -> None:
    """Add an epoch's figures, and its `samples` picture where it has one, to `run`/tensorboard.

    A resumed run takes back what was written for this epoch and later ones. Needs the package
    tensorboard.
    """
    from torch.utils.tensorboard import SummaryWriter

    epoch = int(row["epoch"])
    with SummaryWriter(run / FOLDER, purge_step=epoch) as writer:
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(_name_chart(name), value, epoch)
        if samples is not None:
            picture = np.asarray(read_rgb(samples))
            writer.add_image("samples", picture, epoch, dataformats="HWC")


def _name_chart(column: str) -> str:
    """Training and validation of a figure stand side by side: `loss/training`."""
    for prefix, part in _CHARTS.items():
        if column.startswith(prefix):
            return column.removeprefix(prefix) + part
    return column
