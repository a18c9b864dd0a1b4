import pytest
import torch
from torch import Tensor

from pixelwise.errors import ModelError
from pixelwise.inference.backends.free_sizes import check_free_sizes
from pixelwise.inference.backends.onnx_trace import to_onnx
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter
from pixelwise.models.segmenter import Segmenter


class KeepsSize(Segmenter):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + float(images.shape[-1])  # a number: the trace keeps it


def test_a_network_that_keeps_the_size_of_its_trace_is_refused() -> None:
    torch.manual_seed(0)
    model = build_segmenter(ModelConfig("fcn32s", "test_resnet", 2)).eval()
    check_free_sizes(model, to_onnx(model))
    model.__class__ = KeepsSize
    with pytest.raises(ModelError, match=r"differs by 30 in a logit .*--runtime torch"):
        check_free_sizes(model, to_onnx(model))
