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


_MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of glibc's malloc.h."""


def return_large_blocks() -> None:
    """From now on, blocks of a megabyte and more go back to the system as soon as they are freed.

    Otherwise glibc keeps freed ones of up to 32 MiB in the arenas of threads (mallopt(3)), and pictures of many sizes
    leave gaps between what lives on: twice the memory after a burst (benchmarks/results/serve.md).
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # musl has none
            ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 1 << 20)


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
    if sys.platform == "linux":
        with suppress(AttributeError):  # musl has none
            ctypes.CDLL(None).malloc_trim(0)
