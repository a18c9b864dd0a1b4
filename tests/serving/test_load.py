"""Under load on a real server: what is full, late or left, and what is given back afterwards."""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from pixelwise.inference.parallel import WORKERS
from pixelwise.serving import Settings, create_app
from pixelwise.serving.api import Service
from pixelwise.serving.client import Client, ServerError
from pixelwise.serving.guard import Meters
from pixelwise.serving.lane import BusyError, Lane, StoppedError
from pixelwise.serving.tidy import tidy

from .conftest import Gate, file_of, live, pixels, predictor_of

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
    head = b"POST /v1/segment HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=e\r\n" + size
    connection.sendall(head + b"\r\n\r\n" + body)
    return connection


def answered(connection: socket.socket) -> tuple[int, dict]:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, json.loads(answer.read())["error"]


def held(port: int) -> int:
    text = Client(f"http://127.0.0.1:{port}")._ask("/metrics").decode()
    return int(float(next(line for line in text.splitlines() if line.startswith("pixelwise_held{")).split()[-1]))


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
            client._ask("/readyz")
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
        client, wrong = Client(f"http://127.0.0.1:{port}"), []

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


def test_a_place_is_held_until_its_thread_has_ended(gate: Gate) -> None:
    lane = Lane(predictor_of(gate), places=1)
    with lane.place() as job:
        job.start(lambda: lane.predict(pixels(), job.stop))
        assert gate.reached.wait(10)
    with pytest.raises(BusyError), lane.place():
        pass
    gate.open.set()
    until(lambda: lane.held == 0)
    with pytest.raises(StoppedError):
        lane.predict(pixels(), job.stop)
    lane.close()


def test_the_page_too_has_a_deadline(gate: Gate) -> None:
    service = Service({"a": predictor_of(gate)}, Settings(deadline=0.1), Meters())
    with pytest.raises(StoppedError, match="not done within"):
        service.segment("a", pixels())
    gate.open.set()
    until(lambda: service.lanes["a"].held == 0)
    service.lanes["a"].close()


def test_memory_is_swept_once_the_lanes_rest(monkeypatch: pytest.MonkeyPatch, rgb: np.ndarray) -> None:
    swept = []
    monkeypatch.setattr("pixelwise.serving.tidy.SECONDS", 0.01)
    monkeypatch.setattr("pixelwise.serving.tidy._release", lambda: swept.append(1))
    lane = Lane(predictor_of(), places=2)

    async def burst() -> None:
        task = asyncio.create_task(tidy([lane]))
        await asyncio.sleep(0.1)
        assert swept == []
        with lane.place() as job:
            await asyncio.wrap_future(job.start(lambda: lane.predict(rgb, job.stop)))
            await asyncio.sleep(0.1)
            assert swept == []
        await asyncio.sleep(0.3)
        task.cancel()

    asyncio.run(burst())
    assert swept == [1]
    lane.close()
