"""A training for TensorBoard (extra `tensorboard`), beside the CSV that is always there."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pixelwise.errors import ConfigError
from pixelwise.io.images import read_rgb

FOLDER = "tensorboard"
_PARTS = {"train_": "/training", "val_": "/validation"}


def demand_tensorboard() -> None:
    """Raises ConfigError where the extra is not installed."""
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "tensorboard is not installed: pip install 'pixelwise[tensorboard]'"
        ) from error


def write_epoch(run: Path, row: Mapping[str, float], samples: Path | None) -> None:
    """Add an epoch's figures, and its `samples` picture where it has one, to `run`/tensorboard.

    A resumed run takes back what was written for this epoch and later ones.
    """
    from torch.utils.tensorboard import SummaryWriter

    epoch = int(row["epoch"])
    with SummaryWriter(run / FOLDER, purge_step=epoch) as board:
        for name, value in row.items():
            part = next((part for part in _PARTS if name.startswith(part)), "")
            if name != "epoch":
                board.add_scalar(name.removeprefix(part) + _PARTS.get(part, ""), value, epoch)
        if samples is not None:
            board.add_image("samples", np.asarray(read_rgb(samples)), epoch, dataformats="HWC")
