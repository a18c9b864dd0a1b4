"""After a burst: memory that was freed goes back to the system."""

import asyncio
import gc
from collections.abc import Collection

from pixelwise.inference.tta import Runner, release_memory
from pixelwise.malloc import trim_memory
from pixelwise.serving.job_queue import Lane

SECONDS = 5.0


async def tidy(lanes: Collection[Lane], runners: Collection[Runner]) -> None:
    """For ever: once all lanes have rested for SECONDS, let go of what the runners and the C
    library keep of memory.
    """
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
        release_memory(runner)
    gc.collect()
    trim_memory()
