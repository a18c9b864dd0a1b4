"""The heap keeps what was freed while it is told to, and gives it back after."""

import subprocess
import sys

import pytest

FAULTS = """
import resource
from contextlib import nullcontext
import numpy as np
from pixelwise.malloc import retain_memory

with {held}:
    for _ in range(2):
        np.ones(48 << 20, np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        np.ones(48 << 20, np.uint8)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
resident = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20
print(faults, resident)
"""


def measured(held: str) -> tuple[int, float]:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(held=held)], capture_output=True, text=True, check=True
    )
    faults, resident = done.stdout.split()
    return int(faults), float(resident)


@pytest.mark.skipif(sys.platform != "linux", reason="the heap of other systems is left alone")
def test_large_arrays_come_from_what_was_freed_and_it_is_given_back_at_the_end() -> None:
    plain, _ = measured("nullcontext()")
    if plain < 4 * 12_000 / 512:
        pytest.skip("this C library keeps freed memory by itself")
    kept, resident = measured("retain_memory()")
    assert kept < plain / 10
    assert resident < 48 + 40  # the arrays of 48 MiB are gone
