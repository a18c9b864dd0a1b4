"""What processes leave behind that are killed: temporary folders, which name their process, and
temporary files of results.
"""

import os
import re
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from pixelwise.io.atomic import final_name

# Bytes of a name's beginning that are compared: a temporary file has not more of a name above 100.
_COMPARED_BYTES = 90


def temp_folder() -> "TemporaryDirectory[str]":
    """A folder for this process. Those that this user's processes on this node have left behind are
    removed.
    """
    node = f"{re.sub(r'[^A-Za-z0-9]', '_', socket.gethostname())}-"  # nodes may share the place
    _remove_orphans(node)
    return TemporaryDirectory(prefix=f"pixelwise-{os.getpid()}-{node}")


def find_temp_files(names: Iterable[str], existing: Iterable[str]) -> list[str]:
    """Those of the files `existing` that are temporary files of one of `names`."""
    results = {_shortened(name) for name in names}
    return [
        name
        for name in existing
        if final_name(name) != name and _shortened(final_name(name)) in results
    ]


def _shortened(name: str) -> tuple[bytes, str]:
    path = Path(name)
    return path.stem.encode(errors="ignore")[:_COMPARED_BYTES], path.suffix


def _remove_orphans(node: str) -> None:
    if os.name != "posix":  # where to ask for a process may end it
        return
    pattern = re.compile(rf"pixelwise-(\d+)-{node}[a-z0-9_]{{8}}")
    for path in Path(gettempdir()).glob(f"pixelwise-*-{node}*"):
        match = pattern.fullmatch(path.name)
        if match and _is_of_this_user(path) and not _is_running(int(match[1])):
            shutil.rmtree(path, ignore_errors=True)


def _is_of_this_user(path: Path) -> bool:
    """Whether it is a folder, no link to one, and this user's."""
    try:
        return path.is_dir() and not path.is_symlink() and path.lstat().st_uid == os.getuid()
    except OSError:  # another worker has removed it meanwhile
        return False


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's, or no number of a process
        return True
    return True
