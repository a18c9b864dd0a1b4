"""A server on this machine stands for a mirror, an archive of three files for VOC's."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from pixelwise.datasets.download_voc import FILE, SHA1, download_voc
from pixelwise.errors import DataError

INSIDE = "VOCdevkit/VOC2012"


def archive() -> bytes:
    names = ("JPEGImages/a.jpg", "SegmentationClass/a.png", "Annotations/a.xml")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name in names:
            member = tarfile.TarInfo(f"{INSIDE}/{name}")
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    return content.getvalue()


CONTENT = archive()
HASH = hashlib.sha1(CONTENT).hexdigest()


class Mirror(BaseHTTPRequestHandler):
    ranges: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        begin = self.headers.get("Range")
        self.ranges.append(begin)
        first = int(begin.removeprefix("bytes=").removesuffix("-")) if begin else 0
        if first >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(CONTENT) - first))
        self.end_headers()
        self.wfile.write(CONTENT[first:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[str]:
    Mirror.ranges = []
    with HTTPServer(("127.0.0.1", 0), Mirror) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{FILE}"
        server.shutdown()
        thread.join()


def test_what_was_interrupted_goes_on_and_only_what_is_needed_is_unpacked(
    mirror: str, tmp_path: Path
) -> None:
    (tmp_path / f"{FILE}.part").write_bytes(CONTENT[:1000])
    data = download_voc(tmp_path, mirror=mirror, sha1=HASH)
    assert Mirror.ranges == ["bytes=1000-"]
    assert data == tmp_path / INSIDE
    files = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}
    assert files == {"JPEGImages/a.jpg", "SegmentationClass/a.png"}
    assert download_voc(tmp_path, mirror="http://nowhere.invalid/") == data  # it is there


def test_a_download_that_was_complete_is_not_fetched_again(mirror: str, tmp_path: Path) -> None:
    (tmp_path / f"{FILE}.part").write_bytes(CONTENT)
    assert (download_voc(tmp_path, mirror=mirror, sha1=HASH) / "JPEGImages/a.jpg").is_file()
    assert Mirror.ranges == [f"bytes={len(CONTENT)}-"]


def test_another_file_is_refused_by_its_hash(mirror: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{HASH}, that of {FILE} is {SHA1}"):
        download_voc(tmp_path, mirror=mirror)
    assert not (tmp_path / "VOCdevkit").exists()


def test_a_file_that_is_here_is_its_own_mirror(tmp_path: Path) -> None:
    (tmp_path / "mine.tar").write_bytes(CONTENT)
    mine = str(tmp_path / "mine.tar")
    assert (download_voc(tmp_path, mirror=mine, sha1=HASH) / "JPEGImages/a.jpg").is_file()


def test_an_address_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9/.*cannot be fetched.*--mirror"):
        download_voc(tmp_path, mirror="http://127.0.0.1:9/x.tar")
