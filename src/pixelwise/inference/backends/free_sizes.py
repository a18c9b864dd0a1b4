"""Whether the ONNX network of another library's model, traced at one size, is right at another."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from pixelwise.errors import ModelError
from pixelwise.inference.backends.sessions import OnnxRunner, OpenVinoRunner
from pixelwise.inference.backends.torch_runner import TorchRunner
from pixelwise.models.segmenter import Segmenter
from pixelwise.optional import is_installed

# Other than that of the trace in both directions, and no multiples of usual strides.
_SIZES = ((97, 66), (50, 130))

# As in a comparison of an export.
_MAX_GAP = 1e-2


def check_free_sizes(model: Segmenter, network: bytes) -> None:
    """Raises ModelError where the network gives other logits than PyTorch at other sizes.

    Networks of this package are known to take any; what another library computes from an image's
    size while it is traced may stay as it was.
    """
    torch_runner = TorchRunner(model, device=torch.device("cpu"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        path.write_bytes(network)
        onnx_runner = OnnxRunner(path) if is_installed("onnxruntime") else OpenVinoRunner(path)
        for size in _SIZES:
            pixels = np.random.default_rng(0).integers(0, 256, (1, 3, *size), dtype=np.uint8)
            try:
                gap = float(np.abs(onnx_runner(pixels) - torch_runner(pixels)).max())
            except ModelError:  # of sizes that do not fit any more
                gap = float("inf")
            if not gap <= _MAX_GAP:  # asked so that NaN fails too
                raise ModelError(
                    f"the network as ONNX differs by {gap:.2g} in a logit at {size[0]} x {size[1]} "
                    "pixels, as its library computes with sizes; take --runtime torch, or export "
                    "with --size"
                )
