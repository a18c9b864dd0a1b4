"""Training on several machines: Ray Train starts the processes that torchrun would, anew when one
dies.
"""

import math
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pixelwise.cluster.engine import (
    Cluster,
    check_nodes,
    connect,
    start_on_driver_node,
    wants_gpu,
    worker_count,
)
from pixelwise.cluster.log_relay import LogRelay
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import PixelwiseError, TrainingError, first_line
from pixelwise.optional import require_package
from pixelwise.progress import Progress
from pixelwise.training.config import TrainConfig
from pixelwise.training.distributed import LostError
from pixelwise.training.history import read_history
from pixelwise.training.run import Run, claimed, take_part, told_apart

FAILURES = 8
"""How often the processes are started anew after one of them, or its node, has died."""

SECONDS = 1.0
"""How often the driver asks what there is to say."""

MEMORY = 1 << 30
"""Bytes that a node must have for a process at least."""


@dataclass(frozen=True)
class TrainTask:
    """What each process is told. `teller` is the handle of a Teller."""

    data: Path
    run: Path
    config: TrainConfig
    reading: DataOptions
    teller: Any


def train_on_cluster(
    data: str | Path,
    out: str | Path,
    *,
    cluster: Cluster,
    config: TrainConfig | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Run:
    """As `train`, with a process on each worker of a Ray cluster and a share of every batch for
    each.

    `data` and `out` must lie where all nodes see them. When a process or a node dies, all go on
    from the end of the last epoch, with as many processes as before, as soon as there is room for
    them. Raises as `train`, ConfigError where there is no cluster or its nodes differ,
    TrainingError where processes died more than FAILURES times.
    """
    progress = progress or Progress()
    data = Path(data).absolute()
    run = Path(out).absolute()
    config, reading = told_apart(config, options)
    with claimed(run, resume), connect(cluster, progress) as ray:
        gpu = wants_gpu(ray, config.device)
        workers = worker_count(ray, cluster, gpu=gpu)
        named = _files(config)
        check_nodes(ray, [data, run, *map(Path, named.values())], memory=MEMORY)
        config = replace(config, device="cuda" if gpu else "cpu", devices=1, **named)
        teller = start_on_driver_node(ray, LogRelay)
        lesson = TrainTask(data, run, config, reading, teller)
        # in a thread of its own, where Ray Train leaves Ctrl-C alone
        work = ThreadPoolExecutor(1).submit(_fit, lesson, workers, gpu=gpu, threads=cluster.threads)
        _tell(ray, teller, progress, work)
        refusal, stopped = ray.get(teller.ending.remote())
    if refusal:
        raise TrainingError(refusal)
    return Run(run, stopped, read_history(run / "history.csv"))


def _files(config: TrainConfig) -> dict[str, Any]:
    """The files that a config names, by its fields, as they are called from anywhere."""
    given = {name: Path(getattr(config, name) or "none") for name in ("start", "weights")}
    named = {
        name: path
        for name, path in given.items()
        if path.name not in ("auto", "none") and path.exists()
    }
    return {name: str(path.absolute()) for name, path in named.items()}


def _fit(lesson: TrainTask, workers: int, *, gpu: bool, threads: int) -> None:
    """Returns when all processes are through, or one has found that the training cannot be."""
    parts = require_package("ray.train")
    torch = require_package("ray.train.torch")
    notes = lesson.run / "ray"
    shutil.rmtree(notes, ignore_errors=True)  # Ray Train's own, of a driver that was killed
    trainer = torch.TorchTrainer(
        train_loop_per_worker,
        train_loop_config={"lesson": lesson},
        torch_config=torch.TorchConfig(timeout_s=math.ceil(lesson.config.timeout)),
        scaling_config=parts.ScalingConfig(
            num_workers=workers, use_gpu=gpu, resources_per_worker={"CPU": threads}
        ),
        run_config=parts.RunConfig(
            name=notes.name,
            storage_path=str(lesson.run),
            failure_config=parts.FailureConfig(max_failures=FAILURES),
        ),
    )
    try:
        trainer.fit()
    except parts.TrainingFailedError as error:
        if not require_package("ray").get(lesson.teller.ending.remote())[0]:
            raise TrainingError(
                f"the processes died {FAILURES + 1} times ({_cause(error)}); go on with "
                "--resume when the nodes are "
                "well: the state of the last epoch is kept"
            ) from error
    finally:
        shutil.rmtree(notes, ignore_errors=True)


def train_loop_per_worker(told: Mapping[str, Any]) -> None:
    """One process's part, in an environment as torchrun's, from the run's last state on."""
    lesson: TrainTask = told["lesson"]
    teller = lesson.teller
    first = os.environ["RANK"] == "0"
    get = require_package("ray").get
    if get(teller.ending.remote())[0]:
        return
    os.environ["TORCHELASTIC_RUN_ID"] = "ray"  # Fabric takes the processes as they are
    if lesson.config.device == "cpu":  # nodes may then hold different numbers of processes
        os.environ |= {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    far = _Far(teller)
    if first:
        far.log(f"training begins in {os.environ['WORLD_SIZE']} processes")
    try:
        run = take_part(
            lesson.data, lesson.run, lesson.config, lesson.reading, resume=True, progress=far
        )
    except LostError:
        raise
    except PixelwiseError as error:
        get(teller.refuse.remote(str(error)))
        raise
    if first:
        get(teller.end.remote(run.stopped))


class _Far(Progress):
    """Says lines through a Teller."""

    def __init__(self, teller: Any) -> None:
        self._teller = teller

    def log(self, text: str) -> None:
        self._teller.say.remote(text)


def _tell(ray: Any, teller: Any, progress: Progress, work: "Future[None]") -> None:
    """Say what the processes say until the work is done. Raises as it does."""
    over = False
    while not over:
        over = bool(wait([work], SECONDS).done)
        for line in ray.get(teller.take.remote()):
            progress.log(line)
    work.result()


def _cause(error: Exception) -> str:
    """The first process's, in a line."""
    failures = getattr(error, "worker_failures", None)
    return first_line(next(iter(failures.values())) if failures else error)
