"""A server on this machine that speaks the paths of the Hugging Face hub which huggingface_hub uses
to make a repository, to upload files and to read them.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import huggingface_hub
import pytest

from pixelwise.models.remote_models import fetch_model

COMMIT = "c" * 40


class Hub(ThreadingHTTPServer):
    """Files by repository and name; `refuse` is a status that answers all reading."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.uploads: dict[str, bytes] = {}
        self.refuse = 0
        self.downloads = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None:
        """Silence."""

    def _answer(self, status: int, content: Any = b"", **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", headers.pop("length", str(len(data))))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_POST(self) -> None:
        body = self._body()
        hub = self.server
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            hub.repos.setdefault(name, {})
            hub.private.setdefault(
                name, asked.get("private") or asked.get("visibility") == "private"
            )
            self._answer(200, {"url": f"{hub.url}/{name}"})
        elif "/preupload/" in self.path:
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            self._answer(200, {"files": files})
        elif self.path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**row, "actions": {"upload": {"href": f"{hub.url}/upload/{row['oid']}"}}}
                for row in json.loads(body)["objects"]
            ]
            self._answer(200, {"transfer": "basic", "objects": objects})
        elif "/commit/" in self.path:
            repo = "/".join(self.path.split("/")[3:5])
            for line in body.splitlines():
                entry = json.loads(line)
                value = entry["value"]
                if entry["key"] == "file":
                    hub.repos[repo][value["path"]] = base64.b64decode(value["content"])
                elif entry["key"] == "lfsFile":
                    hub.repos[repo][value["path"]] = hub.uploads[value["oid"]]
            self._answer(
                200, {"commitUrl": f"{hub.url}/{repo}/commit/{COMMIT}", "commitOid": COMMIT}
            )
        else:
            self._answer(200, {})

    def do_PUT(self) -> None:
        self.server.uploads[self.path.rpartition("/")[2]] = self._body()
        self._answer(200)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.server
        if hub.refuse:
            self._answer(hub.refuse)
            return
        if self.path.startswith("/api/"):
            self._answer(200, {"id": "x", "sha": COMMIT, "siblings": []})
            return
        owner, name, _, _, file = self.path.lstrip("/").split("/", 4)
        files = hub.repos.get(f"{owner}/{name}")
        if files is None:
            self._answer(404, X_Error_Code="RepoNotFound")
        elif file not in files:
            self._answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
        else:
            data = files[file]
            hub.downloads += self.command == "GET"
            etag = hashlib.sha256(hub.uploads.get("promised", data)).hexdigest()
            self._answer(
                200, data, ETag=f'"{etag}"', X_Linked_Etag=f'"{etag}"', X_Repo_Commit=COMMIT
            )


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that answers for the test, and a cache of its own."""
    fetch_model.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    # files go by Git LFS, not by the hub's own chunks, which another server takes
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    with Hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
    fetch_model.cache_clear()
