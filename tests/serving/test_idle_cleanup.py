import asyncio

import pytest

from pixelwise.serving import create_app
from pixelwise.serving.idle_cleanup import release_idle_memory
from pixelwise.serving.job_queue import JobQueue

from .conftest import by_brightness, predictor_of


def test_a_server_at_rest_only_waits_for_its_cleanup() -> None:
    app = create_app({"a": predictor_of()})

    async def at_rest() -> set[str]:
        async with app.router.lifespan_context(app):
            await asyncio.sleep(0)
            return {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]

    running = asyncio.run(at_rest())
    assert {name for name in running if "at_rest" not in name} == {"release_idle_memory"}


def test_memory_is_released_once_the_queues_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kept:
        swept = 0

        def release_memory(self) -> None:
            self.swept += 1

    monkeypatch.setattr("pixelwise.serving.idle_cleanup.IDLE_S", 0.05)
    queue = JobQueue(2)
    runner = Kept()

    async def burst() -> None:
        task = asyncio.create_task(release_idle_memory([queue], [runner, by_brightness]))
        await asyncio.sleep(0.2)
        assert runner.swept == 0
        with queue.acquire():
            await asyncio.sleep(0.2)
            assert runner.swept == 0
        await asyncio.sleep(0.5)
        task.cancel()

    asyncio.run(burst())
    assert runner.swept == 1
    queue.close()
