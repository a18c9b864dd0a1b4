"""Training on several machines: Ray Train starts the processes that torchrun would, anew when one dies."""

import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pixelwise.cluster.engine import Cluster, connected, refuse_unfit, worker_count
from pixelwise.errors import PixelwiseError, TrainingError
from pixelwise.inference.packages import demand
from pixelwise.jobs.train import Run, claim, train
from pixelwise.monitor import Monitor
from pixelwise.training.config import TrainConfig
from pixelwise.training.history import read_history

FAILURES = 8
"""How often the processes are started anew after one of them, or its node, has died."""

SECONDS = 1.0
"""How often the driver asks what there is to say."""

MEMORY = 1 << 30
"""Bytes that a node must have for a process at least."""


@dataclass(frozen=True)
class Lesson:
    """What each process is told. `teller` is the handle of a Teller."""

    data: str
    out: str
    config: TrainConfig
    reading: Mapping[str, Any]
    teller: Any


class Teller:
    """Carries lines from the first process to the driver, and the reason why a training cannot be."""

    def __init__(self) -> None:
        self._lines, self._refusal, self._stopped = list[str](), "", False

    def say(self, text: str) -> None:
        """Keep a line for the driver."""
        self._lines.append(text)

    def take(self) -> list[str]:
        """The lines since the last call."""
        lines, self._lines = self._lines, []
        return lines

    def refuse(self, reason: str) -> None:
        """Starting anew would not help."""
        self._refusal = self._refusal or reason

    def end(self, stopped: bool) -> None:
        """Of the first process."""
        self._stopped = stopped

    def ending(self) -> tuple[str, bool]:
        """Why it cannot be, if so, and whether it was stopped early."""
        return self._refusal, self._stopped


def train_on_cluster(
    data: Path,
    out: Path,
    *,
    config: TrainConfig,
    cluster: Cluster,
    resume: bool = False,
    monitor: Monitor | None = None,
    **reading: Any,
) -> Run:
    """As `train`, with a process on each worker of a Ray cluster and a share of every batch for each.

    `data` and `out` must lie where all nodes see them. When a process or a node dies, all go on from the end of the
    last epoch, with as many processes as before, as soon as there is room for them. Raises as `train`, ConfigError
    where there is no cluster or its nodes differ, TrainingError where processes died more than FAILURES times.
    """
    monitor, data, out = monitor or Monitor(), data.absolute(), out.absolute()
    claim(out, resume)
    with connected(cluster, monitor) as ray:
        gpu = config.device == "cuda" or (config.device == "auto" and ray.cluster_resources().get("GPU", 0) >= 1)
        workers = worker_count(ray, cluster, gpu=gpu)
        out.mkdir(parents=True, exist_ok=True)
        refuse_unfit(ray, [data, out], memory=MEMORY)
        config = replace(config, device="cuda" if gpu else "cpu", devices=1)
        teller = ray.remote(num_cpus=0)(Teller).remote()
        lesson = Lesson(str(data), str(out), config, reading, teller)
        try:
            with _telling(ray, teller, monitor):
                _fit(lesson, workers, gpu=gpu, threads=cluster.threads)
        finally:
            shutil.rmtree(out / "ray", ignore_errors=True)
        refusal, stopped = ray.get(teller.ending.remote())
        if refusal:
            raise TrainingError(refusal)
    return Run(out, stopped, read_history(out / "history.csv"))


def _fit(lesson: Lesson, workers: int, *, gpu: bool, threads: int) -> None:
    parts, torch = demand("ray.train"), demand("ray.train.torch")
    trainer = torch.TorchTrainer(
        learn,
        train_loop_config={"lesson": lesson},
        scaling_config=parts.ScalingConfig(num_workers=workers, use_gpu=gpu, resources_per_worker={"CPU": threads}),
        run_config=parts.RunConfig(
            name="ray", storage_path=lesson.out, failure_config=parts.FailureConfig(max_failures=FAILURES)
        ),
    )
    try:
        trainer.fit()
    except Exception as error:  # Ray Train's errors differ between its versions
        if demand("ray").get(lesson.teller.ending.remote())[0]:
            return
        raise TrainingError(
            f"the processes died more than {FAILURES} times ({str(error).splitlines()[0]}); the best model so far is "
            f"kept: go on with --resume when the nodes are well"
        ) from error


def learn(told: Mapping[str, Any]) -> None:
    """One process's part, in an environment as torchrun's, from the run's last state on."""
    lesson: Lesson = told["lesson"]
    get = demand("ray").get
    if get(lesson.teller.ending.remote())[0]:
        return
    os.environ["TORCHELASTIC_RUN_ID"] = "ray"  # Fabric takes the processes as they are
    if lesson.config.device == "cpu":  # nodes may then hold different numbers of processes
        os.environ |= {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    try:
        run = train(
            lesson.data, lesson.out, config=lesson.config, resume=True, monitor=_Far(lesson.teller), **lesson.reading
        )
    except PixelwiseError as error:
        get(lesson.teller.refuse.remote(str(error)))
        raise
    if os.environ["RANK"] == "0":
        get(lesson.teller.end.remote(run.stopped))


class _Far(Monitor):
    """Says lines through a Teller."""

    def __init__(self, teller: Any) -> None:
        self._teller = teller

    def line(self, text: str) -> None:
        self._teller.say.remote(text)


@contextmanager
def _telling(ray: Any, teller: Any, monitor: Monitor) -> Iterator[None]:
    """What the first process says is said here while the block runs."""
    over = threading.Event()

    def listen() -> None:
        last = False
        while not last:
            last = over.wait(SECONDS)
            for line in ray.get(teller.take.remote()):
                monitor.line(line)

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
