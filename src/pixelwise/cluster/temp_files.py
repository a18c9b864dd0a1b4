"""What processes leave behind that are killed: temporary folders, which name their process, and
drafts of results.
"""

import os
import re
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

DRAFT = re.compile(r"\A\.(.+)\.[a-z0-9_]{8}(\.\w+)\Z", re.DOTALL)
"""A file of `files.atomic` that is not whole yet: the beginning of its name-to-be, and the
ending.
"""

_PLAIN = 90
"""Bytes of its beginning that are looked at: of a name above 100 bytes a draft has not more than
that.
"""


def temp_folder() -> "TemporaryDirectory[str]":
    """A folder for this process. Those that this user's processes on this node have left behind are
    removed.
    """
    node = f"{re.sub(r'[^A-Za-z0-9]', '_', socket.gethostname())}-"  # nodes may share the place
    _remove_left(node)
    return TemporaryDirectory(prefix=f"pixelwise-{os.getpid()}-{node}")


def find_temp_files(names: Iterable[str], there: Iterable[str]) -> list[str]:
    """Those of the files `there` that are drafts of one of `names`."""
    whole = {(_cut(path.stem), path.suffix) for path in map(Path, names)}
    found = ((name, DRAFT.fullmatch(name)) for name in there)
    return [name for name, draft in found if draft and (_cut(draft[1]), draft[2]) in whole]


def _cut(stem: str) -> bytes:
    """What a draft has of a name at least."""
    return stem.encode(errors="ignore")[:_PLAIN]


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
