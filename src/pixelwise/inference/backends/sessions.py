"""Runners on ONNX Runtime and OpenVINO, and the choice of the fastest one whose labels agree."""

import ctypes
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, local
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from pixelwise.errors import ModelError, first_line
from pixelwise.hardware import count_cores, count_threads
from pixelwise.inference.threads import WORKERS
from pixelwise.inference.tta import Logits, Pixels, Runner
from pixelwise.optional import require_package

RUNTIMES = ("auto", "torch", "onnxruntime", "openvino")

# Share of pixels whose label must be that of PyTorch in float32 for `auto` to take another runner.
AGREEMENT = 0.995

_TRIALS = 3

# Operators prepared for one shape of input that OpenVINO keeps, a stream: some eight shapes. Its
# own 5000 are hundreds of megabytes where every picture has another size
# (benchmarks/results/serve.md).
_MAX_CACHED_OPERATORS = 512

# Shapes that may stay prepared when memory is given back.
_MAX_CACHED_SHAPES = 4


class OnnxRunner:
    """An ONNX file of `pixelwise export` on ONNX Runtime, on the CPU in float32.

    Raises ConfigError where onnxruntime is not installed and ModelError for a file that it cannot
    run.
    """

    def __init__(self, path: Path) -> None:
        runtime = require_package("onnxruntime")
        try:
            options = runtime.SessionOptions()
            options.intra_op_num_threads = max(1, count_threads() // WORKERS)
            self.session = runtime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its error types derive from Exception alone
            raise ModelError(
                f"model {path}: ONNX Runtime cannot run it ({first_line(error)}); export it again"
            ) from error

    def __call__(self, rgb: Pixels) -> Logits:
        """Logits (N, C, H, W), float32, of uint8 `rgb` (N, 3, H, W)."""
        logits: Logits = self.session.run(None, {"rgb": rgb})[0]
        return logits


class OpenVinoRunner:
    """An ONNX file of `pixelwise export` on OpenVINO, on the CPU. `precision`: float32 or bfloat16.

    Raises ConfigError where openvino is not installed and ModelError for a file that it cannot
    read; a call raises ModelError for one that it cannot compile.
    """

    def __init__(self, path: Path, *, precision: str = "float32") -> None:
        openvino = require_package("openvino")
        self._path = path
        self._core = openvino.Core()
        self._settings = {
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": min(WORKERS, count_threads()),
            "INFERENCE_NUM_THREADS": count_threads(),
            # Every process binds its threads to the first cores: several that share a machine would
            # meet on these.
            "ENABLE_CPU_PINNING": count_threads() >= count_cores(),
            "CPU_RUNTIME_CACHE_CAPACITY": _MAX_CACHED_OPERATORS,
        }
        with self._translated_errors():
            self._model = self._core.read_model(str(path))
        self.network: _Network | None = None  # for any shape
        self.steady_networks = WeakValueDictionary[tuple[int, ...], _Network]()
        self._turn = Lock()
        self._shapes = set[tuple[int, ...]]()
        # What its binding of arrays sets up at first use must not be begun by two threads: each
        # waits for the other.
        _ = openvino.Tensor(np.zeros(1, np.uint8)).data

    def __call__(self, rgb: Pixels) -> Logits:
        """Logits (N, C, H, W), float32, of uint8 `rgb` (N, 3, H, W)."""
        with self._turn:
            self._shapes.add(rgb.shape)
            self.network = network = self.network or self._compile()
        return network(rgb)

    def specialize_for_shape(self) -> Runner:
        """The same for many inputs of one shape. A network compiled for it takes half the memory
        and up to a quarter less time (benchmarks/results/large_image.md); the logits differ in
        their last digits.

        The network lives as long as what is returned, and is shared by all that are in use.
        """
        own_networks = dict[tuple[int, ...], _Network]()

        def run(rgb: Pixels) -> Logits:
            with self._turn:
                network = self.steady_networks.get(rgb.shape) or self._compile(rgb.shape)
                own_networks[rgb.shape] = self.steady_networks[rgb.shape] = network
            return network(rgb)

        return run

    def release_memory(self) -> None:
        """Give back the memory that is kept between calls; the next call takes it again.

        What is prepared for single shapes goes only with the network, which is compiled again if
        there were some.
        """
        with self._turn:
            if len(self._shapes) > _MAX_CACHED_SHAPES:
                self.network = None
                self._shapes.clear()
            elif self.network:
                self.network.compiled.release_memory()

    def _compile(self, shape: tuple[int, ...] | None = None) -> "_Network":
        model = self._model
        with self._translated_errors(), kept_signal_stack():
            if shape is not None:
                model = model.clone()
                model.reshape(list(shape))
            return _Network(self._core.compile_model(model, "CPU", self._settings))

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise ModelError(
                f"model {self._path}: OpenVINO cannot run it ({first_line(error)}); export it again"
            ) from error


class _Network:
    """A compiled network of OpenVINO, and each thread's own request to it."""

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled
        self._per_thread = local()

    def __call__(self, rgb: Pixels) -> Logits:
        if not hasattr(self._per_thread, "request"):
            with kept_signal_stack():
                self._per_thread.request = self.compiled.create_infer_request()
        # a copy: the request's own memory is used again
        logits: Logits = self._per_thread.request.infer({"rgb": rgb})[0]
        return logits


@dataclass(frozen=True)
class Trial:
    """How one runner did on a few tiles: seconds for a tile (the best of a few), and the share of
    labels that agree.
    """

    seconds: float
    agreement: float


def try_runners(
    candidates: Mapping[str, Runner], tile: Pixels, *, reference: str
) -> dict[str, Trial]:
    """Time every candidate on `tile`, uint8 (N, 3, H, W), in turn, and compare its labels with the
    reference's.

    As many tiles run at once as in a long prediction; the seconds are those for all of them, by
    their number.
    """
    seconds = dict.fromkeys(candidates, float("inf"))
    with ThreadPoolExecutor(WORKERS) as pool:
        tiles = [tile] * WORKERS
        labels = {name: run(tile).argmax(1) for name, run in candidates.items()}
        for _ in range(1 + _TRIALS):  # the first round is not the best one
            for name, run in candidates.items():
                start = time.perf_counter()
                list(pool.map(run, tiles))
                seconds[name] = min(seconds[name], (time.perf_counter() - start) / WORKERS)
    truth = labels[reference]
    return {
        name: Trial(seconds[name], float((labels[name] == truth).mean())) for name in candidates
    }


def fastest(trials: Mapping[str, Trial]) -> str:
    """The name of the fastest of those that agree. The reference always does."""
    agreeing = {name: trial for name, trial in trials.items() if trial.agreement >= AGREEMENT}
    return min(agreeing, key=lambda name: agreeing[name].seconds)


class _SignalStack(ctypes.Structure):
    """C's `stack_t`."""

    _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Gives the thread its alternate signal stack back after the block.

    OpenVINO 2026.4 leaves one behind that does not hold: a later signal that Python handles
    (Ctrl-C, the end of a child process) could end the process with a segmentation fault.
    """
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
