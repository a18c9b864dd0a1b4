"""The page's own routes: what the viewer gets, and the stream of progress."""

import base64
import gc
import gzip
import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager

import numpy as np
import pytest
from PIL import Image

from pixelwise.inference.predictor import Result
from pixelwise.inference.threads import WORKERS
from pixelwise.serving import Settings, create_app
from pixelwise.serving.client import Client, ServerError
from pixelwise.serving.page_routes import MAX_VIEW_PIXELS, describe_result
from pixelwise.serving.service import MAX_STYLE_JOBS

from .conftest import (
    Gate,
    by_brightness,
    count_active,
    file_of,
    form_of,
    open_request,
    pixels,
    predictor_of,
    run_server,
    wait_until,
)

Lines = Generator[tuple[int, dict]]
NAMES = ("ground", "cat", "dog")
PALETTE = ((0, 0, 0), (250, 120, 0), (60, 60, 250))


def result(labels: np.ndarray, confidence: float = 0.75) -> Result:
    rgb = np.repeat((labels * 80)[:, :, None], 3, axis=2)
    return Result(rgb, labels, np.full(labels.shape, confidence, np.float32), NAMES, PALETTE)


def plane(text: object) -> np.ndarray:
    return np.frombuffer(gzip.decompress(base64.b64decode(str(text))), np.uint8)


def test_the_viewer_gets_labels_and_confidence_as_they_are_and_a_mask_in_the_palette() -> None:
    labels = np.array([[0, 1, 1], [2, 2, 255]], np.uint8)
    answer = json.loads(json.dumps(describe_result(result(labels), "pets")))
    assert (answer["size"], answer["view"]) == ([2, 3], [2, 3])
    assert plane(answer["labels"]).tolist() == [0, 1, 1, 2, 2, 255]
    assert set(plane(answer["confidence"]).tolist()) == {191}  # of 255
    assert answer["classes"][1] == {"name": "cat", "colour": [250, 120, 0]}
    assert answer["notes"] == []
    data = json.loads(answer["data"])
    assert data["model"] == "pets"
    assert {entry["name"]: entry["pixels"] for entry in data["classes"]} == {
        "cat": 2,
        "dog": 2,
        "ground": 1,
        "void": 1,
    }
    with Image.open(io.BytesIO(base64.b64decode(answer["mask"]))) as mask:
        assert mask.mode == "P"
        assert np.array_equal(np.asarray(mask), labels)
        assert mask.convert("RGB").getpixel((1, 0)) == (250, 120, 0)


def test_a_large_picture_is_shown_smaller_but_saved_whole() -> None:
    labels = np.zeros((2100, 2000), np.uint8)
    labels[:, 1000:] = 1
    answer = describe_result(result(labels), "pets")
    assert answer["view"] == (1050, 1000)
    assert 1050 * 1000 <= MAX_VIEW_PIXELS < labels.size
    assert plane(answer["labels"]).reshape(1050, 1000).mean() == 0.5
    with Image.open(io.BytesIO(base64.b64decode(str(answer["mask"])))) as mask:
        assert mask.size == (2000, 2100)
    with Image.open(io.BytesIO(base64.b64decode(str(answer["image"]).partition(",")[2]))) as photo:
        assert photo.size == (1000, 1050)


@contextmanager
def open_stream(
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
        with closing(read_lines(connection)) as lines:
            yield lines


def read_lines(connection: socket.socket) -> Lines:
    with http.client.HTTPResponse(connection) as answer:
        answer.begin()
        for line in answer:
            yield answer.status, json.loads(line)


def test_a_picture_of_the_page_may_take_longer_than_the_deadline_as_long_as_it_gets_on() -> None:
    def slow(rgb: np.ndarray) -> np.ndarray:
        time.sleep(0.3)
        return by_brightness(rgb)

    rgb = pixels(32, 320)  # 11 tiles, so many at once as there are WORKERS
    with run_server(create_app({"a": predictor_of(slow, tile=32)}, Settings(deadline=1.2))) as port:
        start = time.monotonic()
        with open_stream(port, file_of(rgb)) as lines:
            messages = [line for _, line in lines]
        assert time.monotonic() - start > 1.2
    assert sorted(line["progress"] for line in messages[:-1]) == [tile / 11 for tile in range(11)]
    assert messages[-1]["answer"]["size"] == [32, 320]


def test_a_picture_of_the_page_that_does_not_get_on_is_given_up(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    with run_server(create_app({"a": predictor_of(gate, tile=32)}, Settings(deadline=0.3))) as port:
        with open_stream(port, file_of(pixels(320, 320))) as lines:
            assert "no progress for 0.3 s" in [line for _, line in lines][-1]["error"]["message"]
        gate.open.set()
        wait_until(lambda: count_active(port) == 0)
        gc.collect()
    assert gate.tiles < 20
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_the_page_and_the_interface_share_one_queue_from_the_first_byte_on(gate: Gate) -> None:
    with run_server(create_app({"a": predictor_of(gate)}, Settings(queue=1))) as port:
        with open_stream(port, b"half", length=1000):
            wait_until(lambda: count_active(port) == 1)
            with pytest.raises(ServerError) as refused:
                Client(f"http://127.0.0.1:{port}").labels(pixels())
            assert refused.value.status == 503
            with open_stream(port, b"x") as lines:
                status, line = next(lines)
            assert (status, line["error"]["code"]) == (503, "queue_full")
        wait_until(lambda: count_active(port) == 0)


def test_a_visitor_who_leaves_while_waiting_is_never_computed(gate: Gate) -> None:
    with run_server(create_app({"a": predictor_of(gate)})) as port:
        body = form_of(file_of(pixels()))
        working = [open_request(port, body, len(body)) for _ in range(WORKERS + 1)]
        wait_until(lambda: gate.tiles == WORKERS)
        with open_stream(port, file_of(pixels())):
            wait_until(lambda: count_active(port) == WORKERS + 2)
        wait_until(lambda: count_active(port) == WORKERS + 1)
        gate.open.set()
        wait_until(lambda: count_active(port) == 0)
        for connection in working:
            connection.close()
        assert gate.tiles == WORKERS + 1


def test_one_picture_is_painted_at_a_time_and_few_wait() -> None:
    open_ = threading.Event()
    at_once = [0]
    peak = [0]

    def style(
        content: np.ndarray, style: np.ndarray, side: int, progress: Callable[[float], None]
    ) -> np.ndarray:
        at_once[0] += 1
        peak[0] = max(peak[0], at_once[0])
        progress(0.5)
        assert open_.wait(10)
        at_once[0] -= 1
        return content

    photo = file_of(pixels())
    with run_server(create_app({"a": predictor_of()}, style=style)) as port, ExitStack() as stack:
        path = f"style?split={len(photo)}&side=64"
        streams = [
            stack.enter_context(open_stream(port, photo + photo, path))
            for _ in range(MAX_STYLE_JOBS)
        ]
        assert next(streams[0]) == (200, {"progress": 0.5})
        wait_until(lambda: is_refused(port, path))
        open_.set()
        for lines in streams:
            assert "image" in list(lines)[-1][1]["answer"]
        assert peak == [1]


def is_refused(port: int, path: str) -> bool:
    with open_stream(port, b"", path) as lines:
        return next(lines)[0] == 503
