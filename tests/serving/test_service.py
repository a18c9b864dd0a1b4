"""Under load on a real server: what is full, late or left, and what is given back afterwards."""

import http.client
import threading
import time

import pytest

from pixelwise.inference.threads import WORKERS
from pixelwise.serving import Settings, create_app
from pixelwise.serving.client import Client, ServerError

from .conftest import (
    HEAD,
    Gate,
    count_active,
    file_of,
    form_of,
    open_request,
    pixels,
    predictor_of,
    read_error,
    run_server,
    wait_until,
)


def test_a_full_queue_says_when_to_come_again_and_is_free_afterwards(gate: Gate) -> None:
    with run_server(create_app({"a": predictor_of(gate)}, Settings(queue=2))) as port:
        body = form_of(file_of(pixels()))
        first = [open_request(port, body, len(body)) for _ in range(2)]
        wait_until(lambda: count_active(port) == 2)
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
        wait_until(lambda: count_active(port) == 0)
        assert client.labels(pixels()).shape == pixels().shape[:2]


def test_who_leaves_while_waiting_is_never_computed(gate: Gate) -> None:
    with run_server(create_app({"a": predictor_of(gate)})) as port:
        body = form_of(file_of(pixels()))
        working = [open_request(port, body, len(body)) for _ in range(WORKERS + 1)]
        wait_until(lambda: gate.tiles == WORKERS)
        waiting = [open_request(port, body, len(body)) for _ in range(3)]
        wait_until(lambda: count_active(port) == WORKERS + 4)
        for connection in waiting:
            connection.close()
        wait_until(lambda: count_active(port) == WORKERS + 1)
        gate.open.set()
        for connection in working:
            assert connection.recv(20).startswith(b"HTTP/1.1 200")
            connection.close()
        wait_until(lambda: count_active(port) == 0)
        assert gate.tiles == WORKERS + 1


def test_who_leaves_stops_the_tiles_that_are_still_to_come(gate: Gate) -> None:
    with run_server(create_app({"a": predictor_of(gate, tile=32)})) as port:
        body = form_of(file_of(pixels(320, 320)))  # 144 tiles
        connection = open_request(port, body, len(body))
        assert gate.reached.wait(10)
        connection.close()
        time.sleep(0.2)
        assert count_active(port) == 1  # until its threads have ended
        gate.open.set()
        wait_until(lambda: count_active(port) == 0)
        assert gate.tiles < 20


def test_a_request_that_takes_too_long_is_answered_at_its_deadline(gate: Gate) -> None:
    with run_server(create_app({"a": predictor_of(gate)}, Settings(deadline=0.3))) as port:
        body = form_of(file_of(pixels()))
        with open_request(port, body, len(body)) as connection:
            status, error = read_error(connection)
        assert (status, error["code"]) == (504, "deadline_passed")
        gate.open.set()
        wait_until(lambda: count_active(port) == 0)


def test_a_slow_upload_ends_at_the_deadline_and_gives_its_place_back() -> None:
    with run_server(create_app({"a": predictor_of()}, Settings(deadline=0.3))) as port:
        with open_request(port, HEAD, 1000) as connection:
            status, error = read_error(connection)
        assert (status, error["code"]) == (408, "upload_too_slow")
        assert count_active(port) == 0


def test_too_many_bytes_are_refused_while_they_come_whatever_the_header_says() -> None:
    with run_server(create_app({"a": predictor_of()}, Settings(max_bytes=50_000))) as port:
        chunk = b"%x\r\n%s\r\n" % (40_000, bytes(40_000))
        head = b"%x\r\n%s\r\n" % (len(HEAD), HEAD)
        for body, length in ((head + 2 * chunk, None), (b"", 10_000_000)):
            with open_request(port, body, length) as connection:
                status, error = read_error(connection)
            assert (status, error["code"]) == (413, "too_many_bytes")
        assert count_active(port) == 0


def test_a_client_that_leaves_in_its_upload_gives_its_place_back() -> None:
    with run_server(create_app({"a": predictor_of()})) as port:
        connection = open_request(port, HEAD, 1000)
        wait_until(lambda: count_active(port) == 1)
        connection.close()
        wait_until(lambda: count_active(port) == 0)


def test_many_clients_get_the_masks_of_their_own_images() -> None:
    with run_server(create_app({"a": predictor_of(tile=32)})) as port:
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
