"""A model against a data set on many machines, with the figures of one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixelwise.cluster.batching import deal
from pixelwise.cluster.engine import Cluster, connected
from pixelwise.cluster.pool import Pool, one_runtime
from pixelwise.cluster.sources import weights
from pixelwise.cluster.watchdog import Watch
from pixelwise.cluster.worker import TRIES, begun_before, held
from pixelwise.datasets.types import DataSet, Pair
from pixelwise.errors import DataError, PixelwiseError
from pixelwise.evaluation.class_match import ClassMatch
from pixelwise.evaluation.result import Evaluation, MetricAccumulator
from pixelwise.evaluation.scoring import evaluate_image, log_class_match, summarize
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.threads import map_ordered
from pixelwise.io.images import Array
from pixelwise.progress import Progress


@dataclass(frozen=True)
class Task:
    """What every worker needs: the Pool's model, options of `load` and `always`, and what
    `evaluate_image` takes.
    """

    model: Any
    loading: Mapping[str, Any]
    always: Mapping[str, Any]
    read_labels: Callable[[Path], Array]
    shared: ClassMatch
    temperature: float | None
    ledger: Any


class Judge:
    """Holds the model. Called with a row of a unit it gives a row for each image: its number, and
    its MetricAccumulator or the reason why there are none.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._predictor = held(task.model, task.loading, task.ledger).always(**task.always)
        self._watch = Watch()

    def __call__(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Measure the images of a unit, side by side."""
        if begun_before(self._task.ledger, f"unit {row['unit']}") > TRIES:
            return [
                _row(
                    -1,
                    f"workers died {TRIES + 1} times while they measured {', '.join(row['names'])}",
                )
            ]
        pairs = zip(row["numbers"], row["names"], row["images"], row["masks"], strict=True)
        with self._watch.over(max(row["pixels"])):
            return list(map_ordered(self._measured, pairs))

    def _measured(self, given: tuple[Any, str, str, str]) -> dict[str, Any]:
        number, name, image, mask = given
        task = self._task
        pair = Pair(str(name), Path(str(image)), Path(str(mask)))
        try:
            return _row(
                int(number),
                evaluate_image(
                    self._predictor, task.read_labels, task.shared, task.temperature, pair
                ),
            )
        except PixelwiseError as error:
            return _row(-1, str(error))
        finally:
            self._watch.step()


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
        `connected` does.
        """
        shared = log_class_match(predictor.classes, dataset, pairs, split, progress)
        with connected(self.cluster, progress) as ray:
            pool = Pool.of(
                ray, self.cluster, self.model, self.loading, [pair.mask for pair in pairs[:1]]
            )
            loading = one_runtime(self.model, self.loading, progress)
            task = Task(
                pool.model,
                loading,
                self.always,
                dataset.read_labels,
                shared,
                temperature,
                pool.ledger,
            )
            found = _in_order(pool.run(Judge, task, _units(pairs, pool.workers)))
            tracked = progress.track(
                found, what=f"evaluating {split} on {pool.workers} workers", total=len(pairs)
            )
            return summarize(tracked, shared, split, [pair.name for pair in pairs])


def _units(pairs: Sequence[Pair], workers: int) -> list[dict[str, Any]]:
    """Rows for workers: pairs by their numbers, weighted by pixels."""
    sizes = weights([str(pair.image) for pair in pairs])
    rows = list[dict[str, Any]]()
    for unit in deal([str(number) for number in range(len(pairs))], sizes, workers=workers):
        numbers = [int(number) for number in unit.images]
        chosen = [pairs[number] for number in numbers]
        rows.append(
            {
                "unit": unit.number,
                "numbers": numbers,
                "pixels": list(unit.pixels),
                "names": [pair.name for pair in chosen],
                "images": [str(pair.image.absolute()) for pair in chosen],
                "masks": [str(pair.mask.absolute()) for pair in chosen],
            }
        )
    return rows


def _in_order(rows: Iterator[dict[str, Any]]) -> Iterator[MetricAccumulator]:
    """The measures by the numbers of their images, each as soon as those before it are there; once
    each.
    """
    waiting = dict[int, MetricAccumulator]()
    following = 0
    for row in rows:
        if row["number"] < 0:
            raise DataError(row["found"])
        if row["number"] >= following:
            waiting[row["number"]] = row["found"]
        while following in waiting:
            yield waiting.pop(following)
            following += 1


def _row(number: int, found: MetricAccumulator | str) -> dict[str, Any]:
    return {"number": number, "found": found}
