"""From a model file to something that predicts."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

from pixelwise.errors import ConfigError, ModelError, unknown_choice_error
from pixelwise.hardware import (
    INFERENCE_DEVICES,
    OTHER_GPUS,
    PRECISIONS,
    check_device,
    choose_device,
)
from pixelwise.inference.backends.autotune import (
    AutoRunner,
    cache_file,
    has_graphics_card,
    machine_key,
    model_key,
    network_key,
)
from pixelwise.inference.backends.choices import Choices, names_that_begin_soon, names_to_try
from pixelwise.inference.backends.fixed_size import FixedSizeRunner
from pixelwise.inference.backends.image_input import ImageInput
from pixelwise.inference.backends.onnx_file import read_onnx_header
from pixelwise.inference.backends.openvino_file import read_openvino_header
from pixelwise.inference.backends.sessions import RUNTIMES, OnnxRunner, OpenVinoRunner
from pixelwise.inference.backends.stored_graph import read_stored_network
from pixelwise.inference.ensemble import join_models
from pixelwise.inference.layer_predictor import make_predictor
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.tiling import MIN_TILE, OVERLAP, TILE, TilePlan
from pixelwise.inference.tta import Runner
from pixelwise.io.cache import cache_folder
from pixelwise.io.images import MAX_PIXELS, pixel_count
from pixelwise.io.shards import UNKNOWN, parse_slot
from pixelwise.io.storage import is_uri
from pixelwise.models.checkpoint import Header, find_models, load_model, model_path, read_header
from pixelwise.models.file_kinds import is_exported
from pixelwise.models.picture_sizes import PictureSizes
from pixelwise.notebook_progress import default_progress
from pixelwise.optional import is_installed, require_package
from pixelwise.progress import Progress

# Pixels from which on `auto` prepares and measures other runtimes: with fewer PyTorch would be done
# before.
MIN_PIXELS_TO_MEASURE = 30_000_000

# `auto` without a measurement: the runtime that has labelled a few pixels first, or the next one
# where it cannot run.
UNMEASURED = "auto, unmeasured"

# Devices on which PyTorch computes alone.
_GPUS = ("cuda", *OTHER_GPUS)


def load(  # noqa: PLR0913  `help` and completion list each
    model: str | Path | Sequence[str | Path],
    *,
    device: str = "auto",
    precision: str | None = None,
    tile: tuple[int, int] = TILE,
    overlap: float = OVERLAP,
    runtime: str = "torch",
    max_memory: int | None = None,
    layers: bool = False,
    progress: Progress | None = None,
) -> Predictor:
    """A Predictor from a run folder, a .safetensors model file, or an .onnx or .xml file of
    `pixelwise export`; of several, or of a folder of `train --folds`, one that averages their
    scores.

    Images above `tile` (height, width) pixels are read in tiles that share `overlap` of their
    sides; `max_memory`, in bytes, bounds the sums of logits of those read by window. `runtime` is
    one of RUNTIMES; `auto` measures those that are installed at the first tile, in float32 and
    bfloat16 unless one `precision` is given, and keeps the fastest whose labels agree; the others
    take float32 unless told otherwise. With `layers` a model of overlapping classes is taken too,
    as a LayerPredictor. Raises ModelError for a file that is missing, damaged or not a model, for
    several of other classes and for overlapping ones, ConfigError for a device, precision or
    runtime that cannot be.
    """
    path, *others = find_models(model)
    if others:
        return join_models(
            [
                load(
                    member,
                    device=device,
                    precision=precision,
                    tile=tile,
                    overlap=overlap,
                    runtime=runtime,
                    max_memory=max_memory,
                    layers=layers,
                    progress=progress,
                )
                for member in (path, *others)
            ]
        )
    check_load_options(
        path,
        device=device,
        precision=precision,
        tile=tile,
        overlap=overlap,
        runtime=runtime,
    )
    header = read_any_header(path)
    if not layers:
        header.check_one_class(path)
    progress = progress or default_progress()
    session = None
    if is_exported(path):
        session = _of_export(path, runtime, precision or "float32", header.model.channels)
    runner = session or _of_run(model_path(path), device, precision, runtime, progress)
    predictor = make_predictor(runner, header, tile=tile, overlap=overlap, max_memory=max_memory)
    if session is not None and session.input.is_fixed:
        _fix_size(predictor, session.input, path)
        progress.log(
            f"model {path}: takes {predictor.tile[0]} x {predictor.tile[1]} pixels only: larger "
            "pictures are cut in tiles of that size, smaller ones padded"
        )
    predictor.name = str(path)
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
        ("runtime", "auto" if runtime == UNMEASURED else runtime, RUNTIMES),
        ("precision", precision, PRECISIONS),
    )
    for what, name, allowed in named:
        if name not in allowed:
            raise unknown_choice_error(what, name, allowed)
    check_device(device, INFERENCE_DEVICES)
    if _is_openvino(model) and runtime == "onnxruntime":
        raise ConfigError(
            f"model {model} is OpenVINO's, but the runtime is {runtime}; leave out --runtime"
        )
    if not is_exported(model) and device in _GPUS and runtime not in ("auto", "torch"):
        raise ConfigError(
            f"device {device} with the runtime {runtime}: it goes with the runtime torch alone"
        )
    if is_exported(model) and device in _GPUS:
        raise ConfigError(
            f"device {device} with {model}: exported models run on the CPU; give the run folder"
        )
    on_onnx = runtime == "onnxruntime" or (_is_onnx(model) and runtime == "torch")
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
    if _is_onnx(model):
        return read_onnx_header(model)
    if _is_openvino(model):
        return read_openvino_header(model)
    return read_header(model)


def choose_runtime(
    runtime: str,
    images: Iterable[str | Path],
    model: Path,
    precision: str | None = None,
    *,
    device: str = "auto",
) -> str:
    """`auto` only where the fastest is known already or there are pixels enough to find out.
    Otherwise the one that begins soonest.
    """
    if runtime != "auto" or is_exported(model):
        return runtime
    path = model_path(model)
    header = read_header(path)
    if _choices(path, header, precision).load():
        return "auto"
    pixels = 0
    for image in images:
        pixels += _pixels_to_label(str(image), header.sizes)
        if pixels >= MIN_PIXELS_TO_MEASURE:
            return "auto"
    on_gpu = device in _GPUS or (has_graphics_card() and choose_device(device).type == "cuda")
    return "torch" if on_gpu or not names_that_begin_soon(precision) else UNMEASURED


def prepare_network(model: Path) -> None:
    """Put the ONNX network of a run or model file into the user's cache, where an installed runtime
    takes it: commands of a few photos then need no PyTorch.
    """
    if not any(map(is_installed, ("onnxruntime", "openvino"))):
        return
    path = model_path(model)
    # what cannot be traced or written costs later commands some seconds, and is named by those
    # that need it
    with suppress(Exception):
        cache_file(_network_file(path), partial(_export_network, path))


def _export_network(path: Path) -> bytes:
    stored = read_stored_network(path)
    if stored is not None:
        return stored
    from pixelwise.inference.backends.onnx_trace import to_onnx  # imports PyTorch

    model, header = load_model(path)
    network = to_onnx(model)
    if header.model.library is not None:
        from pixelwise.inference.backends.free_sizes import check_free_sizes

        check_free_sizes(model, network)
    return network


def _pixels_to_label(image: str, sizes: PictureSizes | None) -> int:
    if is_uri(image) or parse_slot(image):
        return UNKNOWN  # asking a store for each header would take longer than it is worth
    pixels = pixel_count(Path(image)) or 0
    is_seen_smaller = sizes is not None and sizes.framed is not False and pixels <= MAX_PIXELS
    return min(pixels, sizes.largest**2) if sizes and is_seen_smaller else pixels


def _is_onnx(model: Path) -> bool:
    return is_exported(model) and model.suffix.lower() == ".onnx"


def _is_openvino(model: Path) -> bool:
    return is_exported(model) and model.suffix.lower() == ".xml"


def _of_export(
    path: Path, runtime: str, precision: str, channels: int
) -> OnnxRunner | OpenVinoRunner:
    prefers_openvino = runtime == "openvino" or (runtime == "auto" and is_installed("openvino"))
    if prefers_openvino or _is_openvino(path):
        return OpenVinoRunner(path, precision=precision, channels=channels)
    return OnnxRunner(path, channels=channels)


def _fix_size(predictor: Predictor, taken: ImageInput, path: Path) -> None:
    """Let it label in tiles of exactly the size that its network takes. Raises ModelError for one
    that is too small.
    """
    height = taken.height or predictor.tile[0]
    width = taken.width or predictor.tile[1]
    if min(height, width) < MIN_TILE:
        raise ModelError(
            f"model {path}: takes {height} x {width} pixels only, and tiles have {MIN_TILE} a side "
            "or more; fix a larger size"
        )
    if predictor.overlap == OVERLAP:  # as many pixels as tiles of the usual size share
        predictor.overlap = min(0.5, OVERLAP * max(TILE) / min(height, width))
    predictor.runner = FixedSizeRunner(predictor.runner, taken, str(path))
    predictor.tile = (height, width)
    predictor.exact = True


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

    torch_precision = precision or "float32"
    if runtime == "torch" or device in _GPUS:
        return torch_runner(torch_precision)
    header = read_header(path)
    channels = header.model.channels
    choices = _choices(path, header, precision)
    is_new = runtime == "auto" and not choices.load()
    if is_new and has_graphics_card() and choose_device(device).type == "cuda":
        return torch_runner(torch_precision)
    exported = cache(partial(cache_file, _network_file(path), partial(_export_network, path)))
    if runtime in ("onnxruntime", "openvino"):
        return _runner(runtime, torch_precision, exported, channels)
    kinds = [("onnxruntime", "float32"), *(("openvino", number) for number in PRECISIONS)]
    candidates: dict[str, Callable[[], Runner]] = {
        f"{name} {number}": partial(_runner, name, number, exported, channels)
        for name, number in kinds
        if is_installed(name)
    }
    candidates |= {f"torch {number}": partial(torch_runner, number) for number in PRECISIONS}
    soonest = names_that_begin_soon(precision)
    return AutoRunner(
        candidates,
        choices=choices,
        progress=progress,
        tried=partial(names_to_try, precision),
        precision=precision,
        order=soonest if runtime == UNMEASURED else (),
        soonest=soonest,
    )


def _choices(path: Path, header: Header, precision: str | None) -> Choices:
    """The files with the fastest runtimes for a model file on this machine, of one precision or of
    all.
    """
    among = f"-{precision}" if precision else ""
    of_model, of_network = (
        cache_folder() / f"{key}-{machine_key()}{among}.json"
        for key in (model_key(path), network_key(header.model))
    )
    return Choices(of_model, of_network)


def _network_file(path: Path) -> Path:
    """Where the ONNX network of a model file is kept for the runtimes that take it."""
    return cache_folder() / f"{model_key(path)}.onnx"


def _runner(runtime: str, precision: str, network: Callable[[], Path], channels: int) -> Runner:
    if runtime == "openvino":
        return OpenVinoRunner(network(), precision=precision, channels=channels)
    return OnnxRunner(network(), channels=channels)
