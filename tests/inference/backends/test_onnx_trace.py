import onnxruntime
import torch
from torch import nn

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
