"""A network of PyTorch as an ONNX graph: pixels in, logits out."""

import copy
import io
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.onnx import register_custom_op_symbolic, symbolic_helper  # type: ignore[attr-defined]
from torch.onnx.errors import OnnxExporterError

from pixelwise.errors import ModelError, first_line
from pixelwise.models.config import RGB_CHANNELS
from pixelwise.models.layer_swaps import pad_by_constants
from pixelwise.models.pooling import pool_by_products
from pixelwise.models.segmenter import Segmenter

OPSET = 18
_TRACED = (2, 64, 96)


class FromPixels(nn.Module):
    """Pixels of 0 to 255 (N, channels, H, W) to float32 logits (N, C, H, W)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, rgb: Tensor) -> Tensor:
        """Logits at the size of the pixels."""
        logits: Tensor = self.model(rgb.float() / 255)
        return logits


class _FromFloats(nn.Module):
    """float32 in [0, 1] (N, channels, H, W) to class probabilities (N, C, H, W)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images)
        return logits.softmax(1)


def _resize_bicubic(
    graph: Any,
    image: Any,
    size: Any,
    align_corners: object,
    *factors: object,
) -> Any:
    """A smoothed bicubic resize, by which timm's transformers fit their position embedding to an
    image, in ONNX's terms; the exporter knows none.
    """
    shape = graph.op("Shape", image)
    zero = graph.op("Constant", value_t=torch.tensor([0]))
    two = graph.op("Constant", value_t=torch.tensor([2]))
    channels = graph.op("Slice", shape, zero, two)
    if symbolic_helper._is_packed_list(size):
        sides = [
            symbolic_helper._unsqueeze_helper(graph, side, [0])
            for side in symbolic_helper._unpack_list(size)
        ]
        size = graph.op("Concat", *sides, axis_i=0)
    sizes = graph.op("Concat", channels, size, axis_i=0)
    empty = graph.op("Constant", value_t=torch.tensor([], dtype=torch.float32))
    return graph.op(
        "Resize",
        image,
        empty,
        empty,
        sizes,
        antialias_i=1,
        coordinate_transformation_mode_s="half_pixel",
        cubic_coeff_a_f=-0.5,  # as in Pillow, which PyTorch follows where it smooths
        exclude_outside_i=1,
        mode_s="cubic",
    )


def input_name(channels: int) -> str:
    """What the input of an exported network is called."""
    return "rgb" if channels == RGB_CHANNELS else "bands"


def to_onnx(
    model: Segmenter,
    size: tuple[int, int] | None = None,
    *,
    keep_layers: bool = False,
    probabilities: bool = False,
    normalised: bool = False,
) -> bytes:
    """The network with its normalisation: uint8 pixels (N, channels, H, W) to `logits`, float32
    (N, C, H, W); N, H, W free, or one picture of `size` (height, width). With `keep_layers` every
    layer keeps its own weights under their names, none fused with its neighbour's. With
    `probabilities` it takes floats in [0, 1] and gives softmax; with `normalised` it takes what its
    normalisation would give.

    PyTorch's exporter by tracing is used: that by torch.export does not come to an end on sizes
    padded to a multiple.
    """
    # the network sees multiples of its strides alone, so TensorFlow's padding is the same for all
    own = copy.deepcopy(model)
    if normalised:
        own.mean.zero_()
        own.std.fill_(1)
    network = pool_by_products(pad_by_constants(own))
    file = io.BytesIO()
    free = {0: "images", 2: "height", 3: "width"}
    images, *sides = _TRACED if size is None else (1, *size)
    shape = (images, model.channels, *sides)
    name = input_name(model.channels)
    output = "probabilities" if probabilities else "logits"
    dtype = torch.float32 if probabilities or normalised else torch.uint8
    if not normalised:
        network = _FromFloats(network) if probabilities else FromPixels(network)
    mode = torch.onnx.TrainingMode
    register_custom_op_symbolic("aten::_upsample_bicubic2d_aa", _resize_bicubic, OPSET)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # on tracing being the old way, and on sizes that are compared, which are free
        try:
            torch.onnx.export(
                network.eval().cpu(),
                (torch.zeros(shape, dtype=dtype),),
                # the exporter by tracing writes to file objects as well
                file,  # type: ignore[arg-type]
                input_names=[name],
                output_names=[output],
                dynamic_axes={name: free, output: free} if size is None else None,
                opset_version=OPSET,
                dynamo=False,
                do_constant_folding=not keep_layers,
                training=mode.PRESERVE if keep_layers else mode.EVAL,
            )
        except OnnxExporterError as error:
            raise ModelError(
                f"PyTorch cannot write the network as ONNX ({first_line(error)}); take --runtime "
                "torch"
            ) from error
    return file.getvalue()
