"""Files on local disks or in any store that fsspec knows: a path, or an address such as
s3://bucket/folder.
"""

import errno
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import Any, TypeVar

from pixelwise.errors import ConfigError, ImageError, OutputError, PixelwiseError, first_line
from pixelwise.inference.outputs import strip_query
from pixelwise.io.atomic import atomic
from pixelwise.optional import require_package

T = TypeVar("T")

TRIES = 3
WAIT = 0.5
"""How often a store is asked before an error counts, and the seconds between, doubled each time."""

_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory"}
"""Stores where an object is there whole or not at all; elsewhere it is written beside and then
moved.
"""

_CHANGED = ("LastModified", "last_modified", "mtime", "updated", "created")
_GONE = "no such file"
_EXPIRED = re.compile(r"(expired|invalid)token|token\b.*\bexpired", re.IGNORECASE | re.DOTALL)


def is_uri(given: str) -> bool:
    """Whether it names a place in a store: `s3://...`, but not a path."""
    return "://" in given


def normalize_uri(given: str) -> str:
    """A path for what an address of this machine's own disks names; anything else as it is."""
    return resolve_uri(given)[1] if given.startswith(("file://", "local://")) else given


def resolve_uri(address: str) -> tuple[type, str]:
    """A place in a store, whichever way it is spelled."""
    return type(filesystem(address)), str(
        require_package("fsspec.core").strip_protocol(address)
    ).rstrip("/")


def filesystem(address: str) -> Any:
    """fsspec's file system of an address. Raises ConfigError where its package is missing or nobody
    knows it.
    """
    protocol = address.partition("://")[0]
    try:
        return require_package("fsspec").filesystem(protocol)
    except ImportError as error:
        raise ConfigError(f"{protocol}:// needs another package ({error})") from error
    except ValueError as error:
        raise ConfigError(f"{address}: no store is called {protocol} ({error})") from error


def fetch(address: str, folder: Path) -> Path:
    """Copy an object to `folder`. Raises ImageError where it is not there or cannot be read,
    OutputError as `retried` and OSError where the disk is full, as that is not the object's fault.
    """
    path = folder / Path(strip_query(address)).name
    try:
        retry(lambda: filesystem(address).get_file(address, str(path)))
    except FileNotFoundError as error:
        raise ImageError(f"{address}: {_GONE}") from error
    except PixelwiseError:
        raise
    except Exception as error:  # what stores raise has no base class but Exception
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ImageError(f"{address}: cannot be fetched ({first_line(error)})") from error
    return path


@dataclass(frozen=True)
class Store:
    """A folder that results go to. `root` is a path or an address."""

    root: str

    @property
    def local(self) -> Path | None:
        """The folder, where it is one on disk."""
        return None if is_uri(self.root) else Path(self.root)

    def at(self, name: str) -> str:
        """The address or path of a file in it."""
        return f"{self.root.rstrip('/')}/{name}" if self.local is None else str(self.local / name)

    def times(self, names: Iterable[str] | None = None) -> dict[str, int]:
        """The files in it, or those of `names` that are there, with the nanoseconds of their last
        change.
        """
        if (folder := self.local) is not None:
            paths = (
                (folder.iterdir() if folder.is_dir() else ())
                if names is None
                else (folder / n for n in names)
            )
            return {path.name: when for path in paths if (when := _file_time(path)) is not None}
        system = filesystem(self.root)
        system.invalidate_cache()
        if names is None:
            found = self._read(partial(system.ls, self.root, detail=True), [])
        else:
            found = [
                self._read(partial(system.info, self.at(name)), {"type": "none", "name": name})
                for name in names
            ]
        return {
            PurePosixPath(info["name"]).name: modified_ns(info)
            for info in found
            if info["type"] == "file"
        }

    def text(self, name: str) -> str | None:
        """The content of a small file; None where it is not there."""
        if self.local is not None:
            path = self.local / name
            return path.read_text(encoding="utf-8") if path.is_file() else None
        read: str | None = self._read(
            lambda: filesystem(self.root).cat_file(self.at(name)).decode(), None
        )
        return read

    def write(self, name: str, text: str) -> None:
        """Write a small file, whole or not at all. Raises OutputError."""
        self._put(name, text.encode(errors="backslashreplace"))

    def take(self, files: Iterable[Path]) -> None:
        """Write copies of local files under their names, each whole or not at all. Raises
        OutputError.
        """
        for path in files:
            self._put(path.name, path)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, as far as they are there, and the folder where none is left in it. Raises
        OutputError.
        """
        if (folder := self.local) is not None:
            for name in names:
                (folder / name).unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
            return
        for name in names:
            self._read(partial(filesystem(self.root).rm_file, self.at(name)), None)

    def _put(self, name: str, data: bytes | Path) -> None:
        if self.local is not None:
            with atomic(self.local / name) as draft:
                draft.write_bytes(data if isinstance(data, bytes) else data.read_bytes())
            return
        system = filesystem(self.root)
        address = self.at(name)

        def write(to: str) -> None:
            if isinstance(data, bytes):
                system.pipe_file(to, data)
            else:
                system.put_file(str(data), to)

        def send() -> None:
            if self.root.partition("://")[0] in _WHOLE:
                write(address)
                return
            beside = f"{address}.part"
            system.makedirs(beside.rpartition("/")[0], exist_ok=True)
            write(beside)
            system.mv(beside, address)

        try:
            retry(send)
        except PixelwiseError:
            raise
        except Exception as error:  # what stores raise has no base class but Exception
            raise OutputError(
                f"cannot write {address} ({first_line(error)}); check the rights and the "
                "room there, and run again: "
                "what is written is kept"
            ) from error

    def _read(self, ask: Callable[[], T], otherwise: T) -> T:
        """What the store answers; `otherwise` where there is nothing. Raises OutputError where it
        gives no answer.
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


def _file_time(path: Path) -> int | None:
    """That of a file's last change; None for what is none, or has been moved away meanwhile."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_mtime_ns if S_ISREG(found.st_mode) else None


def retry(ask: Callable[[], T]) -> T:
    """The answer, after up to TRIES: what a store refuses for a moment it gives a second later.
    Raises OutputError for a token that is not valid any more: the store will give nothing.
    """
    tried = 0
    while True:
        try:
            return ask()
        except (FileNotFoundError, PixelwiseError):
            raise
        except Exception as error:
            if _EXPIRED.search(f"{error} {error.__cause__}"):
                raise OutputError(
                    f"the store's token has expired ({first_line(error)}); give every node a "
                    "new one and run again: "
                    "what is written is kept"
                ) from error
            tried += 1
            if tried == TRIES or isinstance(error, PermissionError):
                raise
            time.sleep(WAIT * 2 ** (tried - 1))


def modified_ns(info: dict[str, Any]) -> int:
    """Nanoseconds since 1970 of an object's last change."""
    value = next((info[key] for key in _CHANGED if info.get(key) is not None), 0)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return int((value.timestamp() if isinstance(value, datetime) else float(value)) * 1e9)
