"""A training whose steps do not fit into memory, begun anew with smaller batches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lightning_fabric import Fabric

from pixelwise.hardware import release_gpu_memory
from pixelwise.progress import Progress
from pixelwise.training.auto_config import SMALLEST_BATCH, StepMemoryError
from pixelwise.training.config import TrainConfig
from pixelwise.training.state import state_path

T = TypeVar("T")


def retry_with_smaller_batches(
    attempt: Callable[[TrainConfig], T],
    config: TrainConfig,
    *,
    fabric: Fabric,
    run: Path,
    progress: Progress,
) -> T:
    """What `attempt` gives for `config`; where a step does not fit into memory, for half the batch
    and twice as many batches a step, said in one line.

    Raises StepMemoryError where batches are as small as can be, where an epoch is done, whose steps
    were counted in larger batches, and for several processes, of which one would begin anew while
    the others wait.
    """
    while True:
        try:
            return attempt(config)
        except StepMemoryError as error:
            smaller = halve_batch(error.config)
            if smaller is None or fabric.world_size > 1 or state_path(run).is_file():
                raise
            batch = error.config.data.batch
        # out of the block, in which the error holds the tensors of the step
        config = config.with_options(**smaller)
        progress.log(
            f"too little memory for batches of {batch}: the training begins anew with batches of "
            f"{config.data.batch}, {config.optim.accumulate} of which make a step"
        )
        release_gpu_memory()


def halve_batch(config: TrainConfig) -> dict[str, Any] | None:
    """The options `batch` and `accumulate` for steps of as many samples in half the memory, of one
    or so more where batches are odd; None where these are as small as can be.
    """
    batch = config.data.batch or 0
    if batch <= SMALLEST_BATCH:
        return None
    return {"batch": (batch + 1) // 2, "accumulate": 2 * (config.optim.accumulate or 1)}
