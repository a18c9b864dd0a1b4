import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pixelwise
from pixelwise.inference.backends import sessions
from pixelwise.inference.threads import CALLS
from pixelwise.inference.tta import release_memory, specialize_for_shape

pytestmark = pytest.mark.usefixtures("own_cache")

TWO_THREADS = """
import sys, threading, time
from pathlib import Path
import numpy, numpy.lib
from pixelwise.inference.backends.sessions import OpenVinoRunner
version = numpy.lib.NumpyVersion
def slow(text):
    time.sleep(0.3)  # for the other thread to come there too
    return version(text)
numpy.lib.NumpyVersion = slow  # called by OpenVINO when it first looks at a tensor
runner, gate = OpenVinoRunner(Path(sys.argv[1])), threading.Barrier(2)
def run():
    gate.wait()
    runner(numpy.zeros((1, 3, 64, 64), numpy.uint8))
threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join(10) for thread in threads]
sys.stdout.write(str(sum(thread.is_alive() for thread in threads)))
sys.stdout.flush()
import os; os._exit(0)
"""

SIGNAL_STACK = """
import ctypes, sys, numpy, pixelwise
def stack():
    found = (ctypes.c_uint64 * 3)()
    ctypes.CDLL(None).sigaltstack(None, found)
    return list(found)
before = stack()
runner = pixelwise.load(sys.argv[1], runtime="openvino").runner
runner(numpy.zeros((1, 3, 64, 64), numpy.uint8))
print(stack() == before)
"""


def pixels(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (1, 3, height, width), np.uint8)


def test_the_first_two_threads_on_openvino_do_not_wait_for_each_other(
    exported_file: Callable[..., Path],
) -> None:
    words = [sys.executable, "-c", TWO_THREADS, str(exported_file(".onnx"))]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=100)
    assert done.stdout == "0", done.stderr


def test_openvino_leaves_the_signal_stack_as_it_was(exported_file: Callable[..., Path]) -> None:
    """It puts one in place that does not hold, on which Python's signal handlers crash."""
    words = [sys.executable, "-c", SIGNAL_STACK, str(exported_file(".onnx"))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", (done.returncode, done.stderr)


def test_openvino_gives_its_memory_back_and_works_on(model_file: Callable[..., Path]) -> None:
    runner = pixelwise.load(model_file(), runtime="openvino").runner
    rgb = pixels(96, 64)
    before = runner(rgb)
    release_memory(runner)
    assert np.array_equal(runner(rgb), before)


def test_after_many_shapes_openvino_prepares_the_network_again(
    model_file: Callable[..., Path], own_cache: Path
) -> None:
    runner = pixelwise.load(model_file(), runtime="openvino").runner
    rgb = pixels(96, 64)
    before = runner(rgb)
    release_memory(runner)
    assert runner.networks  # type: ignore[attr-defined]
    for side in range(32, 32 * 6, 32):
        runner(np.zeros((1, 3, side, 32), np.uint8))
    for file in own_cache.rglob("*.onnx"):
        file.write_bytes(b"another network")
    release_memory(runner)
    assert not runner.networks  # type: ignore[attr-defined]
    assert np.array_equal(runner(rgb), before)


def test_openvino_compiles_for_the_shape_of_many_tiles_as_long_as_it_is_used(
    model_file: Callable[..., Path],
) -> None:
    runner = pixelwise.load(model_file("unet"), runtime="openvino").runner
    shared = runner.steady_networks  # type: ignore[attr-defined]
    first = specialize_for_shape(runner)
    second = specialize_for_shape(runner)
    for side in (32, 96, 45, 96):
        rgb = pixels(side, 64)
        np.testing.assert_allclose(first(rgb), runner(rgb), atol=1e-4)
    network = shared[1, 3, 45, 64]
    second(np.zeros((1, 3, 45, 64), np.uint8))
    assert shared[1, 3, 45, 64] is network
    del first, network
    assert list(shared) == [(1, 3, 45, 64)]
    del second
    assert not shared


def test_a_call_alone_has_all_cores_and_one_of_many_its_share(
    model_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "count_threads", lambda: 8)
    monkeypatch.setattr(sessions, "WORKERS", 4)
    model = model_file()
    rgb = pixels(64, 96)
    onnx = pixelwise.load(model, runtime="onnxruntime").runner
    openvino = pixelwise.load(model, runtime="openvino").runner
    expected = onnx(rgb)
    np.testing.assert_allclose(openvino(rgb), expected, atol=1e-4)
    assert list(onnx._sessions) == [8]  # type: ignore[attr-defined]
    assert list(openvino.networks) == [1]  # type: ignore[attr-defined]
    with CALLS.expect_many():
        np.testing.assert_allclose(onnx(rgb), expected, atol=1e-5)
        np.testing.assert_allclose(openvino(rgb), expected, atol=1e-4)
    sessions_of = {
        threads: session.get_session_options().intra_op_num_threads
        for threads, session in onnx._sessions.items()  # type: ignore[attr-defined]
    }
    assert sessions_of == {8: 8, 2: 2}
    assert list(openvino.networks) == [1, 4]  # type: ignore[attr-defined]
    alone = openvino.networks[1].compiled  # type: ignore[attr-defined]
    assert alone.get_property("NUM_STREAMS") == 1
    release_memory(onnx)
    assert list(onnx._sessions) == [8]  # type: ignore[attr-defined]
