"""What resuming needs: weights, optimiser and the point reached, written after every epoch."""

from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from pixelwise.errors import ModelError
from pixelwise.files import atomic
from pixelwise.models.segmenter import Segmenter
from pixelwise.training.history import Epoch, read_history
from pixelwise.training.schedule import Budget


def state_path(run: Path) -> Path:
    """Where a run keeps its state."""
    return run / "state" / "last.pt"


def save_state(run: Path, model: Segmenter, optimizer: Optimizer, budget: Budget, epochs: int) -> None:
    """Write the state after `epochs` finished epochs, atomically."""
    state = {
        "epochs": epochs,
        "steps": budget.done,
        "seconds": budget.elapsed,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    with atomic(state_path(run)) as draft:
        try:
            torch.save(state, draft)
        except RuntimeError as error:  # torch's writer hides the system's error
            raise _as_os_error(error, draft) from error


def restore_state(run: Path, model: Segmenter, optimizer: Optimizer, budget: Budget) -> list[Epoch]:
    """Load the run's state into what is given; returns the history up to there, empty for a new run."""
    path = state_path(run)
    if not path.is_file():
        return []
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, OSError, KeyError, ValueError, EOFError) as error:
        raise ModelError(f"state {path}: cannot be resumed from ({error}); start anew with another --out") from error
    budget.done, budget.earlier = state["steps"], state["seconds"]
    return read_history(run / "history.csv")[: state["epochs"]]


def _as_os_error(error: RuntimeError, draft: Path) -> OSError:
    import errno
    import shutil

    free = shutil.disk_usage(draft.parent).free
    full = free < 1 << 20 or "file write failed" in str(error) or "unexpected pos" in str(error)
    return OSError(errno.ENOSPC if full else errno.EIO, str(error))
