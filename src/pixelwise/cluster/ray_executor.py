"""Workers that hold a model, on Ray Data: what each needs, and how rows come back from them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pixelwise.cluster.engine import (
    Cluster,
    check_nodes,
    start_on_driver_node,
    wants_gpu,
    worker_count,
    worker_death_errors,
)
from pixelwise.errors import ConfigError, first_line
from pixelwise.models.checkpoint import model_path
from pixelwise.models.file_kinds import is_exported
from pixelwise.optional import require_package
from pixelwise.progress import Progress

# Bytes of a worker with PyTorch before it has a model.
PROCESS_MEMORY = 700 * 2**20


class AttemptTracker:
    """Counts attempts, and the row chunks of each image, and knows the slowest batch; one for a
    job, where the job is.
    """

    def __init__(self) -> None:
        self._attempts = Counter[str]()
        self._chunks = defaultdict[str, set[int]](set)
        self._pace = 0.0

    def begin(self, what: str) -> int:
        """How many attempts at it there were before this one."""
        self._attempts[what] += 1
        return self._attempts[what] - 1

    def end(self, what: str) -> None:
        """It has come to an end, whichever: no worker was lost over it this time, and earlier
        attempts count no more.
        """
        del self._attempts[what]

    def count_chunks(self, image: str, chunk: int) -> int:
        """How many of an image's row chunks are labelled, this one among them."""
        self._chunks[image].add(chunk)
        return len(self._chunks[image])

    def slowest_pace(self, pace: float) -> float:
        """The most seconds of a pixel in any batch, with this one's; 0 where none is measured."""
        self._pace = max(self._pace, pace)
        return self._pace


@dataclass(frozen=True)
class RayExecutor:
    """Workers on the nodes of a Ray cluster, as `pixelwise.inference.executor.Executor`.

    workers: how many at most. needs: what Ray keeps free for each. model: its files by name, the
    one to load first, in Ray's object store. attempts: the handle of an AttemptTracker.
    """

    workers: int
    needs: Mapping[str, Any]
    model: Any
    attempts: Any

    @classmethod
    def create(
        cls,
        ray: ModuleType,
        cluster: Cluster,
        model: Path,
        loading: Mapping[str, Any],
        shared: Sequence[Path],
    ) -> "RayExecutor":
        """Workers for a model on a connected cluster. Raises ConfigError where a node does not see
        `shared` or cannot hold the model.
        """
        gpu = _runs_on_torch(model, loading) and wants_gpu(ray, loading.get("device", "auto"))
        files = _model_files(model)
        memory = PROCESS_MEMORY + 3 * sum(map(len, files.values()))
        check_nodes(ray, shared, memory=memory)
        needs = {"num_cpus": cluster.threads, "num_gpus": int(gpu), "memory": memory}
        return cls(
            worker_count(ray, cluster, gpu=gpu),
            needs,
            ray.put(files),
            start_on_driver_node(ray, AttemptTracker),
        )

    def map(self, worker: type, task: Any, batches: Sequence[Any]) -> Iterator[dict[str, Any]]:
        """What the workers, each made of `task`, give for batches, in no order; each is handed the
        batch's `as_row`. Raises ConfigError where they die again and again before they are ready.
        """
        if not batches:
            return
        data = require_package("ray.data")
        # of a pool that may shrink Ray takes workers away while it does not know yet what the
        # cluster has
        compute = data.ActorPoolStrategy(size=self.workers, max_tasks_in_flight_per_actor=1)
        rows = [batch.as_row() for batch in batches]
        items = data.from_items(rows, override_num_blocks=len(rows))
        results = items.flat_map(worker, fn_constructor_args=(task,), compute=compute, **self.needs)
        try:
            yield from results.iter_rows()
        except worker_death_errors(require_package("ray")) as error:
            raise ConfigError(
                f"the workers die ({first_line(error)}); what is written is kept: look at the "
                "nodes' memory and at Ray's logs, and run again"
            ) from error


def _runs_on_torch(model: Path, loading: Mapping[str, Any]) -> bool:
    """Whether PyTorch runs the model: other runtimes are for CPUs alone."""
    runtime = loading.get("runtime", "torch")
    return not is_exported(model) and runtime in ("auto", "torch")


def choose_one_runtime(
    model: Path, loading: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Options of `load` with which all workers compute alike: `auto` would measure on each
    machine.
    """
    if loading.get("runtime") != "auto" or is_exported(model):
        return dict(loading)
    progress.log("runtime torch: all workers must use one; --runtime openvino may be faster")
    return {**loading, "runtime": "torch"}


def _model_files(model: Path) -> dict[str, bytes]:
    """What a worker needs to load the model, the file to load first."""
    path = model if is_exported(model) else model_path(model)
    paths = [path, *[path.with_suffix(".bin")] * (path.suffix == ".xml")]
    return {path.name: path.read_bytes() for path in paths}
