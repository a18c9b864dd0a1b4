"""A network of PyTorch as an ONNX graph: pixels in, logits out."""

import copy
import io
import warnings

import torch
from torch import Tensor, nn

from pixelwise.models.layer_swaps import pad_by_constants
from pixelwise.models.segmenter import Segmenter

OPSET = 18
_TRACED = (2, 3, 64, 96)


class _FromPixels(nn.Module):
    """uint8 RGB (N, 3, H, W) to float32 logits (N, C, H, W)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, rgb: Tensor) -> Tensor:
        logits: Tensor = self.model(rgb.float() / 255)
        return logits


def to_onnx(model: Segmenter, size: tuple[int, int] | None = None) -> bytes:
    """The network with its normalisation: `rgb`, uint8 (N, 3, H, W), to `logits`, float32 (N, C, H,
    W); N, H, W free, or one picture of `size` (height, width).

    PyTorch's exporter by tracing is used: that by torch.export does not come to an end on sizes
    padded to a multiple.
    """
    # the network sees multiples of its strides alone, so TensorFlow's padding is the same for all
    network = pad_by_constants(copy.deepcopy(model))
    file = io.BytesIO()
    free = {0: "images", 2: "height", 3: "width"}
    shape = _TRACED if size is None else (1, 3, *size)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # on tracing being the old way, and on sizes that are compared, which are free
        torch.onnx.export(
            _FromPixels(network).eval().cpu(),
            (torch.zeros(shape, dtype=torch.uint8),),
            # the exporter by tracing writes to file objects as well
            file,  # type: ignore[arg-type]
            input_names=["rgb"],
            output_names=["logits"],
            dynamic_axes={"rgb": free, "logits": free} if size is None else None,
            opset_version=OPSET,
            dynamo=False,
        )
    return file.getvalue()
