import threading
import time
from contextlib import ExitStack

import pytest

from pixelwise.serving.job_queue import BusyError, JobQueue, StoppedError

from .conftest import wait_until


def test_a_place_is_held_until_its_thread_has_ended() -> None:
    queue = JobQueue(1)
    open_ = threading.Event()
    reached = threading.Event()

    def work() -> None:
        reached.set()
        assert open_.wait(10)
        job.report_progress(0.5)

    with queue.acquire() as job:
        future = job.start(work)
        assert reached.wait(10)
    with pytest.raises(BusyError), queue.acquire():
        pass
    open_.set()
    wait_until(lambda: queue.active == 0)
    with pytest.raises(StoppedError):
        future.result()
    queue.close()


def test_more_than_can_be_done_in_time_is_not_taken() -> None:
    queue = JobQueue(100, threads=1, max_wait_s=0.02)
    with queue.acquire() as job:
        job.start(lambda: time.sleep(0.3)).result()  # so 0.03 s by the moving average
        with pytest.raises(BusyError), queue.acquire():
            pass
    wait_until(lambda: queue.active == 0)
    with queue.acquire(), pytest.raises(BusyError), queue.acquire():
        pass


def test_files_of_more_bytes_than_there_is_room_for_are_not_taken_but_one_always_is() -> None:
    queue = JobQueue(100, max_bytes=10)
    with queue.acquire(30), pytest.raises(BusyError), queue.acquire(1):
        pass
    with queue.acquire(6), queue.acquire(4), pytest.raises(BusyError), queue.acquire(1):
        pass
    assert (queue.active, queue.active_bytes) == (0, 0)


def test_when_to_come_again_follows_from_the_work_and_not_from_the_waiting() -> None:
    queue = JobQueue(150, threads=1)
    with ExitStack() as places:
        for _ in range(150):
            places.enter_context(queue.acquire()).start(lambda: time.sleep(0.005))
        wait_until(lambda: queue.finished == 0 and queue.active == 150)
        queue._pool.submit(
            int
        ).result()  # all are done: the last ones waited for 150 times as long as they worked
    wait_until(lambda: queue.active == 0)
    with ExitStack() as places:
        for _ in range(150):
            places.enter_context(queue.acquire())
        with pytest.raises(BusyError) as refused:
            places.enter_context(queue.acquire())
    assert refused.value.retry_after <= 3


def test_those_sent_away_are_asked_to_come_again_one_after_the_other() -> None:
    queue = JobQueue(1)
    times = []
    with queue.acquire() as job:
        job.start(lambda: time.sleep(0.3)).result()
        for _ in range(200):
            with pytest.raises(BusyError) as refused, queue.acquire():
                pass
            times.append(refused.value.retry_after)
    assert times == sorted(times)
    assert times[0] == 1
    assert (
        1 < times[-1] <= 60
    )  # 200 jobs that take a third of a second of three threads, by a mean that begins at zero
