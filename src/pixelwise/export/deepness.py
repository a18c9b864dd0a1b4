"""A model as the QGIS plugin Deepness takes it: floats in [0, 1] of one square size in, class
probabilities out, and what its dialogue needs as metadata.

Its keys: https://qgis-plugin-deepness.readthedocs.io, "Add metadata to model".
"""

import json
from pathlib import Path

import numpy as np

from pixelwise.errors import ConfigError
from pixelwise.inference.backends.onnx_file import write_onnx
from pixelwise.inference.backends.onnx_trace import to_onnx
from pixelwise.inference.tiling import OVERLAP
from pixelwise.inference.tta import Logits, Pixels, Runner
from pixelwise.models.checkpoint import Header
from pixelwise.models.segmenter import Segmenter
from pixelwise.optional import require_package

SUFFIX = ".deepness.onnx"
SIZE = (512, 512)


def is_deepness(path: Path) -> bool:
    """Whether a file is named as one for Deepness."""
    return path.name.lower().endswith(SUFFIX)


def check_square(size: tuple[int, int]) -> None:
    """Raises ConfigError for a size that is not a square."""
    if size[0] != size[1]:
        raise ConfigError(
            f"size {size[0]} x {size[1]}: Deepness cuts squares; give --size {size[0]} {size[0]}"
        )


def write_deepness(path: Path, segmenter: Segmenter, header: Header, size: tuple[int, int]) -> None:
    """Write the ONNX file. The threshold of its dialogue is 0, as the most probable class wins."""
    metadata = {
        "model_type": "Segmentor",
        "class_names": dict(enumerate(header.classes.names)),
        "tile_size": size[0],
        "tiles_overlap": round(100 * OVERLAP),
        "seg_thresh": 0.0,
        "seg_small_segment": 0,
    }
    write_onnx(path, to_onnx(segmenter, size, probabilities=True), header)
    onnx = require_package("onnx")
    network = onnx.load(str(path))
    for key, value in metadata.items():
        network.metadata_props.add(key=key, value=json.dumps(value))
    onnx.save(network, str(path))


class DeepnessRunner:
    """Runs such a file as the plugin does: (N, channels, H, W) uint8 to probabilities
    (N, C, H, W).
    """

    def __init__(self, path: Path) -> None:
        self.session = require_package("onnxruntime").InferenceSession(str(path))

    def __call__(self, rgb: Pixels) -> Logits:
        """Probabilities of uint8 pixels."""
        name = self.session.get_inputs()[0].name
        images = np.float32(rgb / 255)
        (probabilities,) = self.session.run(None, {name: images})
        return np.asarray(probabilities, np.float32)


class ProbabilityRunner:
    """What another runner gives, as probabilities."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    def __call__(self, rgb: Pixels) -> Logits:
        """Softmax over the second axis."""
        logits = self.runner(rgb)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)
