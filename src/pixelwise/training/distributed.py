"""Data-parallel training of one model in several processes, on Lightning Fabric.

The processes are started by `devices`, which runs the command once for each, or from outside, by
torchrun or a cluster. Each takes its share of every batch and the gradients are averaged. For a
loss that is a mean over pixels, a step is that of the whole batch where void is spread evenly; Dice
and the like are means over the shares' own. Batch normalisation sees only its share on CPUs, all of
them on GPUs. Only the process of rank 0 logs and writes.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor, nn
from torch.distributed import DistError

from pixelwise.errors import ConfigError, TrainingError
from pixelwise.models.segmenter import Segmenter
from pixelwise.training.config import TrainConfig
from pixelwise.training.tasks import PixelCounts

T = TypeVar("T")
_PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed", "auto": "32-true"}


class LostError(TrainingError):
    """Another process has ended or does not answer any more."""


def launch(config: TrainConfig) -> Fabric:
    """Fabric on the config's device, processes and precision, its processes started where they are
    not running yet.

    Raises ConfigError where there are not as many GPUs, or this process was started as one of more
    than there are.
    """
    local = processes_here(config)
    if config.run.device == "cuda" and local > torch.cuda.device_count():
        raise ConfigError(
            f"{local} processes, each on a GPU of its own, but this machine has "
            f"{torch.cuda.device_count()}"
        )
    nodes = 1
    if sys.platform == "win32":
        os.environ.setdefault("USE_LIBUV", "0")  # with which PyTorch for Windows is not built
    if "LOCAL_WORLD_SIZE" in os.environ:  # torchrun started this process
        world = int(os.environ.get("WORLD_SIZE", local))
        nodes = world // local
    many = local * nodes > 1
    patience = timedelta(seconds=config.run.timeout)
    try:
        fabric = Fabric(
            accelerator=config.run.device,
            devices=local,
            num_nodes=nodes,
            # a decoder need not use every stride, whose norms then get no gradient
            strategy=DDPStrategy(find_unused_parameters=True, timeout=patience) if many else "auto",
            precision=_PRECISIONS[config.run.precision],  # type: ignore[arg-type]
        )
        fabric.launch()
    except MisconfigurationException as error:
        raise ConfigError(str(error)) from error
    if fabric.is_global_zero != is_first():
        raise ConfigError(
            "this process was started as one of several, as its environment says, but the "
            "training has one: give --set devices=N, with the number that were started, or start "
            "one"
        )
    return fabric


def processes_here(config: TrainConfig) -> int:
    """How many processes train on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", config.run.devices))


@contextmanager
def detect_lost_ranks(fabric: Fabric) -> Iterator[None]:
    """Raises LostError where the block can no longer reach the other processes."""
    try:
        yield
    except RuntimeError as error:
        if fabric.world_size == 1 or not (isinstance(error, DistError) or "gloo" in str(error)):
            raise
        # Without the position in the library's source that the message begins with.
        reason = re.sub(r"^\[\S*\] ", "", str(error).splitlines()[0])
        raise LostError(
            f"the other processes are lost ({reason}); the state of the last epoch is kept: "
            "start all of them again with --resume"
        ) from error


def is_first() -> bool:
    """Whether this process is the one that logs and writes; known before anything is started."""
    names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
    ranks = (os.environ[name] for name in names if name in os.environ)
    return int(next(ranks, "0")) == 0


def per_rank_batch(fabric: Fabric, batch: int) -> int:
    """Samples of a batch for each process. Raises ConfigError where they cannot be shared evenly,
    2 or more each.
    """
    processes = fabric.world_size
    share, rest = divmod(batch, processes)
    if rest or share < 2:
        raise ConfigError(
            f"batch {batch} on {processes} processes: choose a multiple of {processes}, at least "
            f"{2 * processes}, as batch normalisation needs more than one image"
        )
    return share


def any_rank(fabric: Fabric, flag: bool) -> bool:
    """Whether the flag is set on any process; the same on all."""
    if fabric.world_size == 1:
        return flag
    return bool(_all_reduce(fabric, torch.tensor(float(flag))) > 0)


def broadcast_from_rank0(fabric: Fabric, value: T) -> T:
    """The first process's value, on all."""
    return value if fabric.world_size == 1 else fabric.broadcast(value)


def reduce_mean(fabric: Fabric, total: float, count: int = 1) -> float:
    """The mean of `count` values that add up to `total` here, over the values of all processes; 0
    of none.
    """
    if fabric.world_size > 1:
        sums = _all_reduce(fabric, torch.tensor([total, count], dtype=torch.float64))
        total = float(sums[0])
        count = int(sums[1])
    return total / max(1, count)


def all_reduce_counts(fabric: Fabric, confusion: PixelCounts) -> PixelCounts:
    """The counts of all processes, exactly."""
    if fabric.world_size > 1:
        confusion.counts = _all_reduce(fabric, torch.from_numpy(confusion.counts)).cpu().numpy()
        sizes = _all_reduce(fabric, torch.tensor([confusion.images, confusion.pixels]))
        confusion.images, confusion.pixels = (int(size) for size in sizes)
    return confusion


def sync_batchnorm(model: Segmenter) -> Segmenter:
    """`model` with batch normalisation over all processes' images; its modules are replaced in
    place.
    """
    # PyTorch's own conversion would lose the activations in timm's norms.
    converted: Segmenter = convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    return converted


def share_buffers(fabric: Fabric, model: nn.Module) -> None:
    """Give all processes the first one's batch normalisation statistics."""
    if fabric.world_size > 1:
        for buffer in model.buffers():
            # not by Fabric, which pickles: on the first process's GPU, wherever it is read
            torch.distributed.broadcast(buffer, src=0)


def _all_reduce(fabric: Fabric, value: Tensor) -> Tensor:
    total = fabric.all_reduce(fabric.to_device(value), reduce_op="sum")
    assert isinstance(total, Tensor)
    return total
