"""From a model file to something that predicts."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import torch

from pixelwise.checkpoint import load_model, model_path
from pixelwise.errors import ConfigError, ModelError, unknown
from pixelwise.images import pixel_count
from pixelwise.inference.auto import AutoRunner, cache_folder, kept_file, machine_key, model_key
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.runners import Runner, TorchRunner
from pixelwise.inference.runtimes import RUNTIMES, OnnxRunner, OpenVinoRunner, installed
from pixelwise.models.segmenter import Segmenter
from pixelwise.monitor import Monitor
from pixelwise.onnx_file import read_onnx_header, to_onnx

TILE = (1024, 1024)
OVERLAP = 0.25
ENOUGH_TO_MEASURE = 30_000_000
"""Pixels from which on `auto` prepares and measures other runtimes: with fewer PyTorch would be done before."""

DEVICES = ("auto", "cpu", "cuda")


def load(
    model: str | Path,
    *,
    device: str = "auto",
    precision: str = "float32",
    tile: tuple[int, int] = TILE,
    overlap: float = OVERLAP,
    runtime: str = "torch",
    max_memory: int | None = None,
    monitor: Monitor | None = None,
) -> Predictor:
    """A Predictor from a run folder, a .safetensors model file, or an .onnx file of `pixelwise export`.

    Images above `tile` (height, width) pixels are read in tiles that share `overlap` of their sides; `max_memory`, in
    bytes, bounds the sums of logits of those read by window. `runtime` is one of RUNTIMES; `auto` measures those that
    are installed at the first tile, in float32 and bfloat16, and keeps the fastest whose labels agree. Raises
    ModelError for a file that is missing, damaged or not a model, ConfigError for a device, precision or runtime that
    cannot be.
    """
    where, path = choose_device(device), Path(model)
    if runtime not in RUNTIMES:
        raise unknown("runtime", runtime, RUNTIMES)
    if path.suffix == ".onnx":
        header = read_onnx_header(path)
        runner = _of_onnx(path, runtime, precision)
    else:
        segmenter, header = load_model(path)
        runner = _of_segmenter(path, segmenter, where, precision, runtime, monitor or Monitor())
    return Predictor(runner, header.classes, tile=tile, overlap=overlap, max_memory=max_memory)


def worth_measuring(runtime: str, images: Iterable[Path], model: Path) -> str:
    """`auto` only where there are pixels enough to pay for preparing other runtimes, and `torch` otherwise."""
    if runtime != "auto" or model.suffix == ".onnx":
        return runtime
    work = 0
    for image in images:
        work += pixel_count(image) or 0
        if work >= ENOUGH_TO_MEASURE:
            return "auto"
    return "torch"


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU where PyTorch finds one. Raises ConfigError for an unknown or absent device."""
    if name not in DEVICES:
        raise ConfigError(f"device is {name!r}: choose one of {', '.join(DEVICES)}")
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise ConfigError("device is 'cuda', but PyTorch finds no GPU here; choose cpu or auto")
    return torch.device("cuda" if present and name != "cpu" else "cpu")


def _of_onnx(path: Path, runtime: str, precision: str) -> Runner:
    if runtime == "torch":
        runtime = "onnxruntime"
    if runtime == "openvino" or (runtime == "auto" and installed("openvino")):
        return OpenVinoRunner(path, precision=precision)
    return OnnxRunner(path)


def _of_segmenter(
    path: Path,
    segmenter: Segmenter,
    device: torch.device,
    precision: str,
    runtime: str,
    monitor: Monitor,
) -> Runner:
    if runtime == "torch" or device.type == "cuda":
        return TorchRunner(segmenter, device=device, precision=precision)
    file = model_path(path)
    folder, key = cache_folder(), model_key(file)
    network = partial(kept_file, folder / f"{key}.onnx", partial(to_onnx, segmenter))
    if runtime != "auto":
        return _rebuilt(network, partial(_runner, runtime, precision))
    candidates: dict[str, Callable[[], Runner]] = {
        f"torch {name}": partial(TorchRunner, segmenter, device=device, precision=name)
        for name in ("float32", "bfloat16")
    }
    for name, number in (("onnxruntime", "float32"), ("openvino", "float32"), ("openvino", "bfloat16")):
        if installed(name):
            candidates[f"{name} {number}"] = partial(_rebuilt, network, partial(_runner, name, number))
    return AutoRunner(candidates, remembered=folder / f"{key}-{machine_key()}.json", monitor=monitor)


def _runner(runtime: str, precision: str, path: Path) -> Runner:
    return OpenVinoRunner(path, precision=precision) if runtime == "openvino" else OnnxRunner(path)


def _rebuilt(network: Callable[[], Path], make: Callable[[Path], Runner]) -> Runner:
    """The runner on the kept network; where the kept file is damaged, on a new one."""
    path = network()
    try:
        return make(path)
    except ModelError:
        path.unlink()
        return make(network())
