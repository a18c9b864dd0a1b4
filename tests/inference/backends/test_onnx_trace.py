import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from pixelwise.errors import ModelError
from pixelwise.inference.backends.onnx_trace import to_onnx
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter


def test_a_position_embedding_is_resampled_to_the_image_as_pytorch_does() -> None:
    torch.manual_seed(0)
    model = build_segmenter(ModelConfig("fcn32s", "test_vit", 3)).eval()
    nn.init.normal_(model.encoder.net.model.pos_embed)
    session = onnxruntime.InferenceSession(to_onnx(model), providers=["CPUExecutionProvider"])
    rgb = torch.randint(0, 256, (1, 3, 97, 131), dtype=torch.uint8)
    (logits,) = session.run(None, {"rgb": rgb.numpy()})
    with torch.no_grad():
        expected = model(rgb.float() / 255)
    torch.testing.assert_close(torch.from_numpy(logits), expected, atol=1e-4, rtol=1e-4)


class Bessel(nn.Module):
    """Ends in an operator that ONNX lacks."""

    def forward(self, features: dict[int, Tensor]) -> Tensor:
        return torch.special.bessel_j0(features[32])


def test_a_network_that_cannot_be_written_is_named_in_a_line() -> None:
    model = build_segmenter(ModelConfig("fcn32s", "test_resnet", 3))
    model.decoder = Bessel()
    with pytest.raises(ModelError, match=r"cannot write the network as ONNX \(.*bessel_j0"):
        to_onnx(model)
