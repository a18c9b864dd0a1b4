"""Who works on batches of images: threads of this process here, a Ray cluster in its own room."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from pixelwise.inference.batching import Batch
from pixelwise.inference.threads import map_ordered

# What became of an image, as `new_row` makes it.
Row = dict[str, Any]

# A row, or what is to be called for it while no other such image is in work.
Result = Row | Callable[[], Row]


class Executor(Protocol):
    """Runs workers: each is made once of a `task`, and called with a batch it gives a row for each
    of its images.
    """

    def map(self, worker: Any, task: Any, batches: Sequence[Batch]) -> Iterator[Row]:
        """The rows of all batches."""


class ThreadExecutor:
    """Batches side by side in threads of this process, their rows in order.

    What a worker hands back to be called later runs in the caller's thread, one at a time.
    """

    def map(
        self,
        worker: Callable[[Any], Callable[[Batch], list[Result]]],
        task: Any,
        batches: Sequence[Batch],
    ) -> Iterator[Row]:
        """As `Executor.map`; what a worker raises ends the job."""
        work = worker(task)
        for results in map_ordered(work, batches):
            for result in results:
                yield result() if callable(result) else result
