"""After a burst: memory that was freed goes back to the system."""

import asyncio
import gc
from collections.abc import Collection

from pixelwise.inference.tta import Runner, release_memory
from pixelwise.malloc import trim_memory
from pixelwise.serving.job_queue import JobQueue

IDLE_S = 5.0


async def release_idle_memory(queues: Collection[JobQueue], runners: Collection[Runner]) -> None:
    """For ever: once all queues have rested for IDLE_S seconds, let go of what the runners and the
    C library keep of memory.
    """
    last_count = 0
    cleaned_count = 0
    while True:
        await asyncio.sleep(IDLE_S)
        count = sum(queue.finished for queue in queues)
        idle = count == last_count and not any(queue.active for queue in queues)
        if idle and count != cleaned_count:
            cleaned_count = count
            await asyncio.to_thread(_release, runners)
        last_count = count


def _release(runners: Collection[Runner]) -> None:
    for runner in runners:
        release_memory(runner)
    gc.collect()
    trim_memory()
