"""Training on several machines: Ray Train starts the processes that torchrun would, again when one
dies.
"""

import math
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
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
from pixelwise.errors import ConfigError, PixelwiseError, TrainingError, first_line
from pixelwise.malloc import retain_memory
from pixelwise.notebook_progress import default_progress
from pixelwise.optional import require_package
from pixelwise.progress import Progress
from pixelwise.training.check_options import check_target_options
from pixelwise.training.config import TrainConfig
from pixelwise.training.distributed import LostError
from pixelwise.training.history import read_history
from pixelwise.training.recipes import split_options
from pixelwise.training.run import Run, lock_run_folder, train_worker

# How often the processes are started again after one of them, or its node, has died.
MAX_FAILURES = 8

# How often the driver asks for new lines.
POLL_S = 1.0

# Bytes that a node must have for a process at least.
MIN_MEMORY = 1 << 30


@dataclass(frozen=True)
class TrainTask:
    """What each process needs. relay: the handle of a LogRelay."""

    data: Path
    run: Path
    config: TrainConfig
    reading: DataOptions
    relay: Any


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
    TrainingError where processes died more than MAX_FAILURES times.
    """
    progress = progress or default_progress()
    data = Path(data).absolute()
    run = Path(out).absolute()
    config, reading = split_options(config, options)
    if config.data.unlabelled is not None:
        raise ConfigError(
            "unlabelled on a cluster: self-training runs in one process; leave out --cluster, or "
            "train without the pool"
        )
    if reading.multilabel:
        raise ConfigError(
            "multilabel on a cluster: classes that overlap are learned on one machine; leave out "
            "--cluster, or multilabel"
        )
    check_target_options(config, reading)
    with lock_run_folder(run, resume), connect(cluster, progress) as ray:
        gpu = wants_gpu(ray, config.run.device)
        workers = worker_count(ray, cluster, gpu=gpu)
        files = _files(config)
        check_nodes(ray, [data, run, *_paths(files)], memory=MIN_MEMORY)
        config = config.with_options(device="cuda" if gpu else "cpu", devices=1, **files)
        relay = start_on_driver_node(ray, LogRelay)
        task = TrainTask(data, run, config, reading, relay)
        # in a thread of its own, where Ray Train leaves Ctrl-C alone
        work = ThreadPoolExecutor(1).submit(_fit, task, workers, gpu=gpu, threads=cluster.threads)
        _relay_logs(ray, relay, progress, work)
        failure, stopped = ray.get(relay.outcome.remote())
    if failure:
        raise TrainingError(failure)
    return Run(run, stopped, read_history(run / "history.csv"))


def _files(config: TrainConfig) -> dict[str, Any]:
    """The files that a config names, by its fields, as they are called from anywhere."""
    files = dict[str, Any]()
    for name in ("start", "weights"):
        path = Path(getattr(config.model, name) or "none")
        if path.name not in ("auto", "none") and path.exists():
            files[name] = str(path.absolute())
    teachers = [Path(name) for name in config.optim.teacher]
    if any(path.exists() for path in teachers):
        files["teacher"] = tuple(
            str(path.absolute()) if path.exists() else str(path) for path in teachers
        )
    return files


def _paths(files: dict[str, Any]) -> list[Path]:
    """Those of `_files` that lie on the driver's disk."""
    names = [*files.get("teacher", ()), *(files[name] for name in files if name != "teacher")]
    return [Path(name) for name in names if Path(name).is_absolute()]


def _fit(task: TrainTask, workers: int, *, gpu: bool, threads: int) -> None:
    """Returns when all processes are through, or one has found that the training cannot be."""
    ray_train = require_package("ray.train")
    torch = require_package("ray.train.torch")
    ray_folder = task.run / "ray"
    shutil.rmtree(ray_folder, ignore_errors=True)  # Ray Train's own, of a driver that was killed
    scaling = ray_train.ScalingConfig(
        num_workers=workers, use_gpu=gpu, resources_per_worker={"CPU": threads}
    )
    run_config = ray_train.RunConfig(
        name=ray_folder.name,
        storage_path=str(task.run),
        failure_config=ray_train.FailureConfig(max_failures=MAX_FAILURES),
    )
    trainer = torch.TorchTrainer(
        train_loop_per_worker,
        train_loop_config={"task": task},
        torch_config=torch.TorchConfig(timeout_s=math.ceil(task.config.run.timeout)),
        scaling_config=scaling,
        run_config=run_config,
    )
    try:
        trainer.fit()
    except ray_train.TrainingFailedError as error:
        if not require_package("ray").get(task.relay.outcome.remote())[0]:
            raise TrainingError(
                f"the processes died {MAX_FAILURES + 1} times ({_cause(error)}); go on with "
                "--resume when the nodes are "
                "well: the state of the last epoch is kept"
            ) from error
    finally:
        shutil.rmtree(ray_folder, ignore_errors=True)


def train_loop_per_worker(config: Mapping[str, Any]) -> None:
    """One process's part, in an environment as torchrun's, from the run's last state on."""
    task: TrainTask = config["task"]
    relay = task.relay
    is_first = os.environ["RANK"] == "0"
    get = require_package("ray").get
    if get(relay.outcome.remote())[0]:
        return
    os.environ["TORCHELASTIC_RUN_ID"] = "ray"  # Fabric takes the processes as they are
    if task.config.run.device == "cpu":  # nodes may then hold different numbers of processes
        os.environ |= {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    relay_progress = _RelayProgress(relay)
    if is_first:
        relay_progress.log(f"training begins in {os.environ['WORLD_SIZE']} processes")
    try:
        with retain_memory():
            run = train_worker(
                task.data, task.run, task.config, task.reading, resume=True, progress=relay_progress
            )
    except LostError:
        raise
    except PixelwiseError as error:
        get(relay.fail.remote(str(error)))
        raise
    if is_first:
        get(relay.finish.remote(run.stopped))


class _RelayProgress(Progress):
    """Logs lines through a LogRelay."""

    def __init__(self, relay: Any) -> None:
        self._relay = relay

    def log(self, text: str) -> None:
        self._relay.log.remote(text)


def _relay_logs(ray: Any, relay: Any, progress: Progress, work: "Future[None]") -> None:
    """Log the processes' lines until the work is done. Raises as it does."""
    is_done = False
    while not is_done:
        is_done = bool(wait([work], POLL_S).done)
        for line in ray.get(relay.take_lines.remote()):
            progress.log(line)
    work.result()


def _cause(error: Exception) -> str:
    """The first process's, in a line."""
    failures = getattr(error, "worker_failures", None)
    return first_line(next(iter(failures.values())) if failures else error)
