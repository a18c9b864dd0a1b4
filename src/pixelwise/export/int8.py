"""A model in 8-bit integers: calibrated on the user's images, and kept only where it labels nearly
as well.
"""

import contextlib
import logging
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.datasets.registry import open_dataset
from pixelwise.datasets.types import DataSet
from pixelwise.errors import ConfigError, ModelError
from pixelwise.evaluation.data_options import as_trained
from pixelwise.evaluation.scoring import evaluate
from pixelwise.inference.backends.onnx_trace import to_onnx
from pixelwise.inference.backends.openvino_file import write_openvino
from pixelwise.inference.backends.sessions import OpenVinoRunner
from pixelwise.inference.backends.signal_stack import keep_signal_stack
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.tta import Pixels
from pixelwise.io.images import read_rgb
from pixelwise.models.checkpoint import Header, load_model
from pixelwise.optional import require_package
from pixelwise.progress import Progress

CALIBRATION = 60
"""Training images, evenly drawn, from which the ranges of the activations are learned."""

LARGEST_LOSS = 0.01
"""Mean IoU that may be lost on the validation images."""


PARTS: dict[str, tuple[str, ...]] = {"the whole network": (), "the decoder": (".*/encoder/.*",)}
"""What is tried in int8, by what is left in float: encoders with depthwise convolutions may not
bear it.
"""


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

    Ranges are learned from CALIBRATION training images of the labelled data set `data`
    (post-training quantisation of NNCF, weights by channel, biases corrected); where the whole
    network loses too much, the decoder alone is tried. Mean IoU is measured on the validation
    images before and after. Raises ModelError, and keeps nothing, where more than LARGEST_LOSS of
    it is lost, ConfigError for another name of file and without nncf or openvino.
    """
    progress = progress or Progress()
    path = Path(out)
    if path.suffix != ".xml":
        raise ConfigError(f"--out {path}: int8 is for OpenVINO; give a name that ends in .xml")
    openvino = require_package("openvino")
    require_package("nncf")
    segmenter, header = load_model(Path(model))
    dataset = open_dataset(data, as_trained(model))
    with tempfile.TemporaryDirectory() as folder:
        exact = Path(folder) / "float.onnx"
        small = Path(folder) / "int8.xml"
        exact.write_bytes(to_onnx(segmenter))
        progress.log(f"calibrating on {CALIBRATION} training images at most")
        before, slow = _scored(exact, header, data, progress)
        for part, kept in PARTS.items():
            with keep_signal_stack():
                network = _quantised(openvino.Core().read_model(str(exact)), dataset, kept)
            write_openvino(small, network, header)
            after, fast = _scored(small, header, data, progress)
            progress.log(f"{part} in int8: mean IoU {after:.4f}, {before:.4f} in float32")
            if before - after <= LARGEST_LOSS:
                write_openvino(path, network, header)
                return Quantised(
                    path, part, len(dataset.pairs("val")), (before, after), (slow, fast)
                )
    raise ModelError(
        f"int8 takes mean IoU on the validation images from {before:.4f} to {after:.4f}, and "
        f"only {LARGEST_LOSS} may "
        "be lost; nothing was written; keep to bfloat16"
    )


def _quantised(network: Any, dataset: DataSet, kept: tuple[str, ...]) -> Any:
    nncf = require_package("nncf")
    nncf.set_log_level(logging.ERROR)
    pairs = dataset.pairs("train")
    chosen = [pair.image for pair in pairs[:: -(-len(pairs) // CALIBRATION)]]
    with contextlib.redirect_stdout(sys.stderr):  # its progress is no result
        return nncf.quantize(
            network,
            nncf.Dataset(chosen, lambda image: {"rgb": _pixels(image)}),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(chosen),
            ignored_scope=nncf.IgnoredScope(patterns=list(kept), validate=False),
        )


def _pixels(image: Path) -> Pixels:
    return np.ascontiguousarray(read_rgb(image).transpose(2, 0, 1))[None]


def _scored(
    path: Path, header: Header, data: str | Path, progress: Progress
) -> tuple[float, float]:
    """Mean IoU on the validation images, and seconds."""
    predictor = Predictor(OpenVinoRunner(path), header.classes)
    predictor.reading = header.reading
    start = time.perf_counter()
    found = evaluate(predictor, data, split="val", progress=progress).scores.mean_iou
    return found, time.perf_counter() - start
