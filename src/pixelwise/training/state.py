"""What resuming needs: weights, optimiser and the point reached, written after every epoch."""

import pickle
from pathlib import Path
from typing import Any

import torch
from timm.utils.model_ema import ModelEmaV3
from torch.optim import Optimizer

from pixelwise.errors import ModelError
from pixelwise.io.atomic import atomic
from pixelwise.models.segmenter import Segmenter
from pixelwise.training.history import Epoch, read_history
from pixelwise.training.schedule import Budget

# What reading a state raises that is cut off, is no state at all (`weights_only` refuses it), or is
# of another version.
_DAMAGED = (
    RuntimeError,
    OSError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    EOFError,
    pickle.UnpicklingError,
)

# The network, the moving average of its weights, and their optimiser.
TrainState = tuple[Segmenter, ModelEmaV3 | None, Optimizer]


def state_path(run: Path) -> Path:
    """Where a run keeps its state."""
    return run / "state" / "last.pt"


def save_state(run: Path, state: TrainState, budget: Budget, epochs: int) -> None:
    """Write the state after `epochs` finished epochs, atomically."""
    model, average, optimizer = state
    content = {
        "epochs": epochs,
        "steps": budget.done,
        "seconds": budget.elapsed,
        "rate": budget.rate,
        "model": model.state_dict(),
        "average": None if average is None else average.module.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    with atomic(state_path(run)) as draft:
        try:
            torch.save(content, draft)
        except RuntimeError as error:  # torch's writer hides the system's error
            raise _as_os_error(error, draft) from error


def restore_state(run: Path, state: TrainState, budget: Budget) -> list[Epoch]:
    """Load the run's state into network, average, optimiser and budget; returns the history up to
    it, empty for a new run.
    """
    path = state_path(run)
    model, average, optimizer = state
    if not path.is_file():
        return []
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(content["model"])
        optimizer.load_state_dict(content["optimizer"])
        if average is not None:
            average.module.load_state_dict(content["average"])
        budget.done = content["steps"]
        budget.earlier = content["seconds"]
        budget.rate = content["rate"]
        return read_history(run / "history.csv")[: content["epochs"]]
    except _DAMAGED as error:
        raise ModelError(
            f"state {path}: cannot be resumed from ({error}); start again with another --out"
        ) from error


def _as_os_error(error: RuntimeError, draft: Path) -> OSError:
    import errno
    import shutil

    free = shutil.disk_usage(draft.parent).free
    message = str(error)
    # The words are those of PyTorch's zip writer where the disk fills up under it.
    full = free < 1 << 20 or "file write failed" in message or "unexpected pos" in message
    code = errno.ENOSPC if full else errno.EIO
    return OSError(code, message)
