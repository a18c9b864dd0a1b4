import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.tta import Logits, Pixels
from pixelwise.serving import Settings, create_app
from pixelwise.serving.client import Client

EDGE = b"--e\r\n"
HEAD = EDGE + b'Content-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
NAMES = ("background", "cat", "dog", "bird")


def by_brightness(rgb: Pixels) -> Logits:
    """Four classes by quarters of the green channel, the surer the nearer to a quarter's middle."""
    middles = np.array([32, 96, 160, 224], np.float32)[None, :, None, None]
    return -((rgb[:, 1:2].astype(np.float32) - middles) ** 2) / 600


class Gate:
    """A runner that waits until it is opened, and tells how many tiles it has seen."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()
        self.tiles = 0

    def __call__(self, rgb: Pixels) -> Logits:
        self.tiles += 1
        self.reached.set()
        assert self.open.wait(20)
        return by_brightness(rgb)


def predictor_of(runner: Callable[[Pixels], Logits] = by_brightness, tile: int = 1024) -> Predictor:
    return Predictor(runner, Classes.named(NAMES), tile=(tile, tile))


def pixels(height: int = 40, width: int = 61, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def file_of(rgb: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, format=kind)
    return file.getvalue()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def rgb() -> np.ndarray:
    return pixels()


@pytest.fixture(scope="session")
def app() -> FastAPI:
    return create_app(
        {"animals": predictor_of(), "again": predictor_of(tile=32)}, Settings(max_bytes=200_000)
    )


@pytest.fixture(scope="session")
def client(app: FastAPI) -> Iterator[TestClient]:
    with client_of(app) as client:
        yield client


def client_of(app: FastAPI) -> TestClient:
    return TestClient(app, base_url="http://localhost")


@contextmanager
def run_server(app: FastAPI) -> Iterator[int]:
    """The app on a free port of a real server; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=10)
    )
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


def post(client: TestClient, data: bytes, **params: object):
    return client.post("/v1/segment", files={"image": ("a.png", data)}, params=params)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def open_request(port: int, body: bytes, length: int | None = None) -> socket.socket:
    """A connection on which that much of a request is sent; chunked where no length is given."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    size = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    head = (
        b"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; "
        b"boundary=e\r\n" + size
    )
    connection.sendall(head + b"\r\n\r\n" + body)
    return connection


def read_error(connection: socket.socket) -> tuple[int, dict]:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, json.loads(answer.read())["error"]


def count_active(port: int) -> int:
    text = Client(f"http://127.0.0.1:{port}")._request("/metrics").decode()
    return int(
        float(
            next(line for line in text.splitlines() if line.startswith("pixelwise_held{")).split()[
                -1
            ]
        )
    )


def form_of(image: bytes) -> bytes:
    return HEAD + image + b"\r\n--e--\r\n"
