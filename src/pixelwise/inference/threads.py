"""How many calls run at once, and a bounded pipeline of them."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Processor cores to use: OMP_NUM_THREADS where it is set, those this process may run on
    otherwise.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    return allowed_cores()


def allowed_cores() -> int:
    """Processor cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


WORKERS = max(2, min(4, cores()))
"""Tiles or images in work at the same time: what one waits for (disk, a runtime that takes turns)
the others use.
"""


def ahead(function: Callable[[T], R], items: Iterable[T], *, workers: int = WORKERS) -> Iterator[R]:
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
