"""A pool of workers that hold a model, on Ray Data: what one needs, and how rows come back from
it.
"""

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
from pixelwise.inference.load import EXPORTED
from pixelwise.models.checkpoint import model_path
from pixelwise.optional import require_package
from pixelwise.progress import Progress

PROCESS_MEMORY = 700 * 2**20
"""Bytes of a worker with PyTorch before it has a model."""


class AttemptTracker:
    """Counts how often something was begun, and the bands of each image, and knows the slowest
    unit; one for a job, where the job is.
    """

    def __init__(self) -> None:
        self._begun = Counter[str]()
        self._there = defaultdict[str, set[int]](set)
        self._pace = 0.0

    def before(self, what: str) -> int:
        """How often it was begun before this time."""
        self._begun[what] += 1
        return self._begun[what] - 1

    def through(self, what: str) -> None:
        """It has come to an end, whichever: no worker was lost over it this time, and none counts
        any more.
        """
        del self._begun[what]

    def there(self, image: str, band: int) -> int:
        """How many of an image's bands are labelled, this one among them."""
        self._there[image].add(band)
        return len(self._there[image])

    def slowest(self, pace: float) -> float:
        """The most seconds of a pixel in any unit, with this one's; 0 where none is measured."""
        self._pace = max(self._pace, pace)
        return self._pace


@dataclass(frozen=True)
class Pool:
    """workers: how many at most. needs: what Ray keeps free for each. model: its files by name, the
    one to load first, in Ray's object store. ledger: the handle of a Ledger.
    """

    workers: int
    needs: Mapping[str, Any]
    model: Any
    ledger: Any

    @classmethod
    def create(
        cls,
        ray: ModuleType,
        cluster: Cluster,
        model: Path,
        loading: Mapping[str, Any],
        shared: Sequence[Path],
    ) -> "Pool":
        """Workers for a model on a connected cluster. Raises ConfigError where a node does not see
        `shared` or cannot hold the model.
        """
        on_torch = model.suffix not in EXPORTED and loading.get("runtime", "torch") in (
            "auto",
            "torch",
        )
        gpu = on_torch and wants_gpu(ray, loading.get("device", "auto"))
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

    def run(
        self, worker: type, task: object, rows: Sequence[Mapping[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        """What the workers, each made of `task`, give for rows; a row is one call, in no order.
        Raises ConfigError where they die again and again before they are ready.
        """
        if not rows:
            return
        data = require_package("ray.data")
        # of a pool that may shrink Ray takes workers away while it does not know yet what the
        # cluster has
        compute = data.ActorPoolStrategy(size=self.workers, max_tasks_in_flight_per_actor=1)
        units = data.from_items(list(rows), override_num_blocks=len(rows))
        try:
            yield from units.flat_map(
                worker, fn_constructor_args=(task,), compute=compute, **self.needs
            ).iter_rows()
        except worker_death_errors(require_package("ray")) as error:
            raise ConfigError(
                f"the workers die ({first_line(error)}); what is written is kept: look at the "
                "nodes' memory and at "
                "Ray's logs, and run again"
            ) from error


def choose_one_runtime(
    model: Path, loading: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Options of `load` with which all workers compute alike: `auto` would measure on each
    machine.
    """
    if loading.get("runtime") != "auto" or model.suffix in EXPORTED:
        return dict(loading)
    progress.log("runtime torch: all workers must use one; --runtime openvino may be faster")
    return {**loading, "runtime": "torch"}


def _model_files(model: Path) -> dict[str, bytes]:
    """What a worker needs to load the model, the file to load first."""
    path = model if model.suffix in EXPORTED else model_path(model)
    paths = [path, *[path.with_suffix(".bin")] * (path.suffix == ".xml")]
    return {path.name: path.read_bytes() for path in paths}
