"""A model against a data set on many machines, with the figures of one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixelwise.cluster.engine import Cluster, connect
from pixelwise.cluster.ray_executor import RayExecutor, choose_one_runtime
from pixelwise.cluster.watchdog import Watchdog
from pixelwise.cluster.worker import MAX_ATTEMPTS, call_actor, load_predictor
from pixelwise.datasets.types import Pair
from pixelwise.errors import DataError, PixelwiseError
from pixelwise.evaluation.result import MetricAccumulator
from pixelwise.evaluation.scoring import ScoringTask, evaluate_image
from pixelwise.inference.batching import Batch, make_batches
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.sources import read_pixel_counts
from pixelwise.inference.threads import map_ordered
from pixelwise.progress import Progress


@dataclass(frozen=True)
class EvalTask:
    """What every worker needs: the RayExecutor's model, options of `load` and `always`, how images
    are scored, and the handle of an AttemptTracker.
    """

    model: Any
    loading: Mapping[str, Any]
    always: Mapping[str, Any]
    scoring: ScoringTask
    attempts: Any


@dataclass(frozen=True)
class EvalBatch:
    """Pairs that one worker measures in one go. batch: their numbers in place of images."""

    batch: Batch
    pairs: tuple[Pair, ...]

    def as_row(self) -> dict[str, object]:
        """A row of Ray Data."""
        return {
            "batch": self.batch.number,
            "numbers": [int(number) for number in self.batch.images],
            "pixels": list(self.batch.pixels),
            "names": [pair.name for pair in self.pairs],
            "images": [str(pair.image.absolute()) for pair in self.pairs],
            "masks": [str(pair.mask.absolute()) for pair in self.pairs],
        }


class EvalWorker:
    """Holds the model. Called with a row of a batch it gives a row for each image: its number, and
    its MetricAccumulator or the reason why there are none.
    """

    def __init__(self, task: EvalTask) -> None:
        self._task = task
        predictor = load_predictor(task.model, task.loading, task.attempts)
        self._predictor = predictor.always(**task.always)
        self._watchdog = Watchdog()

    def __call__(self, batch: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Measure the images of a batch, side by side."""
        earlier = call_actor(self._task.attempts.begin, f"batch {batch['batch']}")
        if earlier > MAX_ATTEMPTS:
            names = ", ".join(batch["names"])
            reason = f"workers died {MAX_ATTEMPTS + 1} times while they measured {names}"
            return [_failure(reason)]
        numbered = zip(batch["numbers"], _pairs_of(batch), strict=True)
        with self._watchdog.watch(max(batch["pixels"])):
            return list(map_ordered(self._measure, numbered))

    def _measure(self, numbered: tuple[Any, Pair]) -> dict[str, Any]:
        number, pair = numbered
        try:
            measures = evaluate_image(self._predictor, self._task.scoring, pair)
        except PixelwiseError as error:
            return _failure(str(error))
        finally:
            self._watchdog.step()
        return {"number": int(number), "result": measures}


@dataclass(frozen=True)
class ClusterExecutor:
    """Measures the images of `evaluate` on a cluster, with the figures of one machine.

    The metrics of each image come in the order of the images, so that every sum is the same to the
    last bit.
    """

    model: Path
    loading: Mapping[str, Any]
    cluster: Cluster
    always: Mapping[str, Any] = field(default_factory=dict)

    def measure(
        self,
        predictor: Predictor,
        task: ScoringTask,
        pairs: Sequence[Pair],
        *,
        progress: Progress,
    ) -> Iterator[MetricAccumulator]:
        """As `ScoringExecutor.measure`; the workers load the model themselves. Raises DataError
        where an image cannot be measured, ConfigError as `connect` does.
        """
        with connect(self.cluster, progress) as ray:
            masks = [pair.mask for pair in pairs[:1]]  # one shows whether a node sees the folder
            executor = RayExecutor.create(ray, self.cluster, self.model, self.loading, masks)
            worker_task = EvalTask(
                executor.model,
                choose_one_runtime(self.model, self.loading, progress),
                self.always,
                task,
                executor.attempts,
            )
            batches = _make_eval_batches(pairs, executor.workers)
            rows = executor.map(EvalWorker, worker_task, batches)
            what = f"evaluating {task.split} on {executor.workers} workers"
            yield from progress.track(_in_order(rows), what=what, total=len(pairs))


def _pairs_of(batch: Mapping[str, Any]) -> Iterator[Pair]:
    """The pairs of a row of Ray Data, which holds their paths as text."""
    columns = (batch["names"], batch["images"], batch["masks"])
    for name, image, mask in zip(*columns, strict=True):
        yield Pair(str(name), Path(str(image)), Path(str(mask)))


def _make_eval_batches(pairs: Sequence[Pair], workers: int) -> list[EvalBatch]:
    """Pairs by their numbers, weighted by pixels."""
    sizes = read_pixel_counts([str(pair.image) for pair in pairs])
    # Numbers, as two pairs may share a name, and as the order of the images is that of the sums.
    numbers = [str(number) for number in range(len(pairs))]
    batches = []
    for batch in make_batches(numbers, sizes, workers=workers):
        members = tuple(pairs[int(number)] for number in batch.images)
        batches.append(EvalBatch(batch, members))
    return batches


def _in_order(rows: Iterator[dict[str, Any]]) -> Iterator[MetricAccumulator]:
    """The measures by the numbers of their images, each as soon as those before it exist; once
    each.
    """
    waiting = dict[int, MetricAccumulator]()
    next_number = 0
    for row in rows:
        if row["number"] < 0:
            raise DataError(row["result"])
        # A batch whose worker died is measured again: no image may be counted twice.
        if row["number"] >= next_number:
            waiting[row["number"]] = row["result"]
        while next_number in waiting:
            yield waiting.pop(next_number)
            next_number += 1


def _failure(reason: str) -> dict[str, Any]:
    return {"number": -1, "result": reason}
