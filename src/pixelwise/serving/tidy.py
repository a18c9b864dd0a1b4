"""After a burst: memory that was freed goes back to the system."""

import asyncio
import ctypes
import gc
import sys
from collections.abc import Collection
from contextlib import suppress

from pixelwise.inference.runners import Runner, release
from pixelwise.serving.lane import Lane

SECONDS = 5.0
_ARENA_MAX = -8
"""glibc's M_ARENA_MAX (malloc.h)."""


def share_memory() -> None:
    """One heap for all threads to come, where the C library is glibc: what a thread frees the others use.

    Of a burst of large pictures, with a heap for each thread, twice as much stays (benchmarks/results/serve.md).
    """
    _of_libc("mallopt", _ARENA_MAX, 1)


async def tidy(lanes: Collection[Lane], runners: Collection[Runner]) -> None:
    """For ever: once all lanes have rested for SECONDS, let go of what the runners and the C library keep of memory."""
    before = swept = 0
    while True:
        await asyncio.sleep(SECONDS)
        done = sum(lane.done for lane in lanes)
        if done == before != swept and not any(lane.held for lane in lanes):
            swept = done
            await asyncio.to_thread(_release, runners)
        before = done


def _release(runners: Collection[Runner]) -> None:
    for runner in runners:
        release(runner)
    gc.collect()
    _of_libc("malloc_trim", 0)


def _of_libc(function: str, *numbers: int) -> None:
    if sys.platform == "linux":
        with suppress(AttributeError):  # musl has none
            getattr(ctypes.CDLL(None), function)(*numbers)
