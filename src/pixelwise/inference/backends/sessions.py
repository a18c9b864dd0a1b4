"""Runners on ONNX Runtime and OpenVINO."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from threading import Lock, local
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from pixelwise.errors import ConfigError, ModelError, first_line
from pixelwise.hardware import count_cores, count_threads
from pixelwise.inference.backends.image_input import ImageInput, read_image_input
from pixelwise.inference.backends.signal_stack import keep_signal_stack
from pixelwise.inference.threads import CALLS, WORKERS
from pixelwise.inference.tta import Logits, Pixels, Runner
from pixelwise.optional import require_package

RUNTIMES = ("auto", "torch", "onnxruntime", "openvino")

# Operators prepared for one shape of input that OpenVINO caches, a stream: some eight shapes. Its
# own 5000 are hundreds of megabytes where every image has another size
# (benchmarks/results/serve.md).
_CACHED_OPERATORS = 512

# Shapes that may stay prepared when memory is released.
_MAX_PREPARED_SHAPES = 4


class OnnxRunner:
    """An ONNX file of `pixelwise export` on ONNX Runtime, on the CPU in float32. A call that is
    alone computes on all cores, one of many on its share of them. Pictures have so many
    `channels`.

    Raises ConfigError where onnxruntime is not installed; the first call, or look at `input`,
    raises ModelError for a file that it cannot run.
    """

    def __init__(self, path: Path, *, channels: int = 3) -> None:
        self._runtime = require_package("onnxruntime")
        self._path = path
        self._channels = channels
        self._sessions = dict[int, Any]()  # by the number of threads
        self._lock = Lock()

    @cached_property
    def input(self) -> ImageInput:
        """What the network takes."""
        entries = self._session(alone=True).get_inputs()
        inputs = [(entry.name, entry.type, entry.shape) for entry in entries]
        return read_image_input(self._path, inputs, self._channels)

    def __call__(self, rgb: Pixels) -> Logits:
        """Logits (N, C, H, W), float32, of uint8 `rgb` (N, 3, H, W)."""
        with CALLS.begin() as alone:
            session = self._session(alone=alone)
            with _name_picture_in_errors(self._path, "ONNX Runtime", rgb):
                logits = session.run(None, {session.get_inputs()[0].name: rgb})[0]
        return _as_float32(logits)

    def release_memory(self) -> None:
        """Release the memory of the sessions but one; the next call takes it again."""
        with self._lock:
            while len(self._sessions) > 1:
                self._sessions.popitem()

    def _session(self, *, alone: bool) -> Any:
        threads = count_threads() if alone else max(1, count_threads() // WORKERS)
        with self._lock:
            if threads not in self._sessions:
                self._sessions[threads] = self._make_session(threads)
            return self._sessions[threads]

    def _make_session(self, threads: int) -> Any:
        try:
            options = self._runtime.SessionOptions()
            options.intra_op_num_threads = threads
            return self._runtime.InferenceSession(
                str(self._path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its error types derive from Exception alone
            raise ModelError(
                f"model {self._path}: ONNX Runtime cannot run it ({first_line(error)}); "
                "export it again"
            ) from error


class OpenVinoRunner:
    """An ONNX file of `pixelwise export` on OpenVINO, on the CPU. `precision`: float32 or bfloat16.
    A call that is alone computes on all cores, one of many on its share of them.

    Raises ConfigError where openvino is not installed and ModelError for a file that it cannot
    read; a call raises ModelError for one that it cannot compile.
    """

    def __init__(self, path: Path, *, precision: str = "float32", channels: int = 3) -> None:
        openvino = require_package("openvino")
        self._path = path
        self._core = openvino.Core()
        self._settings = {
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
            "INFERENCE_NUM_THREADS": count_threads(),
            # Every process binds its threads to the first cores: several that share a machine would
            # meet on these.
            "ENABLE_CPU_PINNING": count_threads() >= count_cores(),
            "CPU_RUNTIME_CACHE_CAPACITY": _CACHED_OPERATORS,
        }
        with self._name_model_in_errors():
            self._model = self._core.read_model(str(path))
        inputs = list(map(_describe_port, self._model.inputs))
        self.input = read_image_input(path, inputs, channels)
        self.networks = dict[int, _Network]()  # for any shape, by the number of streams
        self.steady_networks = WeakValueDictionary[tuple[int, ...], _Network]()
        self._lock = Lock()
        self._shapes = set[tuple[int, ...]]()
        # What its binding of arrays sets up at first use must not be begun by two threads: each
        # waits for the other.
        _ = openvino.Tensor(np.zeros(1, np.uint8)).data

    def __call__(self, rgb: Pixels) -> Logits:
        """Logits (N, C, H, W), float32, of uint8 `rgb` (N, 3, H, W)."""
        with CALLS.begin() as alone:
            streams = 1 if alone else _streams()
            with self._lock:
                self._shapes.add(rgb.shape)
                if streams not in self.networks:
                    self.networks[streams] = self._compile(streams)
                network = self.networks[streams]
            return self._infer(network, rgb)

    def specialize_for_shape(self) -> Runner:
        """The same for many inputs of one shape. A network compiled for it takes half the memory
        and up to a quarter less time (benchmarks/results/large_image.md); the logits differ in
        their last digits.

        The network lives as long as what is returned, and is shared by all that are in use.
        """
        in_use = dict[tuple[int, ...], _Network]()  # weak references alone would let them go

        def run(rgb: Pixels) -> Logits:
            with self._lock:
                network = self.steady_networks.get(rgb.shape)
                network = network or self._compile(_streams(), rgb.shape)
                self.steady_networks[rgb.shape] = network
                in_use[rgb.shape] = network
            return self._infer(network, rgb)

        return run

    def release_memory(self) -> None:
        """Release the memory that is held between calls; the next call takes it again.

        What is prepared for single shapes goes only with the network, which is compiled again if
        there were some.
        """
        with self._lock:
            if len(self._shapes) > _MAX_PREPARED_SHAPES:
                self.networks.clear()
                self._shapes.clear()
            for network in self.networks.values():
                network.compiled.release_memory()

    def _infer(self, network: "_Network", rgb: Pixels) -> Logits:
        with _name_picture_in_errors(self._path, "OpenVINO", rgb):
            logits = network(rgb)
        return _as_float32(logits)

    def _compile(self, streams: int, shape: tuple[int, ...] | None = None) -> "_Network":
        model = self._model
        hint = "LATENCY" if streams == 1 else "THROUGHPUT"
        settings = {**self._settings, "PERFORMANCE_HINT": hint, "NUM_STREAMS": streams}
        with self._name_model_in_errors(), keep_signal_stack():
            if shape is not None:
                model = model.clone()
                model.reshape(list(shape))
            compiled = self._core.compile_model(model, "CPU", settings)
            return _Network(compiled, self.input)

    @contextmanager
    def _name_model_in_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise ModelError(
                f"model {self._path}: OpenVINO cannot run it ({first_line(error)}); export it again"
            ) from error


def _streams() -> int:
    """Those of OpenVINO, each of which has its share of the cores, for many calls."""
    return min(WORKERS, count_threads())


@cache
def openvino_has_bfloat16() -> bool:
    """Whether OpenVINO finds instructions for bfloat16 in this processor; PyTorch is not needed."""
    try:
        core = require_package("openvino").Core()
        return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except Exception:  # a package that is damaged is named when it is to compute
        return False


class _Network:
    """A compiled network of OpenVINO, and each thread's own request to it."""

    def __init__(self, compiled: Any, image_input: ImageInput) -> None:
        self.compiled = compiled
        self._input = image_input
        self._of_thread = local()

    def __call__(self, rgb: Pixels) -> Logits:
        if not hasattr(self._of_thread, "request"):
            with keep_signal_stack():
                self._of_thread.request = self.compiled.create_infer_request()
        # a copy: the request's own memory is used again
        logits: Logits = self._of_thread.request.infer({self._input.name: rgb})[0]
        return logits


def _describe_port(port: Any) -> tuple[str, str, list[int | None]]:
    """Name, type and shape of an input of OpenVINO; None for a side that is free."""
    shape = [None if side.is_dynamic else side.get_length() for side in port.partial_shape]
    return port.any_name, port.element_type.to_dtype().name, shape


def _as_float32(logits: Any) -> Logits:
    """Logits of a network that other tools changed to half precision are ours again."""
    converted: Logits = np.asarray(logits, np.float32)
    return converted


@contextmanager
def _name_picture_in_errors(path: Path, runtime: str, rgb: Pixels) -> Iterator[None]:
    """What a runtime raises while it runs, as an error of ours."""
    try:
        yield
    except Exception as error:  # the runtimes' types derive from RuntimeError and Exception alone
        height, width = rgb.shape[-2:]
        where = f"model {path}: {runtime} cannot label {height} x {width} pixels"
        if _is_out_of_memory(error):
            raise ConfigError(
                f"{where}: too little free memory; choose smaller tiles with --tile"
            ) from error
        raise ModelError(
            f"{where} ({first_line(error)}); where another tool changed the file, export it again"
        ) from error


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "allocate memory" in text or "bad_alloc" in text
