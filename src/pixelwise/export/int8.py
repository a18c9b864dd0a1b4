"""A model in 8-bit integers: calibrated on the user's images, and kept only where it labels nearly
as well.
"""

import contextlib
import logging
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataSet
from pixelwise.errors import ConfigError, ModelError
from pixelwise.evaluation.data_options import training_data_options
from pixelwise.evaluation.scoring import evaluate
from pixelwise.export.description import check_description, describe, tiles_of, write_description
from pixelwise.inference.backends.onnx_trace import to_onnx
from pixelwise.inference.backends.openvino_file import write_openvino
from pixelwise.inference.backends.sessions import OpenVinoRunner
from pixelwise.inference.backends.signal_stack import keep_signal_stack
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.tta import Pixels
from pixelwise.io.images import read_rgb
from pixelwise.models.checkpoint import Header, check_not_exported, load_model
from pixelwise.optional import require_package
from pixelwise.progress import Progress

# Training images, evenly drawn, from which the ranges of the activations are learned.
CALIBRATION_IMAGES = 60

# Mean IoU that may be lost on the validation images.
MAX_IOU_LOSS = 0.01

# What is tried in int8, with the patterns of names that stay in float: encoders with depthwise
# convolutions may not tolerate it.
PARTS: dict[str, tuple[str, ...]] = {"the whole network": (), "the decoder": (".*/encoder/.*",)}


@dataclass(frozen=True)
class Quantised:
    """Which `part` is in int8; mean IoU on `images` validation images in float32 and in int8, and
    the seconds that each took on OpenVINO.
    """

    path: Path
    part: str
    images: int
    mean_iou: tuple[float, float]
    seconds: tuple[float, float]


def export_int8(
    model: str | Path, out: str | Path, data: str | Path, *, progress: Progress | None = None
) -> Quantised:
    """Write `model` in int8 as the OpenVINO file `out` (.xml, with a .bin beside it).

    Ranges are learned from CALIBRATION_IMAGES training images of the labelled data set `data`
    (post-training quantisation of NNCF, weights by channel, biases corrected); where the whole
    network loses too much, the decoder alone is tried. Mean IoU is measured on the validation
    images before and after. Raises ModelError, and keeps nothing, where more than MAX_IOU_LOSS of
    it is lost, ConfigError for another name of file and without nncf or openvino.
    """
    progress = progress or Progress()
    path = Path(out)
    if path.suffix != ".xml":
        raise ConfigError(f"--out {path}: int8 is for OpenVINO; give a name that ends in .xml")
    openvino = require_package("openvino")
    require_package("nncf")
    check_not_exported(Path(model))
    check_description(path)
    segmenter, header = load_model(Path(model))
    dataset = open_dataset(data, training_data_options(model))
    with tempfile.TemporaryDirectory() as folder:
        float_path = Path(folder) / "float.onnx"
        int8_path = Path(folder) / "int8.xml"
        float_path.write_bytes(to_onnx(segmenter))
        progress.log(f"calibrating on {CALIBRATION_IMAGES} training images at most")
        float_iou, float_seconds = _evaluate_file(float_path, header, data, progress)
        for part, float_layers in PARTS.items():
            with keep_signal_stack():
                network = openvino.Core().read_model(str(float_path))
                network = _quantise(network, dataset, float_layers)
            write_openvino(int8_path, network, header)
            iou, seconds = _evaluate_file(int8_path, header, data, progress)
            progress.log(f"{part} in int8: mean IoU {iou:.4f}, {float_iou:.4f} in float32")
            if float_iou - iou <= MAX_IOU_LOSS:
                description = describe(path, segmenter, header, None)
                write_description(path, description)
                write_openvino(path, network, header, tiles=tiles_of(None))
                images = len(dataset.pairs("val"))
                return Quantised(path, part, images, (float_iou, iou), (float_seconds, seconds))
    raise ModelError(
        f"int8 takes mean IoU on the validation images from {float_iou:.4f} to {iou:.4f}, and "
        f"only {MAX_IOU_LOSS} may be lost; nothing was written; keep to bfloat16"
    )


def _quantise(network: Any, dataset: DataSet, float_layers: Sequence[str]) -> Any:
    """The `openvino.Model` in int8, but for layers whose names match one of `float_layers`."""
    nncf = require_package("nncf")
    nncf.set_log_level(logging.ERROR)
    pairs = dataset.pairs("train")
    step = math.ceil(len(pairs) / CALIBRATION_IMAGES)
    images = [pair.image for pair in pairs[::step]]
    with contextlib.redirect_stdout(sys.stderr):  # its progress is no result
        return nncf.quantize(
            network,
            nncf.Dataset(images, lambda image: {"rgb": _read_pixels(image)}),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(images),
            ignored_scope=nncf.IgnoredScope(patterns=list(float_layers), validate=False),
        )


def _read_pixels(image: Path) -> Pixels:
    """(1, 3, H, W)."""
    channels_first = read_rgb(image).transpose(2, 0, 1)
    return np.ascontiguousarray(channels_first)[None]


def _evaluate_file(
    path: Path, header: Header, data: str | Path, progress: Progress
) -> tuple[float, float]:
    """Mean IoU on the validation images, and seconds."""
    predictor = Predictor(OpenVinoRunner(path), header.classes)
    predictor.reading = header.reading
    predictor.sizes = header.sizes
    start = time.perf_counter()
    evaluation = evaluate(predictor, data, split="val", progress=progress)
    return evaluation.scores.mean_iou, time.perf_counter() - start
