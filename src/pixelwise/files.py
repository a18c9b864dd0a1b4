"""Writing files so that a reader never sees half of one."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixelwise.errors import OutputError

_UMASK = os.umask(0)
"""Read once: it can only be read by setting it, for all threads."""
os.umask(_UMASK)

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends well, remove it otherwise.

    The file gets the mode a plain `open` would give. Raises OutputError where it cannot be written or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _output_error(path, error) from error
    draft = Path(name)
    try:
        yield draft
        with draft.open("rb+") as written:
            os.fsync(written.fileno())
        draft.chmod(0o666 & ~_UMASK)
        draft.replace(path)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _output_error(path: Path, error: OSError) -> OutputError:
    if error.errno in _FULL:
        return OutputError(f"cannot write {path}: no space left; free some and run again, the file of before is kept")
    return OutputError(f"cannot write {path}: {error.strerror or error}; choose a folder that can be written to")
