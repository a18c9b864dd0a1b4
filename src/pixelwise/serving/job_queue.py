"""A bounded queue: a few threads work, the others wait, and what is too much is refused.

Waiting requests are not stacked into batches: on CPUs a batch of images takes as long as they do
one by one, or longer (benchmarks/results/serve.md), and the threads keep the processor busy
without it.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Lock
from typing import TypeVar

from pixelwise.errors import PixelwiseError
from pixelwise.inference.threads import WORKERS

T = TypeVar("T")

MAX_RETRY_S = 60  # nobody is sent away for longer
MAX_REMEMBERED = 10_000  # refused requests whose return is counted with
SMOOTHING = 0.1  # weight of the newest job in the moving average of seconds


class BusyError(PixelwiseError):
    """The queue is full; come again in `retry_after` seconds."""

    def __init__(self, active: int, retry_after: int) -> None:
        super().__init__(
            f"{active} requests are waiting, and no more are accepted; try again in {retry_after} s"
        )
        self.retry_after = retry_after


class StoppedError(PixelwiseError):
    """Nobody waits for the result any more."""


class Job:
    """A place in a queue. `on_progress` receives shares of 0 to 1, in the threads that work."""

    def __init__(self, pool: ThreadPoolExecutor, on_done: Callable[[float], object]) -> None:
        self.future: Future[object] | None = None
        self.on_progress: Callable[[float], object] = lambda share: None
        self._pool = pool
        self._on_done = on_done
        self._stop = Event()

    def start(self, work: Callable[[], T]) -> Future[T]:
        """Let a thread do `work` when one is free."""

        def timed() -> T:
            start = time.monotonic()
            try:
                return work()
            finally:
                self._on_done(time.monotonic() - start)

        future = self._pool.submit(timed)
        self.future = future  # type: ignore[assignment]  # Future is invariant
        return future

    def stop(self) -> None:
        """Drop work that waits; work that runs stops at its next report of progress."""
        self._stop.set()
        if self.future is not None:
            self.future.cancel()

    def report_progress(self, share: float) -> None:
        """For the work: that share is done. Raises StoppedError once nobody waits for it."""
        if self._stop.is_set():
            raise StoppedError("nobody waits for the result any more")
        self.on_progress(share)


class JobQueue:
    """At most `max_jobs` at once, those in work too, done by `threads`; of `max_bytes` in all; and
    no more than are likely to be done within `max_wait_s`.

    The default is one thread more than tiles in work: it decodes and encodes meanwhile. `active`
    counts the jobs that wait or are in work, `finished` those that have left.
    """

    def __init__(
        self,
        max_jobs: int,
        *,
        threads: int = WORKERS + 1,
        max_bytes: float = math.inf,
        max_wait_s: float = math.inf,
    ) -> None:
        self.max_jobs = max_jobs
        self.threads = threads
        self.max_bytes = max_bytes
        self.max_wait_s = max_wait_s
        self.active = 0
        self.finished = 0
        self.active_bytes = 0
        self._job_seconds = 0.0  # that a thread works for a job, a moving average
        self._returns = deque[float](maxlen=MAX_REMEMBERED)  # of those refused, the next one first
        self._lock = Lock()
        self._pool = self._create_pool()

    @property
    def is_full(self) -> bool:
        """Whether there is no place for one more job."""
        return self.active >= self.max_jobs

    @contextmanager
    def acquire(self, size: int = 0) -> Iterator[Job]:
        """A job's place and its `size` in bytes, held until the block has ended and no thread works
        for it any more. Raises BusyError; the first job has a place whatever its size.
        """
        with self._lock:
            if not self._has_room(size):
                raise BusyError(self.active, self._schedule_return())
            self.active += 1
            self.active_bytes += size
        job = Job(self._pool, self._record_seconds)
        try:
            yield job
        finally:
            job.stop()
            if job.future is None:
                self._release(size)
            else:
                job.future.add_done_callback(lambda _: self._release(size))

    def close(self) -> None:
        """Wait for the jobs in work and drop those that wait. The queue may be used again."""
        pool = self._pool
        self._pool = self._create_pool()
        pool.shutdown(cancel_futures=True)

    def _create_pool(self) -> ThreadPoolExecutor:
        # its threads start only when there is work
        return ThreadPoolExecutor(self.threads, thread_name_prefix="pixelwise-job")

    def _has_room(self, size: int) -> bool:
        if self.active == 0:
            return True
        wait_s = self._job_seconds * self.active / self.threads
        in_time = self.active < self.threads or wait_s <= self.max_wait_s
        return in_time and not self.is_full and self.active_bytes + size <= self.max_bytes

    def _schedule_return(self) -> int:
        """Seconds until the active jobs, and those refused before, are done.

        Each of those refused is remembered until it comes again. One number, the last return,
        would do without the list, but in a simulation of 512 clients it refused 1.7 times as often.
        """
        now = time.monotonic()
        while self._returns and self._returns[0] <= now:
            self._returns.popleft()
        ahead = self.active + len(self._returns)
        seconds = round(self._job_seconds * ahead / self.threads)
        seconds = min(max(1, seconds), MAX_RETRY_S)
        last = self._returns[-1] if self._returns else now
        self._returns.append(max(now + seconds, last))
        return seconds

    def _record_seconds(self, seconds: float) -> None:
        with self._lock:
            self._job_seconds += SMOOTHING * (seconds - self._job_seconds)

    def _release(self, size: int) -> None:
        with self._lock:
            self.active -= 1
            self.finished += 1
            self.active_bytes -= size
