"""The C library's heap: how much freed memory it keeps, and when it returns it to the system. glibc
only.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_MMAP_MAX = -4
_ARENA_MAX = -8  # malloc.h
_KEPT = 2**31 - 1
_MEBIBYTE = 2**20


def single_arena() -> None:
    """One heap for all new threads: what one thread frees, the others use.

    With a heap for each thread, a burst of large pictures leaves twice as much memory in use
    (benchmarks/results/serve.md).
    """
    _of_libc("mallopt", _ARENA_MAX, 1)


@contextmanager
def retain_memory() -> Iterator[None]:
    """Keep freed memory for the next tensor while the block runs, in one heap for all threads; also
    a decorator. It tunes the whole process: for commands, not for library functions.

    glibc takes arrays above 32 MiB from the system one by one and gives each back, and the system
    clears every page of every one: a step on large batches spends three fifths of its time there
    (benchmarks/results/train_speed.md).
    """
    single_arena()
    _of_libc("mallopt", _MMAP_MAX, 0)
    _of_libc("mallopt", _TRIM_THRESHOLD, _KEPT)
    try:
        yield
    finally:
        _of_libc("mallopt", _MMAP_MAX, 65536)  # the rest as glibc adapts it to large arrays
        _of_libc("mallopt", _MMAP_THRESHOLD, 32 * _MEBIBYTE)
        _of_libc("mallopt", _TRIM_THRESHOLD, 64 * _MEBIBYTE)
        trim_memory()


def trim_memory() -> None:
    """Return free memory to the system."""
    _of_libc("malloc_trim", 0)


def _of_libc(function: str, *numbers: int) -> None:
    if sys.platform == "linux":
        with suppress(AttributeError):  # musl has none
            getattr(ctypes.CDLL(None), function)(*numbers)
