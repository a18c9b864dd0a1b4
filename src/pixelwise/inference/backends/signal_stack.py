"""The thread's alternate signal stack, kept as Python set it up.

OpenVINO 2026.4 sets one of its own in each thread that compiles or runs a network, and frees its
memory while it is still in place: a later signal that Python handles (Ctrl-C, the end of a child
process) could end the process with a segmentation fault. Python has no call for it, so that C's
sigaltstack(2) is asked by ctypes. To be deleted when the least OpenVINO that pyproject.toml allows
leaves the stack alone; tests/inference/backends shows whether it does.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _SignalStack(ctypes.Structure):
    """C's `stack_t`."""

    _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextmanager
def keep_signal_stack() -> Iterator[None]:
    """Gives the thread its alternate signal stack back after the block."""
    if sys.platform != "linux":
        yield
        return
    library = ctypes.CDLL(None)
    before = _SignalStack()
    library.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        library.sigaltstack(ctypes.byref(before), None)
