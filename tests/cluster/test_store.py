"""Stores, against a real server that speaks S3, and against local disks."""

import time
from pathlib import Path

import pytest

from pixelwise.cluster import store as module
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
