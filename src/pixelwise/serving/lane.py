"""The bounded queue in front of one model: a few threads work, the others wait, and what is too much is refused.

Waiting requests are not stacked to batches: on CPUs a stack of images takes as long as they do one by one, or longer
(benchmarks/results/serve.md), and the threads keep the processor busy without it.
"""

import copy
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from threading import Event, Lock
from typing import TypeVar

from pixelwise.errors import PixelwiseError
from pixelwise.images import Array
from pixelwise.inference.parallel import WORKERS
from pixelwise.inference.predictor import Predictor, Result
from pixelwise.inference.runners import Logits, Pixels

T = TypeVar("T")
Progress = Callable[[float], None]


class BusyError(PixelwiseError):
    """The queue is full; `seconds` is when to come again."""

    def __init__(self, held: int, seconds: int) -> None:
        super().__init__(f"{held} requests are waiting, which is all that are taken; come again in {seconds} s")
        self.seconds = seconds


class StoppedError(PixelwiseError):
    """The deadline has passed, or nobody waits for the result any more."""


class Job:
    """A place in a lane. Whoever does its work looks at `stop`."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.stop = Event()
        self.future: Future[object] | None = None
        self._pool = pool

    def start(self, work: Callable[[], T]) -> Future[T]:
        """Let a thread do `work` when one is free."""
        future = self._pool.submit(work)
        self.future = future  # type: ignore[assignment]  # Future is invariant
        return future


class Lane:
    """At most `places` jobs of `predictor` at once, those in work too."""

    def __init__(self, predictor: Predictor, *, places: int) -> None:
        self.predictor, self.places = predictor, places
        self.held = self.done = 0
        self._seconds = 0.0  # between two finished jobs under load, a moving average
        self._lock = Lock()
        self._pool = _threads()

    @contextmanager
    def place(self) -> Iterator[Job]:
        """A job's place, held until the block has ended and no thread works for it any more. Raises BusyError."""
        with self._lock:
            if self.held >= self.places:
                raise BusyError(self.held, max(1, round(self._seconds * self.held)))
            self.held += 1
        job, start = Job(self._pool), time.monotonic()
        try:
            yield job
        finally:
            job.stop.set()
            if job.future is None:
                self._leave(start)
            else:
                job.future.cancel()
                job.future.add_done_callback(lambda _: self._leave(start))

    def _leave(self, start: float) -> None:
        with self._lock:
            self._seconds = 0.9 * self._seconds + 0.1 * (time.monotonic() - start) / self.held
            self.held, self.done = self.held - 1, self.done + 1

    def predict(self, rgb: Array, stop: Event, progress: Progress | None = None) -> Result:
        """`Predictor.predict` of (H, W, 3) uint8, which raises StoppedError at the next tile once `stop` is set.

        `progress` is told the share of tiles that are done, by the threads that do them.
        """
        plan = self.predictor.plan(*rgb.shape[:2])
        total, done, runner = len(plan.rows) * len(plan.columns), count(1), self.predictor.runner

        def run(tile: Pixels) -> Logits:
            if stop.is_set():
                raise StoppedError("nobody waits for the result any more")
            logits = runner(tile)
            if progress is not None:
                progress(next(done) / total)
            return logits

        watched = copy.copy(self.predictor)
        watched.runner = run
        return watched.predict(rgb)

    def close(self) -> None:
        """Wait for the jobs in work and drop those that wait. The lane may be used again."""
        pool, self._pool = self._pool, _threads()
        pool.shutdown(cancel_futures=True)


def _threads() -> ThreadPoolExecutor:
    """One more than tiles in work: it decodes and encodes meanwhile. None is started before there is work."""
    return ThreadPoolExecutor(WORKERS + 1, thread_name_prefix="pixelwise-lane")
