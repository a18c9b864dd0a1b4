"""A model in 8-bit integers: calibrated on the user's images, and kept only where it labels nearly
as well.
"""

import contextlib
import math
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataSet
from pixelwise.errors import ConfigError, ModelError
from pixelwise.evaluation.data_options import training_data_options
from pixelwise.evaluation.scoring import score
from pixelwise.export.description import check_description, describe, tiles_of, write_description
from pixelwise.inference.backends.onnx_file import save_onnx, write_onnx
from pixelwise.inference.backends.onnx_trace import to_onnx
from pixelwise.inference.backends.openvino_file import write_openvino
from pixelwise.inference.backends.sessions import OnnxRunner, OpenVinoRunner
from pixelwise.inference.backends.signal_stack import keep_signal_stack
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.tta import Pixels, Runner
from pixelwise.io.channels import ReadingRule, reading_rule
from pixelwise.io.images import read_pixels
from pixelwise.models.checkpoint import Header, check_not_exported, load_model
from pixelwise.models.file_kinds import EXPORTED
from pixelwise.notebook_progress import default_progress
from pixelwise.optional import require_package
from pixelwise.progress import Progress

# Training images, evenly drawn, from which the ranges of the activations are learned.
CALIBRATION_IMAGES = 60

# Mean IoU that may be lost on the validation images.
MAX_IOU_LOSS = 0.01

# What a file is for, and is scored on, by its suffix.
RUNTIMES = {".onnx": "ONNX Runtime", ".xml": "OpenVINO"}


@dataclass(frozen=True)
class Part:
    """What is tried in int8, and the share of the encoder's convolutions, from the first on, that
    stays in float32: encoders with depthwise convolutions may not tolerate it.
    """

    name: str
    in_float: float


PARTS = (
    Part("the whole network", 0.0),
    Part("all but the encoder's first fifth", 0.2),
    Part("the decoder", 1.0),
)


@dataclass(frozen=True)
class Quantised:
    """Which `part` is in int8; mean IoU on `images` validation images in float32 and in int8, and
    the seconds that each took on the same `runtime`.
    """

    path: Path
    part: str
    runtime: str
    images: int
    mean_iou: tuple[float, float]
    seconds: tuple[float, float]


def export_int8(
    model: str | Path, out: str | Path, data: str | Path, *, progress: Progress | None = None
) -> Quantised:
    """Write `model` in int8 as the file `out`: ONNX (.onnx), or OpenVINO's (.xml, with a .bin
    beside it).

    Ranges are learned from CALIBRATION_IMAGES training images of the labelled data set `data`
    (ONNX Runtime's static quantisation, weights by channel, in 7 of their 8 bits, so that sums do
    not overflow on processors without instructions for int8). Of PARTS the first is kept that loses
    at most MAX_IOU_LOSS of mean IoU on the validation images. Raises ModelError, and keeps nothing,
    where none does, ConfigError for another name of file and without onnx, onnxruntime or, for
    .xml, openvino.
    """
    progress = progress or default_progress()
    path = Path(out)
    if path.suffix not in EXPORTED:
        raise ConfigError(f"--out {path}: give a name that ends in {' or '.join(EXPORTED)}")
    for package in ("onnx", "onnxruntime", *["openvino"] * (path.suffix == ".xml")):
        require_package(package)
    check_not_exported(Path(model))
    check_description(path)
    segmenter, header = load_model(Path(model))
    header.check_one_class(model)
    dataset = open_dataset(data, training_data_options(model))
    for note in dataset.notes:
        progress.log(note)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "float32.onnx"
        write_onnx(source, to_onnx(segmenter), header)
        progress.log(f"calibrating on {CALIBRATION_IMAGES} training images at most")
        float_iou, float_seconds = _evaluate_file(source, path.suffix, header, dataset, progress)
        for part in PARTS:
            trial = Path(folder) / "int8.onnx"
            _quantise(source, trial, dataset, part, reading_rule(header.reading))
            iou, seconds = _evaluate_file(trial, path.suffix, header, dataset, progress)
            progress.log(f"{part.name} in int8: mean IoU {iou:.4f}, {float_iou:.4f} in float32")
            if float_iou - iou <= MAX_IOU_LOSS:
                write_description(path, describe(path, segmenter, header, None))
                _write(path, trial, header)
                return Quantised(
                    path,
                    part.name,
                    RUNTIMES[path.suffix],
                    len(dataset.pairs("val")),
                    mean_iou=(float_iou, iou),
                    seconds=(float_seconds, seconds),
                )
    raise ModelError(
        f"int8 takes mean IoU on the validation images from {float_iou:.4f} to {iou:.4f}, and "
        f"only {MAX_IOU_LOSS} may be lost; nothing was written; keep to float32 or bfloat16"
    )


def _quantise(source: Path, target: Path, dataset: DataSet, part: Part, rule: ReadingRule) -> None:
    """Write the ONNX network `source` with `part` of it in int8."""
    quantization = require_package("onnxruntime.quantization")
    onnx = require_package("onnx")
    network = onnx.load(str(source))
    # what is asked for: constants are folded, normalisations too
    require_package("onnxruntime.quantization.quant_utils").add_pre_process_metadata(network)
    with contextlib.redirect_stdout(sys.stderr):  # what it prints is no result
        quantization.quantize_static(
            network,
            target,
            _calibration_reader(dataset, rule, network.graph.input[0].name),
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=_float_nodes(network, part.in_float),
        )


def _float_nodes(network: Any, share: float) -> list[str]:
    """Names of the encoder's nodes up to `share` of its convolutions, and of normalisations that
    could not be folded.
    """
    encoder = [node for node in network.graph.node if "/encoder/" in node.name]
    convolutions = [place for place, node in enumerate(encoder) if node.op_type == "Conv"]
    count = round(share * len(convolutions))
    last = len(encoder) if share == 1 else [0, *convolutions][count]
    norms = [node for node in network.graph.node if node.op_type == "BatchNormalization"]
    return [node.name for node in (*encoder[: last + bool(count)], *norms)]


def _calibration_reader(dataset: DataSet, rule: ReadingRule, name: str) -> Any:
    """ONNX Runtime's reader of the training images, evenly drawn."""
    base = require_package("onnxruntime.quantization").CalibrationDataReader
    pairs = dataset.pairs("train")
    step = math.ceil(len(pairs) / CALIBRATION_IMAGES)
    images = iter([pair.image for pair in pairs[::step]])

    class Reader(base):  # type: ignore[misc, valid-type]
        def get_next(self) -> dict[str, Pixels] | None:
            path = next(images, None)
            return None if path is None else {name: _as_batch(path, rule)}

    return Reader()


def _as_batch(image: Path, rule: ReadingRule) -> Pixels:
    """(1, channels, H, W)."""
    channels_first = read_pixels(image, rule).transpose(2, 0, 1)
    return np.ascontiguousarray(channels_first)[None]


def _write(path: Path, network: Path, header: Header) -> None:
    """Keep the int8 ONNX `network` as `path`, for ONNX Runtime or OpenVINO."""
    if path.suffix == ".onnx":
        save_onnx(path, require_package("onnx").load(str(network)), header, tiles=tiles_of(None))
        return
    with keep_signal_stack():
        model = require_package("openvino").Core().read_model(str(network))
    write_openvino(path, model, header, tiles=tiles_of(None))


def _evaluate_file(
    network: Path, suffix: str, header: Header, dataset: DataSet, progress: Progress
) -> tuple[float, float]:
    """Mean IoU of an ONNX network on the validation images, and seconds, on the runtime that files
    with the suffix are for.
    """
    channels = header.model.channels
    if suffix == ".xml":
        runner: Runner = OpenVinoRunner(network, channels=channels)
    else:
        runner = OnnxRunner(network, channels=channels)
    predictor = Predictor(runner, header.classes)
    predictor.reading = header.reading
    predictor.sizes = header.sizes
    start = time.perf_counter()
    evaluation = score(predictor, dataset, dataset.pairs("val"), split="val", progress=progress)
    return evaluation.scores.mean_iou, time.perf_counter() - start
