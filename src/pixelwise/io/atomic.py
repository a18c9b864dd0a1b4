"""Writing files so that a reader never sees half of one."""

import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pixelwise.errors import OutputError

# Read once: it can only be read by setting it, for all threads.
_UMASK = os.umask(0)
os.umask(_UMASK)

# Bytes that a temporary file's name takes of the final one: both must not be longer than a file
# system's names, mostly 255.
_PREFIX = 100

# Names of temporary files: a hidden file with eight random letters, as tempfile makes them, before
# the suffix.
_TEMP_NAME = re.compile(r"\.(.+)\.[a-z0-9_]{8}(\.\w+)", re.DOTALL)

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends well, remove it
    otherwise.

    The file gets the mode a plain `open` would give. Raises OutputError where it cannot be written
    or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temp_path = make_temp_file(path)
    except OSError as error:
        raise _output_error(path, error) from error
    try:
        yield temp_path
        with temp_path.open("rb+") as written:
            os.fsync(written.fileno())
        temp_path.chmod(0o666 & ~_UMASK)
        temp_path.replace(path)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        temp_path.unlink(missing_ok=True)


def make_temp_file(path: Path) -> Path:
    """An empty file beside `path`, by whose name later commands know it as what was left behind."""
    handle, name = tempfile.mkstemp(
        prefix=_temp_prefix(path.stem), suffix=path.suffix, dir=path.parent
    )
    os.close(handle)
    return Path(name)


def remove_stale_temp_files(folder: Path, *, names: Iterable[str], older: float) -> int:
    """Remove the temporary files of `atomic` in `folder` that have not changed for `older` seconds:
    those of killed processes.

    Only those of files called as one of `names` but for the suffix; other hidden files are
    somebody's own. Returns how many. What cannot be read or removed stays.
    """
    removed = 0
    prefixes = {_temp_prefix(Path(name).stem) for name in names}
    with suppress(OSError):
        for path in folder.iterdir():
            match = _TEMP_NAME.fullmatch(path.name)
            if match is None or f".{match[1]}." not in prefixes:
                continue
            with suppress(OSError):
                if path.is_file() and time.time() - path.stat().st_mtime >= older:
                    path.unlink()
                    removed += 1
    return removed


def final_name(name: str) -> str:
    """What a temporary file of `atomic` was to become, cut to its first _PREFIX bytes and the
    suffix; any other name as it is.
    """
    match = _TEMP_NAME.fullmatch(name)
    return match[1] + match[2] if match else name


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold `folder`, made where it is not there, for the block alone; removed after it if nothing
    came into it.

    A process that ends, however it ends, holds nothing. Raises OutputError where another block
    holds the folder, and where it cannot be made. Where the system knows no locks on folders, all
    are let in.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {folder}: {error.strerror or error}; choose another"
        ) from error
    handle = _locked(folder)
    try:
        yield
    finally:
        with suppress(OSError):
            folder.rmdir()
        if handle is not None:
            os.close(handle)


def _locked(folder: Path) -> int | None:
    """A handle that holds the folder until it is closed; None without locks."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise OutputError(
                f"{folder} is being written by another command: wait for it, or choose another"
            ) from error
        return None
    return handle


@contextmanager
def atomic_folder(folder: Path, source: Path | None) -> Iterator[Path]:
    """Yield an empty folder that becomes `folder` when the block ends well, and is removed
    otherwise.

    Raises OutputError when `folder` holds something, lies in `source` or around it, or cannot be
    written.
    """
    if source is not None:
        target = folder.resolve()
        origin = source.resolve()
        if target.is_relative_to(origin) or origin.is_relative_to(target):
            raise OutputError(
                f"{folder}: lies in the data set or around it; choose a folder elsewhere"
            )
    check_is_new(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=_temp_prefix(folder.name), dir=folder.parent))
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error.strerror or error}; choose another folder"
        ) from error
    try:
        yield stage
        stage.chmod(0o777 & ~_UMASK)
        if folder.exists():
            folder.rmdir()
        stage.rename(folder)
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error.strerror or error}; nothing was left there"
        ) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def check_is_new(folder: Path) -> None:
    """Raises OutputError when `folder` is a file or holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder}: exists already; choose a new folder, or remove it first")


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically; its lines end as they do in it, also on Windows."""
    with atomic(path) as temp_path:
        temp_path.write_text(text, encoding="utf-8", newline="\n")


def _temp_prefix(name: str) -> str:
    """How the name of a temporary file begins."""
    return f".{name.encode(errors='ignore')[:_PREFIX].decode(errors='ignore')}."


def _output_error(path: Path, error: OSError) -> OutputError:
    if error.errno in _FULL:
        return OutputError(
            f"cannot write {path}: no space left; free some and run again, the earlier file is kept"
        )
    return OutputError(
        f"cannot write {path}: {error.strerror or error}; choose a folder that can be written to"
    )
