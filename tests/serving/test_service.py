"""Under load on a real server: what is full, late or left, and what is given back afterwards."""

import asyncio
import gc
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager

import numpy as np
import pytest

from pixelwise.inference.threads import WORKERS
from pixelwise.serving import Settings, create_app
from pixelwise.serving.client import Client, ServerError
from pixelwise.serving.idle_cleanup import release_idle_memory
from pixelwise.serving.job_queue import BusyError, JobQueue, StoppedError
from pixelwise.serving.service import MAX_STYLE_JOBS

from .conftest import Gate, by_brightness, file_of, live, pixels, predictor_of

Lines = Generator[tuple[int, dict]]
EDGE = b"--e\r\n"
HEAD = EDGE + b'Content-Disposition: form-data; name="image"; filename="a"\r\n\r\n'


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def sent(port: int, body: bytes, length: int | None = None) -> socket.socket:
    """A connection on which that much of a request is sent; chunked where no length is given."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    size = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    head = (
        b"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; "
        b"boundary=e\r\n" + size
    )
    connection.sendall(head + b"\r\n\r\n" + body)
    return connection


def answered(connection: socket.socket) -> tuple[int, dict]:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, json.loads(answer.read())["error"]


def held(port: int) -> int:
    text = Client(f"http://127.0.0.1:{port}")._request("/metrics").decode()
    return int(
        float(
            next(line for line in text.splitlines() if line.startswith("pixelwise_held{")).split()[
                -1
            ]
        )
    )


def full_body(image: bytes) -> bytes:
    return HEAD + image + b"\r\n--e--\r\n"


def test_a_full_queue_says_when_to_come_again_and_is_free_afterwards(gate: Gate) -> None:
    with live(create_app({"a": predictor_of(gate)}, Settings(queue=2))) as port:
        body = full_body(file_of(pixels()))
        first = [sent(port, body, len(body)) for _ in range(2)]
        until(lambda: held(port) == 2)
        client = Client(f"http://127.0.0.1:{port}")
        with pytest.raises(ServerError) as refused:
            client.labels(pixels())
        assert (refused.value.status, refused.value.code) == (503, "queue_full")
        assert (refused.value.retry_after or 0) >= 1
        with pytest.raises(ServerError) as unready:
            client._request("/readyz")
        assert unready.value.status == 503
        gate.open.set()
        for connection in first:
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert (answer.status, answer.read()[:4]) == (200, b"\x89PNG")
            connection.close()
        until(lambda: held(port) == 0)
        assert client.labels(pixels()).shape == pixels().shape[:2]


def test_who_leaves_while_waiting_is_never_computed(gate: Gate) -> None:
    with live(create_app({"a": predictor_of(gate)})) as port:
        body = full_body(file_of(pixels()))
        working = [sent(port, body, len(body)) for _ in range(WORKERS + 1)]
        until(lambda: gate.tiles == WORKERS)
        waiting = [sent(port, body, len(body)) for _ in range(3)]
        until(lambda: held(port) == WORKERS + 4)
        for connection in waiting:
            connection.close()
        until(lambda: held(port) == WORKERS + 1)
        gate.open.set()
        for connection in working:
            assert connection.recv(20).startswith(b"HTTP/1.1 200")
            connection.close()
        until(lambda: held(port) == 0)
        assert gate.tiles == WORKERS + 1


def test_who_leaves_stops_the_tiles_that_are_still_to_come(gate: Gate) -> None:
    with live(create_app({"a": predictor_of(gate, tile=32)})) as port:
        body = full_body(file_of(pixels(320, 320)))  # 144 tiles
        connection = sent(port, body, len(body))
        assert gate.reached.wait(10)
        connection.close()
        time.sleep(0.2)
        assert held(port) == 1  # until its threads have ended
        gate.open.set()
        until(lambda: held(port) == 0)
        assert gate.tiles < 20


def test_a_request_that_takes_too_long_is_answered_at_its_deadline(gate: Gate) -> None:
    with live(create_app({"a": predictor_of(gate)}, Settings(deadline=0.3))) as port:
        body = full_body(file_of(pixels()))
        with sent(port, body, len(body)) as connection:
            status, error = answered(connection)
        assert (status, error["code"]) == (504, "deadline_passed")
        gate.open.set()
        until(lambda: held(port) == 0)


def test_a_slow_upload_ends_at_the_deadline_and_gives_its_place_back() -> None:
    with live(create_app({"a": predictor_of()}, Settings(deadline=0.3))) as port:
        with sent(port, HEAD, 1000) as connection:
            status, error = answered(connection)
        assert (status, error["code"]) == (408, "upload_too_slow")
        assert held(port) == 0


def test_too_many_bytes_are_refused_while_they_come_whatever_the_header_says() -> None:
    with live(create_app({"a": predictor_of()}, Settings(max_bytes=50_000))) as port:
        chunk = b"%x\r\n%s\r\n" % (40_000, bytes(40_000))
        head = b"%x\r\n%s\r\n" % (len(HEAD), HEAD)
        for body, length in ((head + 2 * chunk, None), (b"", 10_000_000)):
            with sent(port, body, length) as connection:
                status, error = answered(connection)
            assert (status, error["code"]) == (413, "too_many_bytes")
        assert held(port) == 0


def test_a_client_that_leaves_in_its_upload_gives_its_place_back() -> None:
    with live(create_app({"a": predictor_of()})) as port:
        connection = sent(port, HEAD, 1000)
        until(lambda: held(port) == 1)
        connection.close()
        until(lambda: held(port) == 0)


def test_many_clients_get_the_masks_of_their_own_images() -> None:
    with live(create_app({"a": predictor_of(tile=32)})) as port:
        client = Client(f"http://127.0.0.1:{port}")
        wrong = []

        def ask(seed: int) -> None:
            rgb = pixels(30 + seed, 50, seed)
            if not (client.labels(rgb) == predictor_of(tile=32).predict(rgb).labels).all():
                wrong.append(seed)

        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


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
    until(lambda: queue.active == 0)
    with pytest.raises(StoppedError):
        future.result()
    queue.close()


def test_more_than_can_be_done_in_time_is_not_taken() -> None:
    queue = JobQueue(100, threads=1, max_wait_s=0.02)
    with queue.acquire() as job:
        job.start(lambda: time.sleep(0.3)).result()  # so 0.03 s by the moving average
        with pytest.raises(BusyError), queue.acquire():
            pass
    until(lambda: queue.active == 0)
    with queue.acquire(), pytest.raises(BusyError), queue.acquire():
        pass


def test_files_of_more_bytes_than_there_is_room_for_are_not_taken_but_one_always_is() -> None:
    queue = JobQueue(100, max_bytes=10)
    with queue.acquire(30), pytest.raises(BusyError), queue.acquire(1):
        pass
    with queue.acquire(6), queue.acquire(4), pytest.raises(BusyError), queue.acquire(1):
        pass
    assert (queue.active, queue.active_bytes) == (0, 0)


@contextmanager
def paged(
    port: int, data: bytes, path: str = "segment?model=a", length: int | None = None
) -> Iterator[Lines]:
    """The lines of JSON that the page's own road answers with; `length` promises more than is
    sent.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        size = len(data) if length is None else length
        head = (
            f"POST /page/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
            "application/octet-stream\r\n"
        )
        connection.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode() + data)
        with closing(lines_of(connection)) as lines:
            yield lines


def lines_of(connection: socket.socket) -> Lines:
    with http.client.HTTPResponse(connection) as answer:
        answer.begin()
        for line in answer:
            yield answer.status, json.loads(line)


def test_when_to_come_again_follows_from_the_work_and_not_from_the_waiting() -> None:
    queue = JobQueue(150, threads=1)
    with ExitStack() as places:
        for _ in range(150):
            places.enter_context(queue.acquire()).start(lambda: time.sleep(0.005))
        until(lambda: queue.finished == 0 and queue.active == 150)
        queue._pool.submit(
            int
        ).result()  # all are done: the last ones waited for 150 times as long as they worked
    until(lambda: queue.active == 0)
    with ExitStack() as places:
        for _ in range(150):
            places.enter_context(queue.acquire())
        with pytest.raises(BusyError) as refused:
            places.enter_context(queue.acquire())
    assert refused.value.retry_after <= 3


def test_a_picture_of_the_page_may_take_longer_than_the_deadline_as_long_as_it_gets_on() -> None:
    def slow(rgb: np.ndarray) -> np.ndarray:
        time.sleep(0.15)
        return by_brightness(rgb)

    rgb = pixels(32, 320)  # 11 tiles, so many at once as there are WORKERS
    with live(create_app({"a": predictor_of(slow, tile=32)}, Settings(deadline=0.4))) as port:
        start = time.monotonic()
        with paged(port, file_of(rgb)) as lines:
            said = [line for _, line in lines]
        assert time.monotonic() - start > 0.4
    assert sorted(line["progress"] for line in said[:-1]) == [tile / 11 for tile in range(11)]
    assert said[-1]["answer"]["size"] == [32, 320]


def test_a_picture_of_the_page_that_does_not_get_on_is_given_up(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    with live(create_app({"a": predictor_of(gate, tile=32)}, Settings(deadline=0.3))) as port:
        with paged(port, file_of(pixels(320, 320))) as lines:
            assert "no progress for 0.3 s" in [line for _, line in lines][-1]["error"]["message"]
        gate.open.set()
        until(lambda: held(port) == 0)
        gc.collect()
    assert gate.tiles < 20
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_the_page_and_the_interface_share_one_queue_from_the_first_byte_on(gate: Gate) -> None:
    with live(create_app({"a": predictor_of(gate)}, Settings(queue=1))) as port:
        with paged(port, b"half", length=1000):
            until(lambda: held(port) == 1)
            with pytest.raises(ServerError) as refused:
                Client(f"http://127.0.0.1:{port}").labels(pixels())
            assert refused.value.status == 503
            with paged(port, b"x") as lines:
                status, line = next(lines)
            assert (status, line["error"]["code"]) == (503, "queue_full")
        until(lambda: held(port) == 0)


def test_a_visitor_who_leaves_while_waiting_is_never_computed(gate: Gate) -> None:
    with live(create_app({"a": predictor_of(gate)})) as port:
        body = full_body(file_of(pixels()))
        working = [sent(port, body, len(body)) for _ in range(WORKERS + 1)]
        until(lambda: gate.tiles == WORKERS)
        with paged(port, file_of(pixels())):
            until(lambda: held(port) == WORKERS + 2)
        until(lambda: held(port) == WORKERS + 1)
        gate.open.set()
        until(lambda: held(port) == 0)
        for connection in working:
            connection.close()
        assert gate.tiles == WORKERS + 1


def test_one_picture_is_painted_at_a_time_and_few_wait() -> None:
    open_ = threading.Event()
    at_once = [0]
    most = [0]

    def style(
        content: np.ndarray, style: np.ndarray, side: int, progress: Callable[[float], None]
    ) -> np.ndarray:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        progress(0.5)
        assert open_.wait(10)
        at_once[0] -= 1
        return content

    photo = file_of(pixels())
    with live(create_app({"a": predictor_of()}, style=style)) as port, ExitStack() as stack:
        path = f"style?split={len(photo)}&side=64"
        asked = [
            stack.enter_context(paged(port, photo + photo, path)) for _ in range(MAX_STYLE_JOBS)
        ]
        assert next(asked[0]) == (200, {"progress": 0.5})
        until(lambda: busy(port, path))
        open_.set()
        for lines in asked:
            assert "image" in list(lines)[-1][1]["answer"]
        assert most == [1]


def busy(port: int, path: str) -> bool:
    with paged(port, b"", path) as lines:
        return next(lines)[0] == 503


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


def test_a_server_at_rest_does_nothing_but_to_wait_for_its_sweep() -> None:
    app = create_app({"a": predictor_of()})

    async def at_rest() -> set[str]:
        async with app.router.lifespan_context(app):
            await asyncio.sleep(0)
            return {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]

    running = asyncio.run(at_rest())
    assert {name for name in running if "at_rest" not in name} == {"release_idle_memory"}


def test_memory_is_swept_once_the_lanes_rest(monkeypatch: pytest.MonkeyPatch) -> None:
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
