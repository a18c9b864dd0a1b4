"""Stores, against a real server that speaks S3, and against local disks."""

import errno
import time
from pathlib import Path

import pytest

from pixelwise.cluster import store as module
from pixelwise.cluster.shards import Slot, copy_out
from pixelwise.cluster.store import Store, fetch
from pixelwise.errors import ConfigError, ImageError, OutputError

fsspec = pytest.importorskip("fsspec", reason="the extra cluster is not installed")


@pytest.fixture(params=["disk", "s3", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "disk":
        return Store(str(tmp_path / "out"))
    root = request.getfixturevalue("s3") if request.param == "s3" else "memory://"
    return Store(f"{root}/{tmp_path.name}")


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
    assert Store(store.at("manifest")).text("part.csv") == "a\n"


def test_an_object_is_fetched_and_a_missing_one_is_an_image_that_is_not_there(s3: str, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"pixels")
    Store(f"{s3}/fetch").take([tmp_path / "photo.jpg"])
    (tmp_path / "got").mkdir()
    assert fetch(f"{s3}/fetch/photo.jpg", tmp_path / "got").read_bytes() == b"pixels"
    with pytest.raises(ImageError, match=r"fetch/absent\.jpg: no such file"):
        fetch(f"{s3}/fetch/absent.jpg", tmp_path)


def test_a_store_that_cannot_be_is_refused(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT", 0.01)
    with pytest.raises(OutputError, match=r"cannot write s3://no-such-bucket/a.*check the rights"):
        Store("s3://no-such-bucket").write("a", "")
    with pytest.raises(ConfigError, match="no store is called nowhere"):
        Store("nowhere://a").times()
    with pytest.raises(OutputError, match="choose a folder that can be written to"):
        Store("/proc/pixelwise").write("a", "")


def test_what_a_store_refuses_for_a_moment_is_asked_again_and_no_more_than_thrice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAIT", 0.01)
    system, tried = fsspec.filesystem("memory"), list[str]()
    put = system.pipe_file

    def moody(path: str, data: bytes, **options: object) -> None:
        tried.append(path)
        if len(tried) % 3:
            raise ConnectionResetError("try later")
        put(path, data, **options)

    monkeypatch.setattr(type(system), "pipe_file", lambda self, *given, **options: moody(*given, **options))
    Store("memory://moody").write("a", "x")
    assert len(tried) == 3
    assert Store("memory://moody").text("a") == "x"
    monkeypatch.setattr(module, "TRIES", 2)
    with pytest.raises(OutputError, match="try later"):
        Store("memory://moody").write("b", "x")


def expired(kind: type[Exception], text: str, code: str) -> Exception:
    """As s3fs raises it."""
    found = kind(text)
    found.__cause__ = RuntimeError(f"An error occurred ({code}) when calling the GetObject operation: {text}")
    return found


def test_a_token_that_has_expired_and_a_full_disk_are_no_image_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT", 0.01)
    system, tried, raised = fsspec.filesystem("memory"), list[Exception](), [Exception()]

    def refuse(self: object, *given: object, **options: object) -> None:
        tried.append(raised[0])
        raise raised[0]

    for name in ("get_file", "cat_file", "pipe_file", "ls"):
        monkeypatch.setattr(type(system), name, refuse)
    slot, store = Slot("memory://a/b.tar", 512, 10, "c.png"), Store("memory://a")
    calls = [
        lambda: fetch("memory://a/b.png", tmp_path),
        lambda: copy_out(slot, tmp_path),
        lambda: store.write("c", ""),
        store.times,
    ]
    for raised[0] in (
        expired(PermissionError, "The provided token has expired.", "ExpiredToken"),
        expired(OSError, "The provided token is malformed or otherwise invalid.", "InvalidToken"),
    ):
        for call in calls:
            tried.clear()
            with pytest.raises(OutputError, match=r"^the store's token has expired \(The provided token"):
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
