"""How many calls run at once, which share of the cores each has, and a bounded pipeline of them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

from pixelwise.hardware import count_threads

T = TypeVar("T")
R = TypeVar("R")


# Tiles or images in work at the same time: what one waits for (disk, a runtime that takes turns)
# the others use.
WORKERS = max(2, min(4, count_threads()))


class _CallCount:
    """The calls of this process that compute at the moment, and whether more are to come."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running = 0
        self._expecting = 0

    @contextmanager
    def expect_many(self) -> Iterator[None]:
        """Calls in the block, by whichever thread, are some of many: none of them is alone."""
        with self._lock:
            self._expecting += 1
        try:
            yield
        finally:
            with self._lock:
                self._expecting -= 1

    @contextmanager
    def begin(self) -> Iterator[bool]:
        """A call; whether it is alone, so that all cores are its own."""
        with self._lock:
            self._running += 1
            alone = self._running == 1 and not self._expecting
        try:
            yield alone
        finally:
            with self._lock:
                self._running -= 1


CALLS = _CallCount()


def map_ordered(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    workers: int = WORKERS,
) -> Iterator[R]:
    """The results of `function` in the order of `items`, with up to `workers` calls running beside
    what is done with the last result. Items are taken in the caller's thread, no more of them than
    are being worked on.
    """
    with ThreadPoolExecutor(workers) as pool:
        running = deque[Future[R]]()
        try:
            for item in items:
                running.append(pool.submit(function, item))
                if len(running) > workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
