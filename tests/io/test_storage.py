"""Stores, against a real server that speaks S3, and against local disks."""

import errno
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pixelwise.cluster import worker
from pixelwise.cluster.ray_executor import AttemptTracker
from pixelwise.cluster.worker import LabelTask, Worker
from pixelwise.errors import ConfigError, ImageError, OutputError
from pixelwise.inference.label_job import check_stopped
from pixelwise.inference.load import load
from pixelwise.inference.manifest import STOPPED
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.io import storage as module
from pixelwise.io.shards import Slot, extract_image
from pixelwise.io.storage import Store, fetch, open_store

fsspec = pytest.importorskip("fsspec", reason="the extra cluster is not installed")


@pytest.fixture(params=["disk", "s3", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "disk":
        return open_store(str(tmp_path / "out"))
    root = request.getfixturevalue("s3") if request.param == "s3" else "memory://"
    return open_store(f"{root}/{tmp_path.name}")


def test_what_is_written_is_there_under_its_name_and_time(store: Store, tmp_path: Path) -> None:
    before = time.time_ns()
    assert store.times() == {}
    assert store.text("recipe.json") is None
    store.write("recipe.json", "{}")
    (tmp_path / "mask.png").write_bytes(b"\x89mask")
    store.take([tmp_path / "mask.png"])
    store.write("manifest/part.csv", "a\n")
    assert store.text("recipe.json") == "{}"
    times = store.times()
    assert set(times) == {"recipe.json", "mask.png"}, "folders are no files"
    assert all(abs(changed - before) < 60e9 for changed in times.values())
    assert set(store.times(["mask.png", "absent.png"])) == {"mask.png"}
    assert open_store(store.at("manifest")).text("part.csv") == "a\n"


def test_an_object_is_fetched_and_a_missing_one_is_an_image_that_is_not_there(
    s3: str, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"pixels")
    open_store(f"{s3}/fetch").take([tmp_path / "photo.jpg"])
    (tmp_path / "got").mkdir()
    assert fetch(f"{s3}/fetch/photo.jpg", tmp_path / "got").read_bytes() == b"pixels"
    with pytest.raises(ImageError, match=r"fetch/absent\.jpg: no such file"):
        fetch(f"{s3}/fetch/absent.jpg", tmp_path)


def test_a_store_that_cannot_be_is_refused(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT", 0.01)
    with pytest.raises(OutputError, match=r"cannot write s3://no-such-bucket/a.*check the rights"):
        open_store("s3://no-such-bucket").write("a", "")
    with pytest.raises(ConfigError, match="no store is called nowhere"):
        open_store("nowhere://a").times()
    with pytest.raises(OutputError, match="choose a folder that can be written to"):
        open_store("/proc/pixelwise").write("a", "")


def test_what_a_store_refuses_for_a_moment_is_asked_again_and_no_more_than_thrice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAIT", 0.01)
    system = fsspec.filesystem("memory")
    tried = list[str]()
    put = system.pipe_file

    def moody(path: str, data: bytes, **options: object) -> None:
        tried.append(path)
        if len(tried) % 3:
            raise ConnectionResetError("try later")
        put(path, data, **options)

    monkeypatch.setattr(
        type(system), "pipe_file", lambda self, *given, **options: moody(*given, **options)
    )
    open_store("memory://moody").write("a", "x")
    assert len(tried) == 3
    assert open_store("memory://moody").text("a") == "x"
    monkeypatch.setattr(module, "TRIES", 2)
    with pytest.raises(OutputError, match="try later"):
        open_store("memory://moody").write("b", "x")


def expired(kind: type[Exception], text: str, code: str) -> Exception:
    """As s3fs raises it."""
    found = kind(text)
    found.__cause__ = RuntimeError(
        f"An error occurred ({code}) when calling the GetObject operation: {text}"
    )
    return found


def test_a_token_that_has_expired_and_a_full_disk_are_no_image_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT", 0.01)
    system = fsspec.filesystem("memory")
    tried = list[Exception]()
    raised = [Exception()]

    def refuse(self: object, *given: object, **options: object) -> None:
        tried.append(raised[0])
        raise raised[0]

    for name in ("get_file", "cat_file", "pipe_file", "ls"):
        monkeypatch.setattr(type(system), name, refuse)
    slot = Slot("memory://a/b.tar", 512, 10, "c.png")
    store = open_store("memory://a")
    calls = [
        lambda: fetch("memory://a/b.png", tmp_path),
        lambda: extract_image(slot, tmp_path),
        lambda: store.write("c", ""),
        store.times,
    ]
    for raised[0] in (
        expired(PermissionError, "The provided token has expired.", "ExpiredToken"),
        expired(OSError, "The provided token is malformed or otherwise invalid.", "InvalidToken"),
    ):
        for call in calls:
            tried.clear()
            with pytest.raises(
                OutputError, match=r"^the store's token has expired \(The provided token"
            ):
                call()
            assert len(tried) == 1
    raised[0] = PermissionError("Access Denied")
    for call in calls[:2]:
        with pytest.raises(ImageError, match="Access Denied"):
            call()
    raised[0] = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space left"):
        calls[0]()
    raised[0] = ConnectionResetError("try later")
    tried.clear()
    with pytest.raises(ImageError, match="try later"):
        calls[1]()
    assert len(tried) == 3, "an image of a shard too is asked for again"


class Refusing(BaseHTTPRequestHandler):
    """A server that speaks S3 and takes nothing: it answers as `code` and `status` say, before the
    data are sent.
    """

    code = ""
    status = 0
    puts = 0

    def do_PUT(self) -> None:
        type(self).puts += 1
        text = (
            f"<Error><Code>{self.code}</Code><Message>Said by the store.</Message></Error>".encode()
        )
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *given: object) -> None:
        pass


@pytest.fixture(
    params=[("AccessDenied", 403, 1), ("XMinioStorageFull", 507, 3)], ids=["denied", "full"]
)
def refusing(
    request: pytest.FixtureRequest, s3: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Its class, how often it is to be asked, and the address of a folder there."""
    code, status, asked = request.param
    kind: Any = type("Refused", (Refusing,), {"code": code, "status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        fsspec.filesystem("s3").clear_instance_cache()
        yield kind, asked, "s3://pixels/out"
        server.shutdown()
    fsspec.filesystem("s3").clear_instance_cache()


def test_a_store_that_denies_or_is_full_stops_the_job_with_one_line(
    refusing: Any, model: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, asked, root = refusing
    monkeypatch.setattr(module, "WAIT", 0.01)
    with pytest.raises(
        OutputError, match=r"cannot write s3://pixels/out/a .*check the rights and the room"
    ) as told:
        open_store(root).write("a", "text")
    assert "\n" not in str(told.value)
    assert kind.puts == asked, "a full store may have room a moment later; rights do not come"
    monkeypatch.setattr(
        worker, "load_predictor", lambda model, loading, attempts: load(model, **loading)
    )
    monkeypatch.setattr(worker, "call_actor", lambda method, *given: method(*given))
    one = Worker(LabelTask(root, model, {}, PredictOptions(), frozenset(), AttemptTracker()))
    row = {"batch": 0, "images": [str(images / "03.png")], "pixels": [690], "chunk": 0, "of": 1}
    (found,) = one(row)
    assert found["state"] == STOPPED, "no image's fault"
    with pytest.raises(
        OutputError,
        match=r"cannot write s3://pixels/out/03\.png .*run again.*\(reported by a worker\)",
    ):
        check_stopped(found)
    one._temp_folder.cleanup()


def test_a_store_without_room_is_told_as_it_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT", 0.01)

    def full(*given: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "pipe_file", full)
    with pytest.raises(
        OutputError, match=r"cannot write memory://full/a \(.*No space left on device\); check"
    ):
        open_store("memory://full").write("a", "text")
