"""The heap keeps what was freed while it is told to, and gives it back after; only commands tell it."""

import subprocess
import sys
from pathlib import Path

import pytest

import pixelwise
from pixelwise import malloc
from pixelwise.cli.main import main
from pixelwise.errors import PixelwiseError

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


def test_a_command_tunes_the_heap_and_a_library_call_leaves_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(malloc, "_of_libc", lambda function, *_: calls.append(function))
    with pytest.raises(PixelwiseError):
        pixelwise.train(tmp_path / "absent", tmp_path / "run")
    with pytest.raises(PixelwiseError):
        pixelwise.stylize(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert pixelwise.predict("animals", tmp_path / "absent.jpg", tmp_path / "masks").failed
    assert calls == []
    monkeypatch.setattr(sys, "argv", ["pixelwise", "train", "absent", "--out", str(tmp_path / "r")])
    with pytest.raises(SystemExit):
        main()
    assert calls.count("malloc_trim") == 1
