"""A bounded queue: a few threads work, the others wait, and what is too much is refused.

Waiting requests are not stacked to batches: on CPUs a stack of images takes as long as they do one
by one, or longer (benchmarks/results/serve.md), and the threads keep the processor busy without it.
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

PATIENCE = 60
"""Seconds that nobody is sent away for longer than."""


class BusyError(PixelwiseError):
    """The queue is full; `seconds` is when to come again."""

    def __init__(self, held: int, seconds: int) -> None:
        super().__init__(
            f"{held} requests are waiting, and no more are taken; come again in {seconds} s"
        )
        self.seconds = seconds


class StoppedError(PixelwiseError):
    """Nobody waits for the result any more."""


class Job:
    """A place in a lane. `told` hears how far its work is, 0 to 1, in the threads that do it."""

    def __init__(self, pool: ThreadPoolExecutor, took: Callable[[float], object]) -> None:
        self.future: Future[object] | None = None
        self.told: Callable[[float], object] = lambda share: None
        self._pool = pool
        self._took = took
        self._stop = Event()

    def start(self, work: Callable[[], T]) -> Future[T]:
        """Let a thread do `work` when one is free."""

        def timed() -> T:
            start = time.monotonic()
            try:
                return work()
            finally:
                self._took(time.monotonic() - start)

        future = self._pool.submit(timed)
        self.future = future  # type: ignore[assignment]  # Future is invariant
        return future

    def stop(self) -> None:
        """Drop work that waits; what runs stops where it says how far it is."""
        self._stop.set()
        if self.future is not None:
            self.future.cancel()

    def say(self, share: float) -> None:
        """For the work: so much is done. Raises StoppedError once nobody waits for it."""
        if self._stop.is_set():
            raise StoppedError("nobody waits for the result any more")
        self.told(share)


class Lane:
    """At most `places` jobs at once, those in work too, done by `threads`; of `room` bytes in all;
    and no more than are likely to be done within `seconds`.

    The default is one thread more than tiles in work: it decodes and encodes meanwhile.
    """

    def __init__(
        self,
        places: int,
        *,
        threads: int = WORKERS + 1,
        room: float = math.inf,
        seconds: float = math.inf,
    ) -> None:
        self.places = places
        self.threads = threads
        self.room = room
        self.within = seconds
        self.held = self.done = self.bytes = 0
        self._seconds = 0.0  # that a thread works for a job, a moving average
        self._sent_away = deque[float](
            maxlen=10_000
        )  # when those refused shall come again, the next one first
        self._lock = Lock()
        self._pool = self._threads()

    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(
            self.threads, thread_name_prefix="pixelwise-lane"
        )  # started when there is work

    @contextmanager
    def place(self, size: int = 0) -> Iterator[Job]:
        """A job's place and its `size` in bytes, held until the block has ended and no thread works
        for it any more. Raises BusyError; the first job has a place whatever its size.
        """
        with self._lock:
            late = (
                self.held >= self.threads and self._seconds * self.held / self.threads > self.within
            )
            if self.held >= self.places or late or (self.held and self.bytes + size > self.room):
                raise BusyError(self.held, self._again())
            self.held = self.held + 1
            self.bytes = self.bytes + size
        job = Job(self._pool, self._took)
        try:
            yield job
        finally:
            job.stop()
            if job.future is None:
                self._leave(size)
            else:
                job.future.add_done_callback(lambda _: self._leave(size))

    def _again(self) -> int:
        """Seconds until those held, and those sent away before, are done."""
        now = time.monotonic()
        while self._sent_away and self._sent_away[0] <= now:
            self._sent_away.popleft()
        seconds = self._seconds * (self.held + len(self._sent_away)) / self.threads
        seconds = min(max(1, round(seconds)), PATIENCE)
        self._sent_away.append(max(now + seconds, self._sent_away[-1] if self._sent_away else now))
        return seconds

    def _took(self, seconds: float) -> None:
        with self._lock:
            self._seconds = 0.9 * self._seconds + 0.1 * seconds

    def _leave(self, size: int) -> None:
        with self._lock:
            self.held = self.held - 1
            self.done = self.done + 1
            self.bytes = self.bytes - size

    def close(self) -> None:
        """Wait for the jobs in work and drop those that wait. The lane may be used again."""
        pool = self._pool
        self._pool = self._threads()
        pool.shutdown(cancel_futures=True)
