"""Folders for temporary files that name their process, so that those of processes that were killed can be removed."""

import os
import re
import shutil
import socket
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir


def scratch_folder() -> "TemporaryDirectory[str]":
    """A folder for this process. Those that this user's processes on this node have left behind are removed."""
    node = f"{re.sub(r'[^A-Za-z0-9]', '_', socket.gethostname())}-"  # nodes may share the place
    _remove_left(node)
    return TemporaryDirectory(prefix=f"pixelwise-{os.getpid()}-{node}")


def _remove_left(node: str) -> None:
    if os.name != "posix":  # where to ask for a process may end it
        return
    ours = re.compile(rf"pixelwise-(\d+)-{node}[a-z0-9_]{{8}}")
    for path in Path(gettempdir()).glob(f"pixelwise-*-{node}*"):
        found = ours.fullmatch(path.name)
        if found and _is_of_this_user(path) and not _runs(int(found[1])):
            shutil.rmtree(path, ignore_errors=True)


def _is_of_this_user(path: Path) -> bool:
    """Whether it is a folder, no link to one, and this user's."""
    try:
        return path.is_dir() and not path.is_symlink() and path.lstat().st_uid == os.getuid()
    except OSError:  # another worker has removed it meanwhile
        return False


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's, or no number of a process
        return True
    return True
