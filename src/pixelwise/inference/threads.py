"""How many calls run at once, and a bounded pipeline of them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from pixelwise.hardware import count_threads

T = TypeVar("T")
R = TypeVar("R")


# Tiles or images in work at the same time: what one waits for (disk, a runtime that takes turns)
# the others use.
WORKERS = max(2, min(4, count_threads()))


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
