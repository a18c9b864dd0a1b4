"""A model against a data set on many machines, with the figures of one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixelwise.cluster.engine import Cluster, connect
from pixelwise.cluster.ray_executor import RayExecutor, choose_one_runtime
from pixelwise.cluster.watchdog import Watchdog
from pixelwise.cluster.worker import MAX_ATTEMPTS, call_actor, load_predictor
from pixelwise.datasets.types import DataSet, Pair
from pixelwise.errors import DataError, PixelwiseError
from pixelwise.evaluation.class_match import ClassMatch
from pixelwise.evaluation.result import Evaluation, MetricAccumulator
from pixelwise.evaluation.scoring import evaluate_image, log_class_match, summarize
from pixelwise.inference.batching import Batch, make_batches
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.sources import read_pixel_counts
from pixelwise.inference.threads import map_ordered
from pixelwise.io.images import Array
from pixelwise.progress import Progress


@dataclass(frozen=True)
class EvalTask:
    """What every worker needs: the RayExecutor's model, options of `load` and `always`, what
    `evaluate_image` takes, and the handle of an AttemptTracker.
    """

    model: Any
    loading: Mapping[str, Any]
    always: Mapping[str, Any]
    read_labels: Callable[[Path], Array]
    shared: ClassMatch
    temperature: float | None
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
        pairs = [
            Pair(str(name), Path(str(image)), Path(str(mask)))
            for name, image, mask in zip(
                batch["names"], batch["images"], batch["masks"], strict=True
            )
        ]
        numbered = zip(batch["numbers"], pairs, strict=True)
        with self._watchdog.watch(max(batch["pixels"])):
            return list(map_ordered(self._measure, numbered))

    def _measure(self, numbered: tuple[Any, Pair]) -> dict[str, Any]:
        number, pair = numbered
        task = self._task
        try:
            measures = evaluate_image(
                self._predictor, task.read_labels, task.shared, task.temperature, pair
            )
        except PixelwiseError as error:
            return _failure(str(error))
        finally:
            self._watchdog.step()
        return {"number": int(number), "result": measures}


@dataclass(frozen=True)
class ClusterScorer:
    """In place of `score`, for `evaluate`: the work is done on a cluster, and the figures are those
    of one machine.

    The metrics of each image are merged in the order of the images, so that every sum is the same
    to the last bit.
    """

    model: Path
    loading: Mapping[str, Any]
    cluster: Cluster
    always: Mapping[str, Any] = field(default_factory=dict)

    def __call__(
        self,
        predictor: Predictor,
        dataset: DataSet,
        pairs: Sequence[Pair],
        *,
        split: str,
        temperature: float | None = None,
        progress: Progress,
    ) -> Evaluation:
        """As `score`. Raises DataError where an image cannot be measured, ConfigError as
        `connect` does.
        """
        shared = log_class_match(predictor.classes, dataset, pairs, split, progress)
        with connect(self.cluster, progress) as ray:
            masks = [pair.mask for pair in pairs[:1]]
            executor = RayExecutor.create(ray, self.cluster, self.model, self.loading, masks)
            task = EvalTask(
                executor.model,
                choose_one_runtime(self.model, self.loading, progress),
                self.always,
                dataset.read_labels,
                shared,
                temperature,
                executor.attempts,
            )
            rows = executor.map(EvalWorker, task, _make_eval_batches(pairs, executor.workers))
            measures = progress.track(
                _in_order(rows),
                what=f"evaluating {split} on {executor.workers} workers",
                total=len(pairs),
            )
            return summarize(measures, shared, split, [pair.name for pair in pairs])


def _make_eval_batches(pairs: Sequence[Pair], workers: int) -> list[EvalBatch]:
    """Pairs by their numbers, weighted by pixels."""
    sizes = read_pixel_counts([str(pair.image) for pair in pairs])
    numbers = [str(number) for number in range(len(pairs))]
    return [
        EvalBatch(batch, tuple(pairs[int(number)] for number in batch.images))
        for batch in make_batches(numbers, sizes, workers=workers)
    ]


def _in_order(rows: Iterator[dict[str, Any]]) -> Iterator[MetricAccumulator]:
    """The measures by the numbers of their images, each as soon as those before it exist; once
    each.
    """
    waiting = dict[int, MetricAccumulator]()
    next_number = 0
    for row in rows:
        if row["number"] < 0:
            raise DataError(row["result"])
        if row["number"] >= next_number:
            waiting[row["number"]] = row["result"]
        while next_number in waiting:
            yield waiting.pop(next_number)
            next_number += 1


def _failure(reason: str) -> dict[str, Any]:
    return {"number": -1, "result": reason}
