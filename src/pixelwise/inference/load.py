"""From a model file to something that predicts."""

from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path

from pixelwise.errors import ConfigError, ModelError, unknown_choice_error
from pixelwise.hardware import DEVICES, PRECISIONS, choose_device
from pixelwise.inference.backends.autotune import (
    AutoRunner,
    cache_file,
    machine_key,
    model_key,
)
from pixelwise.inference.backends.onnx_file import read_onnx_header
from pixelwise.inference.backends.openvino_file import read_openvino_header
from pixelwise.inference.backends.sessions import RUNTIMES, OnnxRunner, OpenVinoRunner
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.tiling import OVERLAP, TILE, TilePlan
from pixelwise.inference.tta import Runner
from pixelwise.io.cache import cache_folder
from pixelwise.io.images import pixel_count
from pixelwise.io.shards import UNKNOWN, parse_slot
from pixelwise.io.storage import is_uri
from pixelwise.models.checkpoint import Header, load_model, model_path, read_header
from pixelwise.optional import is_installed, require_package
from pixelwise.progress import Progress

# Pixels from which on `auto` prepares and measures other runtimes: with fewer PyTorch would be done
# before.
MIN_PIXELS_TO_MEASURE = 30_000_000

EXPORTED = (".onnx", ".xml")


def load(
    model: str | Path,
    *,
    device: str = "auto",
    precision: str | None = None,
    tile: tuple[int, int] = TILE,
    overlap: float = OVERLAP,
    runtime: str = "torch",
    max_memory: int | None = None,
    progress: Progress | None = None,
) -> Predictor:
    """A Predictor from a run folder, a .safetensors model file, or an .onnx or .xml file of
    `pixelwise export`.

    Images above `tile` (height, width) pixels are read in tiles that share `overlap` of their
    sides; `max_memory`, in bytes, bounds the sums of logits of those read by window. `runtime` is
    one of RUNTIMES; `auto` measures those that are installed at the first tile, in float32 and
    bfloat16 unless one `precision` is given, and keeps the fastest whose labels agree; the others
    take float32 unless told otherwise. Raises ModelError for a file that is missing, damaged or not
    a model, ConfigError for a device, precision or runtime that cannot be.
    """
    path = Path(model)
    check_load_options(
        path,
        device=device,
        precision=precision,
        tile=tile,
        overlap=overlap,
        runtime=runtime,
    )
    header = read_any_header(path)
    if path.suffix == ".onnx":
        runner = _of_onnx(path, runtime, precision or "float32")
    elif path.suffix == ".xml":
        runner = OpenVinoRunner(path, precision=precision or "float32")
    else:
        runner = _of_run(model_path(path), device, precision, runtime, progress or Progress())
    predictor = Predictor(runner, header.classes, tile=tile, overlap=overlap, max_memory=max_memory)
    predictor.name = str(path)
    predictor.reading = header.reading
    return predictor


def check_load_options(
    model: Path,
    *,
    device: str = "auto",
    precision: str | None = None,
    tile: tuple[int, int] = TILE,
    overlap: float = OVERLAP,
    runtime: str = "torch",
    **_: object,
) -> None:
    """Raises ConfigError for options of `load` that cannot be, also where a GPU may be
    elsewhere.
    """
    precision = precision or "float32"
    named = (
        ("runtime", runtime, RUNTIMES),
        ("precision", precision, PRECISIONS),
        ("device", device, DEVICES),
    )
    for what, name, allowed in named:
        if name not in allowed:
            raise unknown_choice_error(what, name, allowed)
    if model.suffix == ".xml" and runtime == "onnxruntime":
        raise ConfigError(
            f"model {model} is OpenVINO's, but the runtime is {runtime}; leave out --runtime"
        )
    if model.suffix not in EXPORTED and device == "cuda" and runtime not in ("auto", "torch"):
        raise ConfigError(
            f"device cuda with the runtime {runtime}: it goes with the runtime torch alone"
        )
    if model.suffix in EXPORTED and device == "cuda":
        raise ConfigError(
            f"device cuda with {model}: exported models run on the CPU; give the run folder"
        )
    on_onnx = runtime == "onnxruntime" or (model.suffix == ".onnx" and runtime == "torch")
    if precision != "float32" and on_onnx:
        raise ConfigError(
            f"precision {precision} with ONNX Runtime: it computes in float32; take --runtime "
            "openvino"
        )
    if runtime in ("onnxruntime", "openvino"):
        require_package(runtime)
    TilePlan(1, 1, tile, overlap)


def read_any_header(model: Path) -> Header:
    """What any file that `load` takes says of itself, without its weights. Raises ModelError as
    `load`.
    """
    if model.suffix == ".onnx":
        return read_onnx_header(model)
    if model.suffix == ".xml":
        return read_openvino_header(model)
    return read_header(model)


def choose_runtime(
    runtime: str,
    images: Iterable[str | Path],
    model: Path,
    precision: str | None = None,
) -> str:
    """`auto` only where the fastest is known already or there are pixels enough to find out, and
    `torch` otherwise.
    """
    if (
        runtime != "auto"
        or model.suffix in EXPORTED
        or _remembered(model_path(model), precision).is_file()
    ):
        return runtime
    pixels = 0
    for image in images:
        pixels += _pixels_to_label(str(image))
        if pixels >= MIN_PIXELS_TO_MEASURE:
            return "auto"
    return "torch"


def _pixels_to_label(image: str) -> int:
    if is_uri(image) or parse_slot(image):
        return UNKNOWN  # asking a store for each header would take longer than it is worth
    return pixel_count(Path(image)) or 0


def _of_onnx(path: Path, runtime: str, precision: str) -> Runner:
    if runtime == "torch":
        runtime = "onnxruntime"
    if runtime == "openvino" or (runtime == "auto" and is_installed("openvino")):
        return OpenVinoRunner(path, precision=precision)
    return OnnxRunner(path)


def _of_run(
    path: Path,
    device: str,
    precision: str | None,
    runtime: str,
    progress: Progress,
) -> Runner:
    """The runner of a model file. PyTorch is imported only where it computes, or where it makes the
    ONNX network.
    """
    segmenter = cache(lambda: load_model(path)[0])

    def torch_runner(precision: str) -> Runner:
        from pixelwise.inference.backends.torch_runner import TorchRunner
        from pixelwise.models.fuse_batchnorm import fuse_conv_bn

        fused = fuse_conv_bn(segmenter())
        return TorchRunner(fused, device=choose_device(device), precision=precision)

    def network() -> bytes:
        from pixelwise.inference.backends.onnx_trace import to_onnx

        return to_onnx(segmenter())

    remembered = _remembered(path, precision)
    is_new = runtime == "auto" and device == "auto" and not remembered.is_file()
    if runtime == "torch" or device == "cuda":
        return torch_runner(precision or "float32")
    if is_new and choose_device(device).type == "cuda":
        return torch_runner(precision or "float32")
    exported = partial(cache_file, remembered.with_name(f"{model_key(path)}.onnx"), network)
    if runtime != "auto":
        return _rebuild_if_damaged(exported, partial(_runner, runtime, precision or "float32"))
    candidates = {
        f"torch {number}": partial(torch_runner, number) for number in ("float32", "bfloat16")
    }
    candidates |= _exported_candidates(exported, precision)
    return AutoRunner(candidates, remembered=remembered, progress=progress, precision=precision)


def _exported_candidates(
    exported: Callable[[], Path], precision: str | None
) -> dict[str, "partial[Runner]"]:
    """The runtimes that are installed, of one precision or of all."""
    runtimes = (("onnxruntime", "float32"), ("openvino", "float32"), ("openvino", "bfloat16"))
    return {
        f"{name} {number}": partial(_rebuild_if_damaged, exported, partial(_runner, name, number))
        for name, number in runtimes
        if is_installed(name) and precision in (None, number)
    }


def _remembered(path: Path, precision: str | None) -> Path:
    """The file with the fastest runtime for a model file on this machine, of one precision or of
    all, once known.
    """
    among = f"-{precision}" if precision else ""
    return cache_folder() / f"{model_key(path)}-{machine_key()}{among}.json"


def _runner(runtime: str, precision: str, path: Path) -> Runner:
    return OpenVinoRunner(path, precision=precision) if runtime == "openvino" else OnnxRunner(path)


def _rebuild_if_damaged(network: Callable[[], Path], make: Callable[[Path], Runner]) -> Runner:
    """The runner on the kept network; where the kept file is damaged, on a new one."""
    path = network()
    try:
        return make(path)
    except ModelError:
        path.unlink()
        return make(network())
