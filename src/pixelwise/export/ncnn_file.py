"""A model as a file of ncnn, which runs networks on phones and small boards."""

import copy
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pixelwise.errors import ModelError
from pixelwise.inference.backends.onnx_trace import FromPixels
from pixelwise.inference.tta import Logits, Pixels
from pixelwise.models.layer_swaps import pad_by_constants
from pixelwise.models.segmenter import Segmenter
from pixelwise.optional import require_package

NCNN_STEP = 32
"""Sides of pictures are multiples of it: what the network pads is resized otherwise by ncnn."""

# What pnnx calls the first input and output of a network.
INPUT = "in0"
OUTPUT = "out0"


def write_ncnn(path: Path, model: Segmenter, size: tuple[int, int]) -> None:
    """Write the network with its normalisation, of pictures of `size` (height, width), as the file
    `path` (.param) and the weights beside it (.bin), by way of pnnx. The input are the numbers 0 to
    255 as floats, (channels, H, W), the output is logits (C, H, W).

    Raises ConfigError without pnnx, and ModelError for a network that it cannot convert.
    """
    pnnx = require_package("pnnx")
    network = FromPixels(pad_by_constants(copy.deepcopy(model))).eval().cpu()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on tracing being the old way, on fixed sizes
        pixels = torch.zeros(1, model.channels, *size)
        script = Path(folder) / "network.pt"
        trace: Any = torch.jit.trace
        traced = trace(network, pixels, check_trace=False)
        traced.save(str(script))
        shape = f"[1,{model.channels},{size[0]},{size[1]}]"
        command = [pnnx.EXEC_PATH, str(script), f"inputshape={shape}", "fp16=0"]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        parts = [Path(folder) / f"network.ncnn{suffix}" for suffix in (".bin", ".param")]
        if ran.returncode or not all(part.is_file() for part in parts):
            last = (ran.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise ModelError(
                f"pnnx cannot convert this network ({last}); nothing was written; export .onnx, or "
                "train another decoder"
            )
        for part in parts:
            shutil.copyfile(part, path.with_suffix(part.suffix))


class NcnnRunner:
    """A file of `write_ncnn` on ncnn, on the CPU in float32: one picture of its size at a time.
    Raises ConfigError without ncnn, ModelError for a file that it cannot read.
    """

    def __init__(self, path: Path) -> None:
        self._ncnn = require_package("ncnn")
        self._net = self._ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.use_fp16_arithmetic = False
        self._net.opt.use_fp16_storage = False
        self._net.opt.use_fp16_packed = False
        self._net.opt.use_bf16_storage = False
        if self._net.load_param(str(path)) or self._net.load_model(str(path.with_suffix(".bin"))):
            raise ModelError(f"model {path}: ncnn cannot read it; export it again")

    def __call__(self, rgb: Pixels) -> Logits:
        """Logits (1, C, H, W), float32, of uint8 `rgb` (1, channels, H, W)."""
        extractor = self._net.create_extractor()
        pixels = np.ascontiguousarray(rgb[0], np.float32)  # held here: a Mat does not hold it
        extractor.input(INPUT, self._ncnn.Mat(pixels).clone())
        status, output = extractor.extract(OUTPUT)
        if status:
            raise ModelError(f"ncnn cannot run the network (status {status})")
        return np.array(output, np.float32)[None]


def describe_ncnn(description: dict[str, Any]) -> dict[str, Any]:
    """The description of an ONNX file of one size, as that of the same network in ncnn."""
    own = {"layout": "CHW", "type": "float32"}
    described = dict(description)
    for part, name in (("input", INPUT), ("output", OUTPUT)):
        shape = description[part]["shape"][1:]
        described[part] = {**description[part], **own, "name": name, "shape": shape}
    return described
