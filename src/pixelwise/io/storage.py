"""Files on local disks or in any store that fsspec knows: a path, or a URI such as
s3://bucket/folder.
"""

import errno
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import Any, TypeVar

from pixelwise.errors import ConfigError, ImageError, OutputError, PixelwiseError, first_line
from pixelwise.io.atomic import atomic
from pixelwise.io.images import IMAGE_SUFFIXES
from pixelwise.optional import is_installed, require_package

T = TypeVar("T")

# How often a store is asked before an error counts, and the seconds between, doubled each time.
TRIES = 3
WAIT = 0.5

# Stores where an object exists whole or not at all; elsewhere it is written beside and then moved.
_ATOMIC_PROTOCOLS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory"}

_MODIFIED_KEYS = ("LastModified", "last_modified", "mtime", "updated", "created")
_MISSING = "no such file"
_EXPIRED = re.compile(r"(expired|invalid)token|token\b.*\bexpired", re.IGNORECASE | re.DOTALL)


def is_uri(name: str) -> bool:
    """Whether it names a place in a store, as `s3://...` does and a path does not."""
    return "://" in name


def strip_query(image: Path | str) -> str:
    """An image's path or URI; on the web without the query behind its name, which may be a
    signature.
    """
    uri = str(image).partition("?")[0]
    is_web_image = (
        uri.startswith(("http://", "https://")) and Path(uri).suffix.lower() in IMAGE_SUFFIXES
    )
    return uri if is_web_image else str(image)


def normalize_uri(name: str) -> str:
    """A path for a URI of this machine's own disks; anything else as it is."""
    return resolve_uri(name)[1] if name.startswith(("file://", "local://")) else name


def resolve_uri(uri: str) -> tuple[type, str]:
    """The kind of store and the place in it, equal for every spelling of one place."""
    path = require_package("fsspec.core").strip_protocol(uri)
    return type(filesystem(uri)), str(path).rstrip("/")


def filesystem(uri: str) -> Any:
    """fsspec's file system of a URI. Raises ConfigError where its package is missing or nobody
    knows it.
    """
    protocol = uri.partition("://")[0]
    if protocol in ("http", "https") and not is_installed("fsspec"):
        raise ConfigError(
            f"{uri}: is an address, and no file; download it first, or pip install "
            "'pixelwise[cluster]' to read from addresses"
        )
    try:
        return require_package("fsspec").filesystem(protocol)
    except ImportError as error:
        raise ConfigError(f"{protocol}:// needs another package ({error})") from error
    except ValueError as error:
        raise ConfigError(f"{uri}: no store is called {protocol} ({error})") from error


def fetch(uri: str, folder: Path) -> Path:
    """Copy an object to `folder`. Raises ImageError where it is not there or cannot be read,
    OutputError as `retry` and OSError where the disk is full, as that is not the object's fault.
    """
    path = folder / Path(strip_query(uri)).name
    try:
        retry(lambda: filesystem(uri).get_file(uri, str(path)))
    except FileNotFoundError as error:
        raise ImageError(f"{uri}: {_MISSING}") from error
    except PixelwiseError:
        raise
    except Exception as error:  # what stores raise has no base class but Exception
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ImageError(f"{uri}: cannot be fetched ({first_line(error)})") from error
    return path


class Store(ABC):
    """A folder that results go to, on disk or in an object store.

    root: its path or URI. local: its folder, where it is one on disk. Every method raises
    OutputError where the place cannot be read or written.
    """

    root: str
    local: Path | None

    @abstractmethod
    def at(self, name: str) -> str:
        """The URI or path of a file in it."""

    @abstractmethod
    def times(self, names: Iterable[str] | None = None) -> dict[str, int]:
        """The files in it, or those of `names` that exist, with the nanoseconds of their last
        change.
        """

    @abstractmethod
    def text(self, name: str) -> str | None:
        """The content of a small file; None where it does not exist."""

    @abstractmethod
    def write(self, name: str, text: str) -> None:
        """Write a small file, whole or not at all."""

    @abstractmethod
    def take(self, files: Iterable[Path]) -> None:
        """Write copies of local files under their names, each whole or not at all."""

    @abstractmethod
    def remove(self, names: Iterable[str]) -> None:
        """Remove files, as far as they exist, and the folder where nothing is left in it."""

    def subfolder(self, name: str) -> "Store":
        """The folder of that name in it."""
        return open_store(self.at(name))


def open_store(root: str | Path) -> Store:
    """The folder at a path or URI; nothing is read or made yet."""
    return RemoteStore(str(root)) if is_uri(str(root)) else LocalStore(Path(root))


class LocalStore(Store):
    """A folder on disk.

    fsspec's local file system would do for listing, but it does not follow links to files and it
    rounds times; writing goes through a temporary file in either case.
    """

    def __init__(self, folder: Path) -> None:
        self.root = str(folder)
        self.local: Path = folder

    def at(self, name: str) -> str:
        """The path or URI of a file in it."""
        return str(self.local / name)

    def times(self, names: Iterable[str] | None = None) -> dict[str, int]:
        """As `Store.times`."""
        if names is not None:
            paths = [self.local / name for name in names]
        else:
            paths = list(self.local.iterdir()) if self.local.is_dir() else []
        times = {path.name: _file_time(path) for path in paths}
        return {name: time for name, time in times.items() if time is not None}

    def text(self, name: str) -> str | None:
        """As `Store.text`."""
        path = self.local / name
        return _decode(path.read_bytes()) if path.is_file() else None

    def write(self, name: str, text: str) -> None:
        """As `Store.write`."""
        with atomic(self.local / name) as temp_path:
            temp_path.write_bytes(_encode(text))

    def take(self, files: Iterable[Path]) -> None:
        """As `Store.take`."""
        for path in files:
            with atomic(self.local / path.name) as temp_path:
                temp_path.write_bytes(path.read_bytes())

    def remove(self, names: Iterable[str]) -> None:
        """As `Store.remove`."""
        for name in names:
            (self.local / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.local.rmdir()


class RemoteStore(Store):
    """A folder in a store that fsspec knows, by its URI."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.local = None

    def at(self, name: str) -> str:
        """The path or URI of a file in it."""
        return f"{self.root.rstrip('/')}/{name}"

    def times(self, names: Iterable[str] | None = None) -> dict[str, int]:
        """As `Store.times`."""
        system = filesystem(self.root)
        system.invalidate_cache()
        if names is None:
            infos = self._read(partial(system.ls, self.root, detail=True), [])
        else:
            missing = {"type": "none", "name": ""}
            infos = [self._read(partial(system.info, self.at(name)), missing) for name in names]
        files = [info for info in infos if info["type"] == "file"]
        return {PurePosixPath(info["name"]).name: modified_ns(info) for info in files}

    def text(self, name: str) -> str | None:
        """As `Store.text`."""
        content = self._read(lambda: filesystem(self.root).cat_file(self.at(name)), None)
        return None if content is None else _decode(content)

    def write(self, name: str, text: str) -> None:
        """As `Store.write`."""
        content = _encode(text)
        self._put(name, lambda system, uri: system.pipe_file(uri, content))

    def take(self, files: Iterable[Path]) -> None:
        """As `Store.take`."""
        for path in files:
            self._put(path.name, partial(_put_file, path))

    def remove(self, names: Iterable[str]) -> None:
        """As `Store.remove`."""
        for name in names:
            self._read(partial(filesystem(self.root).rm_file, self.at(name)), None)

    def _put(self, name: str, write: Callable[[Any, str], None]) -> None:
        system = filesystem(self.root)
        uri = self.at(name)

        def send() -> None:
            if self.root.partition("://")[0] in _ATOMIC_PROTOCOLS:
                write(system, uri)
                return
            temp_uri = f"{uri}.part"
            system.makedirs(temp_uri.rpartition("/")[0], exist_ok=True)
            write(system, temp_uri)
            system.mv(temp_uri, uri)

        try:
            retry(send)
        except PixelwiseError:
            raise
        except Exception as error:  # what stores raise has no base class but Exception
            raise OutputError(
                f"cannot write {uri} ({first_line(error)}); check the rights and the room there, "
                "and run again: what is written is kept"
            ) from error

    def _read(self, ask: Callable[[], T], otherwise: T) -> T:
        """The store's answer; `otherwise` where nothing is there. Raises OutputError where it
        gives none.
        """
        try:
            return retry(ask)
        except FileNotFoundError:
            return otherwise
        except PixelwiseError:
            raise
        except Exception as error:
            raise OutputError(
                f"cannot look into {self.root} ({first_line(error)}); check the name and the rights"
            ) from error


def _put_file(path: Path, system: Any, uri: str) -> None:
    system.put_file(str(path), uri)


def _encode(text: str) -> bytes:
    # names of files that are no UTF-8 keep their bytes
    return text.encode(errors="surrogateescape")


def _decode(content: bytes) -> str:
    return content.decode(errors="surrogateescape")


def _file_time(path: Path) -> int | None:
    """That of a file's last change; None for a folder, and for what has been moved away."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_mtime_ns if S_ISREG(status.st_mode) else None


def retry(ask: Callable[[], T]) -> T:
    """The answer, after up to TRIES: what a store refuses for a moment it gives a second later.

    Raises OutputError for a token that is not valid any more: the store will give nothing.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return ask()
        except (FileNotFoundError, PixelwiseError):
            raise
        except Exception as error:
            if _EXPIRED.search(f"{error} {error.__cause__}"):
                raise OutputError(
                    f"the store's token has expired ({first_line(error)}); give every node a new "
                    "one and run again: what is written is kept"
                ) from error
            if attempt == TRIES or isinstance(error, PermissionError):
                raise
            time.sleep(WAIT * 2 ** (attempt - 1))
    raise AssertionError("the last attempt returns or raises")


def modified_ns(info: dict[str, Any]) -> int:
    """Nanoseconds since 1970 of an object's last change; 0 where its store does not say."""
    value = next((info[key] for key in _MODIFIED_KEYS if info.get(key) is not None), 0)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    seconds = value.timestamp() if isinstance(value, datetime) else float(value)
    return int(seconds * 1e9)
