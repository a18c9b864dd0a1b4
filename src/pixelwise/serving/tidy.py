"""After a burst: memory that was freed goes back to the system."""

import asyncio
import ctypes
import gc
import sys
from collections.abc import Collection
from contextlib import suppress

from pixelwise.serving.lane import Lane

SECONDS = 2.0


async def tidy(lanes: Collection[Lane]) -> None:
    """For ever: once all lanes have come to rest, let go of what the C library keeps of freed memory.

    glibc keeps freed blocks of up to 32 MiB in each thread's arena (mallopt(3), M_MMAP_THRESHOLD).
    """
    before = 0
    while True:
        await asyncio.sleep(SECONDS)
        done = sum(lane.done for lane in lanes)
        if done != before and not any(lane.held for lane in lanes):
            before = done
            await asyncio.to_thread(_release)


def _release() -> None:
    gc.collect()
    if sys.platform == "linux":
        with suppress(AttributeError):  # musl has none
            ctypes.CDLL(None).malloc_trim(0)
